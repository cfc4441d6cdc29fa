import json
import os
import subprocess

import pytest
import yaml

import ntp
from ntp.errors import ConfigError
from ntp.tracking.run_dir import RunDir, complete_runs, git_commit, is_complete, set_aside


def test_a_run_leaves_its_inputs_and_its_summary(tmp_path):
    run_dir = RunDir(tmp_path / "a" / "b")
    run_dir.write_inputs({"seed": 3, "model": {"name": "tiny"}}, seed=3)
    run_dir.write_summary({"num_theorems": 126, "sft/num_solved": 28})
    assert yaml.safe_load((run_dir.path / "config.yaml").read_text()) == {
        "seed": 3,
        "model": {"name": "tiny"},
    }
    provenance = json.loads((run_dir.path / "provenance.json").read_text())
    assert provenance["seed"] == 3
    assert provenance["git_commit"] == git_commit()
    assert run_dir.read_summary() == {"num_theorems": 126, "sft/num_solved": 28}


def test_a_run_that_starts_again_is_not_complete(tmp_path):
    run_dir = RunDir(tmp_path)
    assert not is_complete(tmp_path)
    run_dir.mark_complete()
    assert is_complete(tmp_path)
    run_dir.write_inputs({}, seed=0)
    assert not is_complete(tmp_path)


def test_an_output_directory_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as caught:
        RunDir(tmp_path / "file" / "run")
    assert str(tmp_path / "file" / "run") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_output_directory_is_refused(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(ConfigError, match="cannot be written"):
        RunDir(tmp_path)


@pytest.fixture
def package_in(tmp_path, monkeypatch):
    """The package as if it were installed in a directory of our own."""
    package = tmp_path / "ntp" / "__init__.py"
    package.parent.mkdir()
    package.write_text("")
    monkeypatch.setattr(ntp, "__file__", str(package))

    def git(*arguments):
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    return tmp_path, git


def test_git_commit_names_the_checkout_and_says_when_it_differs(package_in):
    root, git = package_in
    assert git_commit() == "unknown"
    git("init", "-q")
    git("add", "ntp")
    git("commit", "-q", "-m", "first")
    head = git("rev-parse", "HEAD")
    assert git_commit() == head
    (root / "untracked").write_text("")
    assert git_commit() == head
    (root / "ntp" / "__init__.py").write_text("changed = True\n")
    assert git_commit() == f"{head}-dirty"


def test_a_package_installed_inside_another_checkout_is_not_that_checkout(package_in, monkeypatch):
    root, git = package_in
    git("init", "-q")
    installed = root / "lib" / "ntp" / "__init__.py"
    installed.parent.mkdir(parents=True)
    installed.write_text("")
    git("add", "ntp")
    git("commit", "-q", "-m", "first")
    monkeypatch.setattr(ntp, "__file__", str(installed))
    assert git_commit() == "unknown"


def test_an_earlier_run_is_set_aside_under_the_next_free_number(tmp_path):
    path = tmp_path / "run"
    assert set_aside(path) is None
    for number in (1, 2):
        RunDir(path).write_summary({"number": number})
        assert set_aside(path) == tmp_path / f"run.{number}"
        assert RunDir(tmp_path / f"run.{number}").read_summary() == {"number": number}
    assert not path.exists()


def test_complete_runs_that_hold_a_file_are_found_the_newest_first(tmp_path):
    for age, name in enumerate(["demo-new", "demo-old", "sft-1", "demo-killed"]):
        run_dir = RunDir(tmp_path / name)
        run_dir.mark_complete()
        os.utime(tmp_path / name / "COMPLETE", (1000 - age, 1000 - age))
        (tmp_path / name / ("results-sft.jsonl" if name.startswith("demo") else "last.ckpt")).touch()
    (tmp_path / "demo-killed" / "COMPLETE").unlink()
    assert [path.name for path in complete_runs(tmp_path, "results-*.jsonl")] == ["demo-new", "demo-old"]
    assert complete_runs(tmp_path / "nowhere", "results-*.jsonl") == []
