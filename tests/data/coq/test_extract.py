import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from ntp.data.coq.extract import extract
from ntp.data.dataset import Dataset
from ntp.data.file_shards import SHARDS
from ntp.envs.coq.installation import CoqInstallation
from ntp.envs.coq.project import CoqProject, standard_library
from ntp.errors import DataError, EnvError
from ntp.sandbox.proc import descendants
from ntp.types import Goal
from tests.processes import alive, wait_until

pytestmark = pytest.mark.coq

JSONL = ("theorems.jsonl", "premises.jsonl", "files.jsonl", "metadata.json")
DRIVER = """
import sys
from pathlib import Path
from ntp.data.coq.extract import extract
from ntp.envs.coq.project import standard_library
if __name__ == "__main__":
    extract(standard_library(), Path(sys.argv[1]), sys.argv[2:], num_workers=1)
"""


@pytest.fixture(scope="module")
def small(small_extraction):
    return small_extraction[0]


def steps_of(dataset, name):
    return dataset.records[f"Small.{name}"].steps


def test_the_theorems_are_those_with_tactic_proofs(small):
    assert {i: (r.kind, r.closing, len(r.steps)) for i, r in small.records.items()} == {
        "Small.Base.Facts.twice_fst": ("Lemma", "Qed", 2),
        "Small.Base.default_pair": ("Instance", "Defined", 1),
        "Small.Base.by_tactic": ("Definition", "Defined", 1),
        "Small.sub.Proofs.Outer.local": ("Let", "Qed", 1),
        "Small.sub.Proofs.Outer.in_section": ("Lemma", "Qed", 3),
        "Small.sub.Proofs.Outer.again": ("Lemma", "Qed", 1),
        "Small.sub.Proofs.ünïcode": ("Lemma", "Qed", 2),
        "Small.sub.Proofs.string_dot": ("Lemma", "Qed", 2),
        "Small.sub.Proofs.with_auto": ("Lemma", "Qed", 1),
        "Small.sub.Proofs.side_effects": ("Lemma", "Qed", 2),
        "Small.sub.Proofs.uses": ("Lemma", "Qed", 4),
        "Small.sub.Proofs.big_obligation_1": ("Next Obligation", "Qed", 1),
        "Small.sub.Proofs.fst_twice": ("Lemma", "Qed", 1),
    }


def test_offsets_are_into_the_source(small, small_project):
    for record in small.records.values():
        source = small_project.read(record.theorem.file)
        theorem = record.theorem
        assert source[theorem.declaration.begin : theorem.declaration.end] == theorem.statement
        assert theorem.proof.begin == theorem.declaration.end
        assert source[: theorem.proof.end].endswith(record.closing + ".")
        for step in record.steps:
            assert theorem.proof.begin <= step.span.begin < step.span.end <= theorem.proof.end
            # Up to comments and blanks, the tactic is the source.
            text = re.sub(r"\(\*.*?\*\)", "", source[step.span.begin : step.span.end])
            assert text.split() == step.tactic.split()


def test_steps_carry_goals_without_focus(small):
    split, first, second = steps_of(small, "sub.Proofs.Outer.in_section")
    goal = Goal(("P : nat -> Prop", "HP, local : P 0"), "P 0")
    assert (split.before.conclusion, split.num_other_goals) == ("P 0 /\\ P 0", 0)
    assert (split.after, split.num_goals_after) == (goal, 2)
    # After the bullet's goal is solved the other one is the first.
    assert (first.before, first.num_other_goals, first.after, first.num_goals_after) == (goal, 1, goal, 1)
    assert (second.tactic, second.after, second.num_goals_after) == ("assumption.", None, 0)


def test_consecutive_steps_meet(small):
    for record in small.records.values():
        for step, following in zip(record.steps, record.steps[1:], strict=False):
            assert (step.after, step.num_goals_after) == (following.before, following.num_other_goals + 1)
        assert record.steps[-1].num_goals_after == 0


def test_texts_are_cleaned(small):
    assert [s.tactic for s in steps_of(small, "sub.Proofs.ünïcode")] == ["rewrite sum_comm .", "reflexivity."]
    assert steps_of(small, "sub.Proofs.string_dot")[0].tactic == 'idtac "a. b" .'
    assert steps_of(small, "sub.Proofs.with_auto")[0].tactic == "split..."


def test_premises_are_full_names_with_their_files(small):
    named = {use.full_name: use.file for r in small.records.values() for s in r.steps for use in s.premises}
    assert named == {
        "Small.sub.Proofs.Outer.in_section": "sub/Proofs.v",
        "Small.Base.sum_comm": "Base.v",
        "Small.Base.NatFacts.twice_fst": "Base.v",
        "Coq.Init.Logic.f_equal2": "Coq/Init/Logic.v",
        "Coq.Init.Logic.eq_refl": "Coq/Init/Logic.v",
        "Coq.Init.Datatypes.pair": "Coq/Init/Datatypes.v",
        "Coq.Arith.PeanoNat.Nat.add_comm": "Coq/Arith/PeanoNat.v",
    }


def test_every_premise_used_is_in_the_corpus(small):
    corpus = {premise.full_name: premise for premise in small.premises}
    assert len(corpus) == len(small.premises)
    derived = corpus["Small.Base.NatFacts.twice_fst"]
    assert (derived.kind, derived.span) == ("derived", None)
    assert derived.statement == "forall x : Base.NatCarrier.t, fst (Base.NatFacts.twice x) = x"
    outside = corpus["Coq.Arith.PeanoNat.Nat.add_comm"]
    assert (outside.kind, outside.statement) == ("external", "forall n m : nat, n + m = m + n")
    used = {use.full_name for r in small.records.values() for s in r.steps for use in s.premises}
    assert used <= corpus.keys()
    assert "Small.sub.Proofs.dropped" not in corpus
    assert "Small.sub.Proofs.given_up" in corpus


def test_files_and_their_imports(small):
    files = {file.path: file for file in small.files}
    assert list(files) == ["Base.v", "Broken.v", "Empty.v", "Open.v", "sub/Proofs.v"]
    assert files["sub/Proofs.v"].imports == ("Base.v", "Coq.Arith.Arith", "Coq.Program.Program")
    assert (files["Empty.v"].num_sentences, files["Empty.v"].error) == (0, "")
    assert files["sub/Proofs.v"].num_theorems == 10


def test_a_file_that_does_not_replay_is_counted_and_named(small, small_extraction):
    summary = small_extraction[1]
    assert summary.num_files == 5
    assert summary.num_failed_files == small.metadata.num_failed_files == 2
    assert summary.failures == (
        'Broken.v:6:3: Unable to unify "1" with "0".',
        "Open.v:1:9: the comment is not closed",
    )


def test_metadata_counts_what_is_there(small):
    metadata = small.metadata
    records = small.records.values()
    assert metadata.num_theorems == len(records) == 13
    assert metadata.num_steps == sum(len(record.steps) for record in records)
    assert metadata.num_premises == len(small.premises)
    assert re.fullmatch(r"8\.\d+\.\d+", metadata.prover_version)


def test_two_runs_write_the_same_bytes(small, small_project, tmp_path):
    extract(small_project, tmp_path, ["**/*.v"], num_workers=1)
    for name in JSONL:
        assert (tmp_path / name).read_bytes() == (small.directory / name).read_bytes()


def test_only_what_changed_is_replayed_again(small_project, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(small_project.root, root)
    project = CoqProject(root, small_project.load_paths)
    first = extract(project, tmp_path / "out", ["Base.v", "Empty.v"])
    assert first.num_resumed_files == 0
    with (root / "Empty.v").open("a") as file:
        file.write("Lemma new : True. exact I. Qed.")
    second = extract(project, tmp_path / "out", ["Base.v", "Empty.v"])
    assert (second.num_resumed_files, second.num_theorems) == (1, first.num_theorems + 1)
    # A damaged shard is made again.
    for shard in (tmp_path / "out" / SHARDS).iterdir():
        shard.write_text("{")
    assert extract(project, tmp_path / "out", ["Base.v", "Empty.v"]).num_resumed_files == 0


def test_selection_by_globs(small_project, tmp_path):
    summary = extract(small_project, tmp_path, ["*.v", "sub/*.v"], ["B*.v", "Open.v"])
    assert [file.path for file in Dataset.load(tmp_path).files] == ["Empty.v", "sub/Proofs.v"]
    # What is declared in files that were left out is still found when it is used.
    premises = {p.full_name: p for p in Dataset.load(tmp_path).premises}
    assert premises["Small.Base.sum_comm"].span is not None
    assert summary.num_failed_files == 0


def test_no_file_selected(small_project, tmp_path):
    with pytest.raises(DataError, match=r"no file of .* matches"):
        extract(small_project, tmp_path, ["nothing/*.v"])


def test_all_files_fail(small_project, tmp_path):
    with pytest.raises(DataError, match=r"none of 2 files replays; Broken\.v:6:3: Unable to unify"):
        extract(small_project, tmp_path, ["Broken.v", "Open.v"])
    assert not (tmp_path / "metadata.json").exists()


def test_two_files_of_one_name(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.v").write_text("Lemma l : True. exact I. Qed.")
    with pytest.raises(DataError, match=r"a/x\.v and b/x\.v are both called x"):
        extract(CoqProject(tmp_path), tmp_path / "out", ["**/*.v"])


def test_coq_is_missing(small_project, tmp_path):
    with pytest.raises(EnvError, match="was not found"):
        extract(CoqProject(small_project.root, prover=CoqInstallation("no-such-coq")), tmp_path, ["**/*.v"])


def test_an_output_directory_that_cannot_be_written(small_project, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        extract(small_project, tmp_path / "out", ["Empty.v"])


def test_a_standard_library_file_against_an_independent_count(tmp_path):
    project = standard_library()
    summary = extract(project, tmp_path, ["Bool/Bool.v"])
    source = re.sub(r"\(\*.*?\*\)", "", (project.root / "Bool/Bool.v").read_text(), flags=re.DOTALL)
    proofs = re.findall(r"\bProof\.(.*?)\b(?:Qed|Defined)\.", source, re.DOTALL)
    tactics = [t for proof in proofs for t in re.split(r"\.(?=\s|$)", proof) if t.strip(" \n\t-+*{}")]
    assert (summary.num_theorems, summary.num_steps) == (len(proofs), len(tactics)) == (123, 131)
    dataset = Dataset.load(tmp_path)
    record = dataset.records["Coq.Bool.Bool.andb_true_iff"]
    assert record.module == "Coq.Bool.Bool"
    assert str(record.steps[0].before) == "⊢ forall b1 b2 : bool, b1 && b2 = true <-> b1 = true /\\ b2 = true"


FILES = ("Bool/Bool.v", "Arith/PeanoNat.v", "Bool/BoolEq.v", "Init/Logic.v")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    directory = tmp_path_factory.mktemp("fresh")
    extract(standard_library(), directory, FILES, num_workers=2)
    return directory


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_goes_on_where_it_was(tmp_path, fresh, kill):
    directory = tmp_path / "out"
    shards = directory / SHARDS
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    process = subprocess.Popen([sys.executable, str(driver), str(directory), *FILES], start_new_session=True)
    # The largest file comes first and is done when the second one is under way.
    assert wait_until(lambda: process.poll() is not None or any(shards.glob("*.json")), 60)
    started = [process.pid, *descendants(process.pid)]
    os.killpg(process.pid, kill) if kill == signal.SIGINT else process.kill()
    process.wait(30)
    assert wait_until(lambda: not any(map(alive, started)), 60)
    stored = {shard: shard.stat().st_mtime_ns for shard in shards.glob("*.json")}
    assert stored
    summary = extract(standard_library(), directory, FILES)
    assert len(stored) <= summary.num_resumed_files < len(FILES)
    assert all(shard.stat().st_mtime_ns == mtime for shard, mtime in stored.items())
    for name in JSONL:
        assert (directory / name).read_bytes() == (fresh / name).read_bytes()
