"""A small Coq project that holds one of everything the extraction must understand."""

import subprocess
from pathlib import Path

import pytest

from ntp.data.coq.extract import ExtractionSummary, extract
from ntp.data.dataset import Dataset
from ntp.envs.coq.build_files import LoadPath
from ntp.envs.coq.project import CoqProject

BASE = """\
(* A comment with a "string with (* in it" and (* nested. *) dots. *)
Require Import Arith.

Module Type CARRIER. Parameter t : Set. Parameter zero : t. End CARRIER.

Module Facts (C : CARRIER).
  Definition twice (x : C.t) := (x, x).
  Lemma twice_fst : forall x, fst (twice x) = x.
  Proof. intro x. reflexivity. Qed.
End Facts.

Module NatCarrier <: CARRIER. Definition t := nat. Definition zero := 0. End NatCarrier.
Module NatFacts := Facts NatCarrier.

Inductive color : Set := red | green (n : nat) | blue : match 0 with 0 => color | S _ => nat end.

Record point := make_point { px : nat; py : nat }.
Class Default (A : Type) := default : A.
#[global] Instance default_nat : Default nat := 0.
#[global] Instance default_pair : Default (nat * nat).
Proof. split; exact 0. Defined.

Notation "x ⊕ y" := (x + y) (at level 50, left associativity).
Notation sum_comm := Nat.add_comm (only parsing).
Definition by_term : 0 = 0 := eq_refl.
Definition by_tactic : nat.
Proof. exact 1. Defined.
Fixpoint even n := match n with 0 => true | S m => odd m end
with odd n := match n with 0 => false | S m => even m end.
Axioms (ax1 ax2 : 0 = 0) (ax3 : 1 = 1).
"""

PROOFS = """\
From Small Require Import Base.
Require Import Arith Coq.Program.Program.
Module Outer.
Section Sec.
  Variable P : nat -> Prop.
  Hypothesis HP : P 0.
  Let local : P 0. Proof. exact HP. Qed.
  Lemma in_section : P 0 /\\ P 0.
  Proof using HP.
    split. (* a comment. *)
    - exact HP.
    - { assumption. }
  Qed.
  Lemma again : P 0 /\\ P 0. Proof. exact (in_section). Qed.
End Sec.
End Outer.

Lemma ünïcode (α β : nat) : α ⊕ β = β ⊕ α.
Proof.
  rewrite (* not "here. " *) sum_comm
    . reflexivity.
Qed.

Lemma string_dot : True -> True.
Proof. idtac "a. b" . intros H; exact H. Qed.

Lemma with_auto : 1 = 1 /\\ 2 = 2.
Proof with auto.
  split...
Qed.

Lemma proof_term : 0 = 0.
Proof eq_refl.

Lemma side_effects : True.
Proof. Open Scope list_scope. idtac. Ltac conclude := exact I. conclude. Qed.

Lemma given_up : 0 = 1.
Proof. intros. Admitted.

Lemma dropped : 0 = 1.
Proof. intros. Abort.

Lemma uses : forall n m, NatFacts.twice n = (n, n) /\\ n + m = m + n.
Proof.
  intros n m; split; [apply (f_equal2 pair) | ].
  1-2: reflexivity.
  rewrite Nat.add_comm.
  apply eq_refl.
Qed.

Program Definition positive : { n : nat | 0 < n } := 1.
Obligation Tactic := idtac.
Program Definition big : { n : nat | 5 < n } := 7.
Next Obligation. repeat constructor. Qed.

Lemma fst_twice : fst (NatFacts.twice 3) = 3.
Proof. apply NatFacts.twice_fst. Qed.
"""

BROKEN = """\
Lemma fine : True.
Proof. exact I. Qed.

Lemma broken : 0 = 1.
Proof.
  reflexivity.
Qed.
"""


def write_project(root: Path) -> CoqProject:
    files = {
        "Base.v": BASE,
        "sub/Proofs.v": PROOFS,
        "Broken.v": BROKEN,
        "Empty.v": "",
        "Open.v": "Lemma x (* ",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return CoqProject(root, (LoadPath("-R", ".", "Small"),))


@pytest.fixture(scope="session")
def small_project(tmp_path_factory) -> CoqProject:
    project = write_project(tmp_path_factory.mktemp("small"))
    subprocess.run(["coqc", "-q", "-R", ".", "Small", "Base.v"], cwd=project.root, check=True)
    return project


@pytest.fixture(scope="session")
def small_extraction(small_project, tmp_path_factory) -> tuple[Dataset, ExtractionSummary]:
    directory = tmp_path_factory.mktemp("small_dataset")
    summary = extract(small_project, directory, ["**/*.v"], num_workers=2)
    return Dataset.load(directory), summary
