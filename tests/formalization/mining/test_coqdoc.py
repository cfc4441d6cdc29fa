import subprocess
from dataclasses import replace

import pytest

from ntp.envs.coq.build_files import LoadPath
from ntp.envs.coq.project import standard_library
from ntp.errors import DataError
from ntp.formalization.mining.candidates import part_of_file, why_left_out
from ntp.formalization.mining.coqdoc import documentation, find_candidates
from ntp.formalization.mining.library import Shares, mine_library, training_texts

SHARES = Shares(seed=0, valid=0.2, test=0.3)
SOURCE = """
(** * Numbers *)
Require Import Arith.

(** Adding zero to a number
    changes nothing. *)
Lemma add_zero : forall n : nat, n + 0 = n. (* how *)
Proof. auto. Qed.

(** Only a heading *)

Definition k := 3.

Lemma undocumented : k = 3.
Proof. reflexivity. Qed.

(* A plain comment is for the reader of the code. *)
Lemma plain : k = 3.
Proof. reflexivity. Qed.

(** Properties of multiplication *)
Lemma of_group : k * 1 = k.
Proof. reflexivity. Qed.

Section S.
  Variables (A : Type) (f : A -> A).
  Hypothesis idempotent : forall x, f (f x) = f x.
  Let twice x := f (f x).
  (** Three times an idempotent function is the same as once *)
  Theorem thrice (x : A) : f (twice x) = f x.
  Proof. unfold twice. now rewrite !idempotent. Qed.
End S.

Module Inner.
  Local Notation "x +++ y" := (x + y + 1) (at level 50).
  (** The sum with one more is commutative *)
  Lemma comm : forall a b, a +++ b = b +++ a.
  Proof. intros. now rewrite (Nat.add_comm a b). Qed.
End Inner.

Module Type HasZero. Parameter t : Type. Parameter zero : t. End HasZero.

Module Facts (Import Z : HasZero).
  (** Every zero is equal to itself *)
  Lemma zero_self : zero = zero.
  Proof. reflexivity. Qed.
End Facts.

(** Repeats what was said of zero before *)
Theorem again : forall m : nat, m + 0 = m.
Proof. auto. Qed.
"""


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        ("\n(** A group\n  has a unit *)\n\n", "A group has a unit"),
        ("(** first *) (** second one *)\n", "second one"),
        ("(** doc (* inner *) more *)\n", "doc (* inner *) more"),
        ("(** doc **)\n", "doc"),
        ("(** doc *)\n\n\n\n", None),
        ("(** doc *) (* note *)\n", None),
        ("(*** banner ***)\n", None),
        ("(** * Heading *)\n", None),
        ("(** code << x >> *)\n", None),
        ("(**)\n", None),
        ("\n\n", None),
    ],
)
def test_the_documentation_before_a_statement(gap, text):
    assert documentation(gap) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The sum of two even numbers is even", ""),
        ("Some properties of addition", "of a group"),
        ("Basic lemmas", "of a group"),
        ("printing <= $leq$", "a note"),
        ("Addition", "too short"),
        ("word " * 400, "too long"),
    ],
)
def test_comments_that_say_nothing_of_one_statement(text, reason):
    assert why_left_out(text) == reason


def test_a_file_is_in_one_part_and_the_shares_are_kept():
    parts = [part_of_file(f"Dir/File{i}.v", 0, 0.2, 0.3) for i in range(2000)]
    assert abs(parts.count("test") / 2000 - 0.3) < 0.05 and abs(parts.count("valid") / 2000 - 0.2) < 0.05
    assert part_of_file("A.v", 1, 0.2, 0.3) == part_of_file("A.v", 1, 0.2, 0.3)


@pytest.fixture
def build(write_project):
    """A project whose files are compiled, as the user's are."""

    def make(files):
        project = replace(write_project(files), load_paths=(LoadPath("-R", ".", "Lib"),))
        for file in files:
            command = [*project.compiler_command(file), file]
            subprocess.run(command, cwd=project.root, check=not file.startswith("Bad"), capture_output=True)
        return project

    return make


@pytest.mark.coq
def test_pairs_of_a_project(build, tmp_path):
    project = build({"Own.v": SOURCE, "Bad.v": "(* open"})
    pairs, left_out = mine_library(project, tmp_path / "out", ["Own.v", "Bad.v"], SHARES)
    names = {pair.id.partition(":")[0].rpartition(".")[2]: pair for pair in pairs}
    assert set(names) == {"add_zero", "thrice", "comm", "zero_self"}
    assert names["add_zero"].informal == "Adding zero to a number changes nothing."
    assert names["add_zero"].formal == "Lemma add_zero : forall n : nat, n + 0 = n."
    assert "Section S." in names["thrice"].header and "idempotent" in names["thrice"].header
    assert len({pair.split for pair in pairs}) == 1
    assert {pair.prover for pair in pairs} == {"coq"}
    assert (left_out["of a group"], left_out["repeated"], left_out["file cannot be read"]) == (1, 1, 1)


@pytest.mark.coq
def test_a_second_run_reads_what_is_stored(build, tmp_path):
    project = build({"Own.v": SOURCE})
    first, _ = mine_library(project, tmp_path / "out", ["Own.v"], SHARES)
    (shard,) = (tmp_path / "out" / "shards").glob("*.json")
    shard.write_text(shard.read_text().replace("changes nothing", "CHANGED"))
    second, _ = mine_library(project, tmp_path / "out", ["Own.v"], SHARES)
    assert [pair.formal for pair in second] == [pair.formal for pair in first]
    assert any("CHANGED" in pair.informal for pair in second)


@pytest.mark.coq
def test_a_library_without_documentation_is_refused(write_project, tmp_path):
    project = write_project({"Own.v": "Lemma a : True. Proof. exact I. Qed."})
    with pytest.raises(DataError, match="no documented statement in 1 files"):
        mine_library(project, tmp_path / "out", ["Own.v"], SHARES)


@pytest.mark.coq
def test_the_standard_library_documents_its_lemmas():
    candidates, left_out = find_candidates(standard_library(), "ZArith/Znumtheory.v")
    assert len(candidates) > 10 and sum(left_out.values()) > 0
    assert any("relatively prime" in candidate.informal for candidate in candidates)


@pytest.mark.coq
def test_texts_of_held_out_files_are_not_trained_on(write_project):
    files = {f"F{i}.v": f"(** doc {i} *)\nDefinition d{i} := {i}.\n" * 40 for i in range(12)}
    project = write_project(files)
    parts = {file: part_of_file(file, 0, 0.2, 0.3) for file in files}
    assert set(parts.values()) == {"train", "valid", "test"}
    texts = list(training_texts(project, sorted(files), SHARES, 300))
    for file, part in parts.items():
        number = file[1:-2]
        found = "".join(text for text in texts if f"d{number} :=" in text)
        assert found.count(f"Definition d{number} ") == (40 if part == "train" else 0)
    assert max(map(len, texts)) < 600
