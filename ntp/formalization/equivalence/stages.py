"""The stages by which one Coq statement is proved from another: tactics of ours, from cheap to dear.

A stage is one sentence that proves `given -> wanted`. The same sentence must fail on `True -> wanted`, or the
given statement was not used. That alone would let a solver that nearly proves the wanted statement by itself
succeed with any given statement that helps by chance, so a stage with theory solvers (arithmetic, hints,
computation) counts only if no solver of any stage proves the wanted statement alone. Structural stages know
logic and equality only: they count for statements that are provable alone too.
"""

from __future__ import annotations

from dataclasses import dataclass

# What structural stages need: nothing is imported, so they see the statements' own environment.
STRUCTURAL = r"""
Ltac ntp_open h := try red in h; try red.
Ltac ntp_plain := unfold Coq.Init.Logic.not, Coq.Init.Logic.iff, Coq.Init.Peano.ge, Coq.Init.Peano.gt in *.
Ltac ntp_split_facts :=
  repeat match goal with
  | [ h : _ /\ _ |- _ ] => destruct h
  | [ h : exists _, _ |- _ ] => destruct h
  | [ h : _ \/ _ |- _ ] => destruct h
  end.
Ltac ntp_intro_all := repeat (intro; ntp_split_facts).
Ltac ntp_split_goal := repeat match goal with [ |- _ /\ _ ] => split end.
Ltac ntp_everywhere tactic :=
  solve
    [ intros; tactic ()
    | intros; ntp_split_facts; tactic ()
    | ntp_plain; ntp_intro_all; tactic ()
    | ntp_plain; intros; repeat split; ntp_intro_all; tactic () ].
Ltac ntp_fact :=
  solve
    [ eassumption | symmetry; eassumption | simple refine (Coq.Init.Logic.not_eq_sym _); eassumption
    | intros; symmetry; eauto 2 with nocore ].
Ltac ntp_use h := (eapply h + (symmetry; eapply h)); ntp_split_goal; ntp_fact.
Ltac ntp_cases h := edestruct h; ntp_split_facts; ntp_split_goal; solve [ ntp_fact | congruence ].
"""
# What the other stages need, read after the statements, so that what it imports changes neither their
# notations nor their scopes. No file that it loads may add an axiom: what a proof rests on is then from the
# header.
THEORY = r"""
Require Import Coq.micromega.Lia.
Ltac ntp_arithmetic := lia.
Ltac ntp_automation := fail.
"""
# Real numbers, only where the header has loaded them: they rest on axioms.
REALS = """
Require Import Coq.micromega.Lra.
Ltac ntp_arithmetic ::= first [ lia | lra ].
"""
# CoqHammer's tactics, where they are installed; no automated theorem prover is started.
HAMMER = """
From Hammer Require Import Tactics.
Ltac ntp_automation ::= qauto.
"""
SOLVERS = r"""
Ltac ntp_solver := solve [ trivial | easy | ntp_arithmetic | congruence | auto | intuition auto | eauto ].
Ltac ntp_alone := solve [ intros; ntp_solver | ntp_intro_all; ntp_solver ].
Ltac ntp_specialize h :=
  lazymatch type of h with
  | forall x : ?T, _ => multimatch goal with [ y : T |- _ ] => specialize (h y); ntp_specialize h end
  | _ => idtac
  end.
Ltac ntp_special h := solve [ intros; ntp_specialize h; ntp_solver ].
Ltac ntp_apply h := solve [ intros; eapply h; ntp_solver | intros; edestruct h; ntp_solver ].
Ltac ntp_rewrite h :=
  solve
    [ intros; rewrite h; ntp_solver | intros; rewrite <- h; ntp_solver
    | intros; setoid_rewrite h; ntp_solver ].
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """One way to prove a statement from another, or from nothing.

    Attributes:
        name: Name in results.
        script: What proves the lemma `given -> wanted`.
    """

    name: str
    script: str


def _script(tactic: str) -> str:
    return f"intro ntp_given; ntp_open ntp_given; {tactic}."


# One way each, since a script that can also do without the given statement counts for nothing.
STRUCTURAL_STAGES = (
    Stage("exact", "intro ntp_given; exact ntp_given."),
    Stage("instance", _script("ntp_everywhere ltac:(fun _ => ntp_use ntp_given)")),
    Stage("cases", _script("ntp_everywhere ltac:(fun _ => ntp_cases ntp_given)")),
    Stage("logic", _script("solve [ intros; eauto 5 using ntp_given with nocore ]")),
    Stage("firstorder", _script("firstorder (first [ assumption | congruence ])")),
)
THEORY_STAGES = (
    Stage("specialize", _script("ntp_special ntp_given")),
    Stage("apply", _script("ntp_apply ntp_given")),
    Stage("rewrite", _script("ntp_rewrite ntp_given")),
    Stage("automation", _script("ntp_automation")),
)
# How a statement may be provable alone: by whatever a theory stage ends with.
ALONE = (
    Stage("solvers", _script("ntp_alone")),
    Stage("automation", _script("ntp_automation")),
)
