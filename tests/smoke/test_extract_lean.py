"""A Lake project from its sources to the formats of other systems, by the command line alone."""

import json

import pytest

from ntp.data.dataset import Dataset
from ntp.data.formats.kinds import KINDS
from ntp.data.repositories import Collection
from ntp.envs.lean.client import LeanServer
from tests.fixtures.lake import BASIC, SMALL, STANDIN, USER, make_repl, write_lake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("lake") / "small", SMALL)


@pytest.fixture(scope="module")
def options(project):
    return [
        "data=lean_project",
        "env=lean_repl",
        f"env.project={project}",
        f"env.command=[{','.join(STANDIN)}]",
        "export.import_lines=[import Std,From Coq Require Import Arith.]",
    ]


@pytest.fixture(scope="module")
def exported(own_cli, options):
    return own_cli.succeed("+experiment=export", *options)


@pytest.fixture
def rows(exported):
    """The rows of a kind for a module."""

    def read(kind, module):
        path = exported / "small" / KINDS[kind].folder / f"{module}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    return read


def test_every_format_is_written_and_nothing_is_without_a_source(exported):
    summary = json.loads((exported / "summary.json").read_text())
    assert summary == {
        "num_files": 2, "num_files_without_source": 0, "num_tactic_prediction": 15, "num_full_proof": 5,
        "num_full_proof_with_states": 5, "num_state_comments": 2, "num_premises": 5,
        "num_training_data_with_premises": 15, "num_declarations": 7, "num_imports": 2,
        "num_with_imports": 2, "num_minictx": 5,
    }  # fmt: skip


def test_texts_are_cut_where_they_stand(rows):
    tactics = rows("tactic_prediction", "Small.Basic")
    assert all(BASIC.startswith(row["srcUpToTactic"]) for row in tactics)
    assert tactics[1]["declUpToTactic"].endswith(":= by\n  constructor\n  · ")
    for row in [*rows("full_proof", "Small.Basic"), *rows("full_proof", "Small.User")]:
        text = BASIC if row["module"] == "Small.Basic" else USER
        assert text.startswith(row["srcUpToDecl"] + row["decl"] + row["proof"])
        assert row["proof"].startswith(":=")
    (context,) = rows("minictx", "Small.User")
    assert context["srcContext"] == USER[: USER.index("theorem")]
    assert context["dependencyMetadata"]["numRepositoryPremises"] == 1


def test_premises_come_from_the_text_and_from_what_tactics_use(rows):
    have, inner, last = rows("training_data_with_premises", "Small.User")
    assert inner["nextTacticExplicitPremises"] == inner["nextTacticTermPremises"] == ["Small.swap"]
    assert "And.left" in last["nextTacticTermPremises"] and have["declId"] == "user"
    assert "Small.swap" in last["declTermPremises"] and last["nextTacticExplicitLocalHypotheses"] is None
    (used,) = rows("premises", "Small.User")
    assert {"name": "Small.swap", "explicit": True, "direct": True} in used["dependents"]
    swap = {row["name"]: row for row in rows("declarations", "Small.Basic")}["Small.swap"]
    assert (swap["doc"], swap["line"], swap["isProp"]) == ("Two halves.", 7, True)
    assert swap["type"] == "∀ (p q : Prop) (h : p ∧ q), q ∧ p"
    assert {"name": "Small.Basic", "isDirect": True} in rows("imports", "Small.User")


def test_sources_with_comments_and_imports_are_still_accepted(exported, project):
    repl = make_repl(project)
    server = LeanServer(repl.project, repl.limits, 60.0, 100)
    try:
        for folder in ("StateComments", "WithImports"):
            for name in ("Small.Basic", "Small.User"):
                text = (exported / f"small/{folder}/{name}.lean").read_text()
                assert text not in SMALL.values()
                assert not server.command(text, None, 60.0).error, (folder, name)
    finally:
        server.stop()
    assert "/-\n      case left\n" in (exported / "small/StateComments/Small.Basic.lean").read_text()


def test_two_runs_write_the_same_bytes(own_cli, options, exported, tmp_path):
    again = own_cli.with_outputs(tmp_path).succeed("+experiment=export", *options)
    files = sorted(path.relative_to(exported) for path in (exported / "small").rglob("*") if path.is_file())
    assert len(files) == 2 * len(KINDS) + 3
    for file in files:
        assert (again / file).read_bytes() == (exported / file).read_bytes(), file


def test_instructions_show_premises_before_the_theorem_only(own_cli, options, exported):
    split = "data.split={kind: all}"
    kinds = "instructions.kinds=[context_state_tactic,premises_state_tactic,full_proof]"
    written = own_cli.succeed("+experiment=instructions", *options, split, kinds)
    lines = [
        json.loads(line)
        for path in written.glob("premises_state_tactic_*.jsonl")
        for line in path.read_text().splitlines()
    ]
    shown = {row["metadata"]["declId"]: row["prompt"] for row in lines}
    assert "theorem both" not in shown["Small.swap"] and "Lean 4" in shown["Small.swap"]
    assert "swap" in shown["Small.cases"]


def test_an_edit_is_extracted_again(own_cli, options, exported, project, tmp_path):
    (first,) = own_cli.outputs.glob("extract_lean-*")
    kept = (project / "Small/Broken.lean").read_text()
    (project / "Small/Broken.lean").write_text("theorem whole (p : Prop) (h : p) : p := by\n  exact h\n")
    try:
        second = own_cli.succeed("+experiment=extract_lean", *options)
    finally:
        (project / "Small/Broken.lean").write_text(kept)
    assert second != first and "whole" in Dataset.load(second).records


def test_what_is_missing_is_one_line(own_cli, options):
    data = ["+experiment=extract_lean", "data=lean_project"]
    assert "env=lean_repl env.project=DIRECTORY" in own_cli.fail(*data)
    assert "env=lean_repl env.project=DIRECTORY" in own_cli.fail(*data, "env=lean_repl")
    gone = own_cli.fail(*data, "env=lean_repl", "env.project=/nowhere")
    assert "env.project=/nowhere is no directory" in gone
    none = own_cli.fail("+experiment=extract_lean", *options, "data.include=[X.lean]")
    assert "no file of" in none and "matches ['X.lean']" in none


def test_repositories_of_a_list_are_extracted_the_same_way(own_cli, options, exported, project, tmp_path):
    made = (Dataset.load(path.parent).records for path in own_cli.outputs.glob("extract_lean-*/COMPLETE"))
    (records,) = (found for found in made if "user" in found and "whole" not in found)
    write_lake(tmp_path / "bad", {"A.lean": "import Nowhere\n"})
    (tmp_path / "list.yaml").write_text(
        f"- {{name: small, path: {project}, prover: lean, licence: MIT}}\n"
        "- {name: bad, path: bad, prover: lean}\n- {name: old, path: bad}\n"
    )
    env = [option for option in options if not option.startswith(("data", "env.project"))]
    made = own_cli.succeed("+experiment=extract_repos", *env, f"data.repos={tmp_path}/list.yaml")
    results = {result.name: result for result in Collection.load(made).results}
    assert "is not built: run `lake build` there" in results["bad"].reason
    assert "env=coq" in results["old"].reason
    dataset = Dataset.load(made / "small")
    assert dataset.origin.licence == "MIT"
    assert dataset.records == records
    exported = own_cli.succeed("+experiment=export", *env, "data=repos", f"data.repos={tmp_path}/list.yaml")
    assert (exported / "small/minictx.jsonl").stat().st_size > 0
