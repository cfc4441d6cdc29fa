"""What a user can get wrong: one line that says what is wrong, where, and what to do."""

import os
import shutil
import signal
import subprocess

import pytest

from tests.processes import wait_until

pytestmark = [pytest.mark.coq, pytest.mark.slow]


def test_no_experiment(cli):
    assert "+experiment=NAME" in cli.fail()


def test_coq_missing(cli, small, tmp_path):
    line = cli.fail("+experiment=extract_coq", *small, f"paths.outputs={tmp_path}", PATH="/nowhere")
    assert "apt-get install coq" in line


def test_no_such_files(cli, small, tmp_path):
    where = f"paths.outputs={tmp_path}"
    line = cli.fail("+experiment=extract_coq", *small, "data.include=[Nowhere/*.v]", where)
    assert "Nowhere" in line


def test_a_budget_of_nothing(cli, small, sft_policy):
    line = cli.fail(
        "+experiment=search_eval", *small, f"policy.checkpoint={sft_policy}", "search.sampling.num_samples=0"
    )
    assert "0" in line
    assert "search.sampling.num_samples=0 is out of range: give a number of at least 1" in line


def test_a_checkpoint_of_another_model(cli, small, sft_policy):
    line = cli.fail(
        "+experiment=search_eval", *small, f"policy.checkpoint={sft_policy}", "model.hidden_size=64"
    )
    assert "another model" in line
    assert str(sft_policy) in line


def test_a_corrupt_line_is_named(cli, small, sft_policy, tmp_path):
    shutil.copytree(cli.outputs, tmp_path, dirs_exist_ok=True)
    (extraction,) = tmp_path.glob("extract_coq-*")
    theorems = extraction / "theorems.jsonl"
    lines = theorems.read_text().splitlines()
    lines[4] = lines[4][:40]
    theorems.write_text("\n".join(lines) + "\n")
    line = cli.fail("+experiment=sft", *small, "trainer.max_steps=3", f"paths.outputs={tmp_path}")
    assert f"{theorems}:5" in line


def test_an_empty_split(cli, small, sft_policy, tmp_path):
    line = cli.fail("+experiment=sft", *small, "data.split.test_files=['**','*']")
    assert "train" in line


def test_an_output_directory_that_cannot_be_made(cli, small, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    line = cli.fail("+experiment=extract_coq", *small, f"paths.outputs={blocked}/outputs")
    assert "cannot be written" in line


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 200 kB, and what gives it more room."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        return subprocess.run(command, capture_output=True, text=True)

    if mount("size=200k").returncode:
        pytest.skip("no file system can be mounted (root may)")
    yield disk, lambda: mount("remount,size=16m")
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_fills(cli, small, small_disk, tmp_path):
    disk, give_room = small_disk
    arguments = ["+experiment=extract_coq", *small, f"paths.outputs={disk}"]
    arguments += [f"tracking.uri=sqlite:///{tmp_path}/mlflow.db", "resume=true"]
    line = cli.fail(*arguments)
    assert "No space left on device" in line and "resume=true" in line
    kept = [(path, path.stat().st_mtime_ns) for path in disk.glob("extract_coq-*/shards/*.json")]
    assert kept, "files that were extracted before"
    give_room()
    assert (cli.succeed(*arguments) / "theorems.jsonl").is_file()
    assert kept == [(path, path.stat().st_mtime_ns) for path, _ in kept]


def test_ctrl_c(cli, small, tmp_path):
    """At a moment of no particular kind: one line, status 130, and no prover left behind."""
    arguments = [
        "+experiment=extract_coq",
        *small,
        "data.include=[Arith/*.v,Bool/*.v]",
        f"paths.outputs={tmp_path}",
    ]
    process = cli.begin(*arguments, start_new_session=True)
    assert wait_until(lambda: list(tmp_path.glob("extract_coq-*/shards/*.json")), 120)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors, errors[-3000:]
    assert "resume=true" in errors.splitlines()[-1]
    kept = len(list(tmp_path.glob("extract_coq-*/shards/*.json")))
    assert kept > 0
