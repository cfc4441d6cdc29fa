"""A project of one's own, from the command line: edited, evaluated as a whole, and not built."""

import json
import subprocess

import pytest

pytestmark = [pytest.mark.coq, pytest.mark.slow]

A = "Lemma a : True. Proof. exact I. Qed.\n"
B = """From P Require Import A.
Lemma b : True. Proof. exact a. Qed.
Lemma c : 1 = 2 -> 2 = 1. Proof. auto. Qed.
"""
ONLY_ONE_SHOTS = "~evaluation.policies.policy"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "theories").mkdir()
    (root / "_CoqProject").write_text("-R theories P\ntheories/A.v\ntheories/B.v\n")
    write(root, A, B)
    return root


def write(root, *sources):
    for name, source in zip("AB", sources, strict=True):
        (root / f"theories/{name}.v").write_text(source)
        subprocess.run(["coqc", "-R", "theories", "P", f"theories/{name}.v"], cwd=root, check=True)


def test_results_follow_the_sources_and_nothing_opened_is_an_error(cli, project):
    options = [f"env.root={project}", "data.include=['**/*.v']", "env.num_workers=2"]
    evaluate = ["+experiment=search_eval", *options, ONLY_ONE_SHOTS]
    first = cli.succeed("+experiment=extract_coq", *options)
    evaluated = cli.succeed(*evaluate)
    numbers = json.loads((evaluated / "summary.json").read_text())
    assert numbers["num_theorems"] == 3, "every theorem, since nothing is trained on them"
    assert numbers["one_shot/num_solved"] == 3
    assert "3 theorems, none of them trained on" in (evaluated / "report.md").read_text()

    write(project, "(* A new line. *)\n" + A, B + "Lemma d : 2 = 2. Proof. reflexivity. Qed.\n")
    second = cli.succeed("+experiment=extract_coq", *options)
    assert second != first
    again = cli.succeed(*evaluate)
    assert json.loads((again / "summary.json").read_text())["one_shot/num_solved"] == 4

    (project / "theories/A.vo").unlink()
    half = cli(*evaluate, "force=true")
    assert half.returncode == 0
    assert "3 of 4 theorems cannot be opened; the first: " in half.stderr
    # `b` states what `a`, in the other part, does.
    only_b = cli(*evaluate, "data.split.test_files=[theories/B.v]", "data.split.val_fraction=0")
    assert only_b.returncode != 0
    assert "2 of 2 theorems cannot be opened; the first: " in only_b.stderr
    assert "Traceback" not in only_b.stderr


def test_what_is_wrong_is_said_before_anything_runs(cli, project):
    for option, message in (
        ("env.load_paths=[{flag: -R, directory: no, name: P}]", "no (P) is not a directory"),
        ("env.options=[-l]", "env.options: the option -l cannot be used"),
        (f"env.root={project}/missing", "missing is not a directory"),
    ):
        failed = cli("+experiment=search_eval", f"env.root={project}", "data.include=['**/*.v']", option)
        assert failed.returncode != 0
        assert message in failed.stderr.splitlines()[-1]
        assert "Traceback" not in failed.stderr
