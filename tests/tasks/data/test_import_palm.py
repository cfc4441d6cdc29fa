"""PALM's projects become sources that Coq compiles, or a line in the table that says why not."""

import json

import pytest

from ntp.jsonl import read_jsonl
from ntp.tasks.data.import_palm import BUILT, FAILED, PARTLY, PROJECTS, THEOREMS, PalmResult, run

pytestmark = pytest.mark.coq


def source(*lines):
    return {"code": list(lines), "theorems": [{"name": "a", "kind": "Lemma", "begin": 0, "end": 2}]}


GOOD = source("Lemma a : True.", "Proof. exact I.", "Qed.")
OLD = source("Lemma a : 1 < 2.", "Proof. omega.", "Qed.")


@pytest.fixture
def palm(tmp_path):
    folder = tmp_path / "palm"
    files = {
        "good": {
            "A": GOOD,
            "B": source("From G Require Import A.", "Lemma b : True.", "Proof. exact a. Qed."),
        },
        "old": {
            "A": OLD,
            "Z": source("From O Require Import A.", "Lemma z : True.", "Proof. exact I. Qed."),
            "C": GOOD,
        },
        "bad": {"A": OLD},
    }
    for project, modules in files.items():
        (folder / project).mkdir(parents=True)
        for name, content in modules.items():
            (folder / project / f"{name}.json").write_text(json.dumps(content))
    table = {"good": ["-R . G", "x"], "old": ["-R . O", "x"], "bad": ["-Q . B", "x"]}
    (folder / "path.json").write_text(json.dumps(table))
    return folder


def test_projects_are_built_or_say_why_not(palm, make_context):
    context = make_context("import_palm", f"data.path={palm}")
    summary = run(context)
    results = {result.name: result for result in read_jsonl(context.directory / PROJECTS, PalmResult)}
    assert {name: result.status for name, result in results.items()} == {
        "good": BUILT,
        "old": PARTLY,
        "bad": FAILED,
    }
    assert results["good"].reason == ""
    assert "omega was not found" in results["old"].reason
    assert results["old"].num_failed_files == results["old"].num_failed_theorems == 2
    assert (context.directory / "good" / "B.vo").exists()
    assert summary["num_theorems"] == 6
    assert len((context.directory / THEOREMS).read_text().splitlines()) == 6
