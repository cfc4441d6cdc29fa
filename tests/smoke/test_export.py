"""A data set in the formats of other systems, from the command line, on a project whose values are known."""

import json
import shutil
import subprocess

import pytest

from ntp.data.dataset import Dataset
from ntp.data.formats.size import least_bytes, require_space
from ntp.errors import ConfigError

pytestmark = [pytest.mark.coq, pytest.mark.slow]

SMALL = """Require Import Arith.

Section S.
Variable n : nat.

(** Twice a number. *)
Definition twice (m : nat) : nat := m + m.

Lemma twice_0 : twice 0 = 0.
Proof. reflexivity. Qed.

Lemma both (H : n = n) : twice 0 = 0 /\\ "(*"%string = "(*"%string.
Proof.
  split.
  - apply twice_0.
  - reflexivity.
Qed.

Lemma exactly (H : twice n = 0) : twice n = 0.
Proof. now rewrite H. Qed.
End S.
""".replace("Arith.\n", "Arith String.\n").replace("\\\\", "\\")
USER = """From P Require Small.
Lemma user : Small.twice 0 = 0.
Proof.
  exact Small.twice_0.
Qed.
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "_CoqProject").write_text("-R . P\nSmall.v\nUser.v\n")
    (root / "Small.v").write_text(SMALL)
    (root / "User.v").write_text(USER)
    for name in ("Small", "User"):
        subprocess.run(["coqc", "-R", ".", "P", f"{name}.v"], cwd=root, check=True)
    return root


@pytest.fixture(scope="module")
def options(project):
    return [f"env.root={project}", "data.include=['**/*.v']", "export.name=p"]


@pytest.fixture(scope="module")
def exported(own_cli, options):
    return own_cli.succeed("+experiment=export", *options)


@pytest.fixture
def rows(exported):
    """The rows of a kind for a module, by the value of a key."""

    def read(kind, module, key="declName"):
        lines = (exported / "p" / kind / f"P.{module}.jsonl").read_text().splitlines()
        found = {}
        for row in map(json.loads, lines):
            found.setdefault(row[key], []).append(row)
        return found

    return read


def test_tactics_stand_where_they_stand(rows):
    split, apply, reflexivity = rows("TacticPrediction", "Small", "declId")["P.Small.both"]
    assert list(split) == ["state", "nextTactic", "srcUpToTactic", "declUpToTactic", "decl", "declId"]
    assert split["nextTactic"] == "split."
    assert SMALL.startswith(split["srcUpToTactic"] + "split.")
    assert split["declUpToTactic"].startswith("Lemma both") and split["declUpToTactic"].endswith("Proof.\n  ")
    assert apply["state"] == "n : nat\nH : n = n\n⊢ twice 0 = 0"
    assert apply["declUpToTactic"].endswith("split.\n  - ")
    assert reflexivity["srcUpToTactic"].endswith("apply twice_0.\n  - ")


def test_proofs_continue_what_stands_before_them(rows):
    for name in ("FullProof", "FullProofWithStates"):
        (row,) = rows(name, "Small")["P.Small.exactly"]
        assert list(row) == ["file", "module", "declName", "decl", "proof", "srcUpToDecl"]
        assert row["decl"] == "Lemma exactly (H : twice n = 0) : twice n = 0.\n"
    (row,) = rows("FullProof", "Small")["P.Small.exactly"]
    assert row["proof"] == "Proof. now rewrite H. Qed."
    assert SMALL.startswith(row["srcUpToDecl"] + row["decl"] + row["proof"])
    (row,) = rows("FullProofWithStates", "User")["P.User.user"]
    assert row["proof"] == (
        "Proof.\n  (*\n    ⊢ Small.twice 0 = 0\n  *)\n  exact Small.twice_0.\n"
        "  (*\n    🎉 no goals\n  *)\nQed."
    )


def test_commented_sources_compile_to_what_they_were(exported, project, tmp_path):
    for name in ("Small", "User"):
        text = (exported / f"p/StateComments/P.{name}.v").read_text()
        assert "( *" in text or name == "User", "a delimiter in a state would end or open a comment"
        (tmp_path / f"{name}.v").write_text(text)
        subprocess.run(["coqc", "-R", ".", "P", f"{name}.v"], cwd=tmp_path, check=True)


def test_premises_come_from_the_kernel_and_from_the_text(rows):
    uses = rows("Premises", "User", "name")["P.User.user"][0]["dependents"]
    assert {"name": "P.Small.twice_0", "explicit": True, "direct": True} in uses
    assert {"name": "P.Small.twice", "explicit": False, "direct": True} in uses, "of the type"
    assert rows("Premises", "Small", "name")["P.Small.twice"][0]["dependents"] == [
        {"name": "Coq.Init.Datatypes.nat", "explicit": False, "direct": True},
        {"name": "Coq.Init.Nat.add", "explicit": False, "direct": True},
    ]


def test_the_eighteen_fields(rows):
    split, apply, reflexivity = rows("TrainingDataWithPremises", "Small")["P.Small.both"]
    assert len(split) == 6 + 18
    twice_0 = ["P.Small.twice_0"]
    assert apply["nextTacticTermPremises"] == apply["nextTacticExplicitPremises"] == twice_0
    assert apply["nextTacticHammerRecommendation"] == apply["nextTacticAllPremises"] == twice_0
    assert apply["termPremisesToEndOfGoal"] == twice_0, "the goal ends with this tactic"
    assert split["nextTacticExplicitPremises"] == []
    assert split["explicitPremisesToEndOfGoal"] == split["hammerRecommendationToEndOfGoal"] == twice_0
    assert "Coq.Init.Logic.conj" in split["nextTacticTermPremises"]
    assert twice_0[0] in split["declTermPremises"] and split["declExplicitConstants"] == twice_0
    assert reflexivity["nextTacticTermPremises"] == ["Coq.Init.Logic.eq_refl"]
    (rewrite,) = rows("TrainingDataWithPremises", "Small")["P.Small.exactly"]
    assert rewrite["nextTacticIsSimpOrRwVariant"] is True
    assert rewrite["nextTacticExplicitLocalHypotheses"] == ["H"], "a proof, unlike n"


def test_declarations_and_imports(rows, exported):
    (twice,) = rows("Declarations", "Small", "name")["P.Small.twice"]
    assert twice["typeArgs"] == ["(m : nat)"] and twice["typeBody"] == "nat"
    assert twice["type"] == "forall (m : nat), nat"
    assert twice["doc"] == "Twice a number." and twice["line"] == 7 and twice["column"] == 0
    assert twice["isProp"] is False
    assert twice["scope"] == "Require Import Arith String.\nSection S.\nVariable n : nat."
    (both,) = rows("Declarations", "Small", "name")["P.Small.both"]
    assert both["isProp"] and both["isHumanTheorem"] and both["src"].endswith("reflexivity.\nQed.")
    assert both["signature"].startswith("Lemma both (H : n = n) : twice 0 = 0")
    imports = [json.loads(line) for line in (exported / "p/Imports/P.User.jsonl").read_text().splitlines()]
    assert {"name": "P.Small", "isDirect": True} in imports
    assert {"name": "Coq.Strings.String", "isDirect": False} in imports
    with_imports = (exported / "p/WithImports/P.User.v").read_text()
    assert with_imports.endswith(USER) and with_imports.startswith("From Hammer Require Import Hammer.")


def test_ids_join_all_outputs(rows, own_cli):
    (directory,) = own_cli.outputs.glob("extract_coq-*")
    ids = {record.theorem.id for record in Dataset.load(directory).iter_theorems()}
    for kind, key in (
        ("TacticPrediction", "declId"), ("FullProof", "declName"), ("FullProofWithStates", "declName"),
        ("TrainingDataWithPremises", "declName"), ("Premises", "name"), ("Declarations", "name"),
        ("MiniCTX", "theoremName"),
    ):  # fmt: skip
        assert ids <= rows(kind, "Small", key).keys() | rows(kind, "User", key).keys(), kind


def test_what_is_written_is_accepted_and_what_is_changed_is_not(own_cli, options, exported):
    checked = own_cli.succeed("+experiment=check_export", *options)
    summary = json.loads((checked / "summary.json").read_text())
    assert summary == {
        "num_sources": 2, "num_sources_refused": 0, "num_proofs": 4, "num_proofs_refused": 0
    }  # fmt: skip
    # As if it had been interrupted after one file.
    (checked / "COMPLETE").unlink()
    small, user = (checked / "checked/p" / f"P.{name}.json" for name in ("Small", "User"))
    small.unlink()
    written = user.stat().st_mtime_ns
    assert own_cli.succeed("+experiment=check_export", *options, "resume=true") == checked
    assert json.loads((checked / "summary.json").read_text()) == summary
    assert small.exists() and user.stat().st_mtime_ns == written
    kept = {}
    for name, old, new in (
        ("FullProof/P.Small.jsonl", "apply twice_0", "apply nothing"),
        ("StateComments/P.User.v", "exact Small", "exact Smell"),
    ):
        path = exported / "p" / name
        kept[path] = path.read_text()
        path.write_text(kept[path].replace(old, new))
    try:
        again = own_cli.succeed("+experiment=check_export", *options, "force=true")
    finally:
        for path, text in kept.items():
            path.write_text(text)
    refused = [json.loads(line) for line in (again / "refused.jsonl").read_text().splitlines()]
    found = {(row["kind"], row["name"]): row["reason"] for row in refused}
    assert found.keys() == {
        ("FullProof", "P.Small.both"), ("FullProof", "P.Small.exactly"), ("StateComments", "P.User")
    }  # fmt: skip
    assert "nothing" in found["FullProof", "P.Small.both"], "and what comes after it was not reached"
    assert "Smell" in found["StateComments", "P.User"]


def test_two_runs_write_the_same_bytes(own_cli, options, exported, tmp_path):
    again = own_cli.with_outputs(tmp_path).succeed("+experiment=export", *options)
    files = sorted(path.relative_to(exported) for path in (exported / "p").rglob("*") if path.is_file())
    assert len(files) == 2 * 10 + 3
    for file in files:
        assert (again / file).read_bytes() == (exported / file).read_bytes(), file


def test_outputs_that_have_no_room_are_refused_before_anything_is_written(
    own_cli, exported, tmp_path, monkeypatch
):
    dataset = Dataset.load(next(own_cli.outputs.glob("extract_coq-*")))
    folders = {
        "full_proof": "FullProof",
        "full_proof_with_states": "FullProofWithStates",
        "minictx": "MiniCTX",
        "tactic_prediction": "TacticPrediction",
        "training_data_with_premises": "TrainingDataWithPremises",
    }
    for kind, folder in folders.items():
        size = sum(path.stat().st_size for path in (exported / "p" / folder).iterdir())
        assert 0 < least_bytes(dataset, [kind]) <= size
    assert least_bytes(dataset, ["premises", "imports"]) == 0
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    require_space([dataset], ["premises"], tmp_path)
    with pytest.raises(ConfigError, match=r"room for 0\.0 GB: choose some with export\.kinds"):
        require_space([dataset], list(folders), tmp_path)
    require_space([dataset], list(folders), exported)  # it is there already


def test_what_cannot_be_exported_is_one_line(own_cli, options):
    assert "export.kinds=['proofs']: choose some of tactic_prediction" in own_cli.fail(
        "+experiment=export", *options, "export.kinds=[proofs]"
    )
    (directory,) = own_cli.outputs.glob("extract_coq-*")
    (directory / "sources.jsonl").unlink()
    assert "was extracted before sources were kept" in own_cli.fail(
        "+experiment=export", *options, "force=true"
    )
