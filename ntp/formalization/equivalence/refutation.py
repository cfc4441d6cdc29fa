"""Shows that a Coq statement is false: a search for a counterexample, whose proof the kernel checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ntp.envs.coq.project import CoqProject
from ntp.formalization.equivalence.comparison import HeaderEnv
from ntp.formalization.equivalence.sources import FILE, SourceWriter, TextProject
from ntp.formalization.equivalence.statement import definition
from ntp.sandbox.limits import Limits

# Depth-first search over small values for the leading variables: `+` comes back for the next one.
_TACTICS = r"""
Require Import Coq.micromega.Lia.
Ltac ntp_holds :=
  solve
    [ assumption | reflexivity | discriminate | lia | vm_compute; lia | firstorder congruence | firstorder lia
    | repeat constructor; try discriminate; try lia; fail ].
Ltac ntp_absurd h :=
  solve
    [ discriminate h | congruence | lia
    | vm_compute in h; first [ discriminate h | congruence | lia | destruct h; fail | tauto ]
    | inversion h; fail
    | simpl in h; solve [ discriminate h | lia | tauto | intuition (discriminate || lia || congruence)
                        | firstorder (discriminate || lia || congruence) ] ].
Ltac ntp_value T k :=
  multimatch goal with
  | [ x : ?U |- _ ] => let same := constr:(eq_refl : U = T) in k x
  | _ => ntp_small T k
  end
with ntp_small T k :=
  lazymatch eval hnf in T with
  | nat => k 0 + k 1 + k 2 + k 3
  | bool => k true + k false
  | Coq.Numbers.BinNums.positive =>
      k Coq.Numbers.BinNums.xH + k (Coq.Numbers.BinNums.xO Coq.Numbers.BinNums.xH)
      + k (Coq.Numbers.BinNums.xI Coq.Numbers.BinNums.xH)
  | Coq.Numbers.BinNums.N =>
      k Coq.Numbers.BinNums.N0 + k (Coq.Numbers.BinNums.Npos Coq.Numbers.BinNums.xH)
      + k (Coq.Numbers.BinNums.Npos (Coq.Numbers.BinNums.xO Coq.Numbers.BinNums.xH))
  | Coq.Numbers.BinNums.Z =>
      k Coq.Numbers.BinNums.Z0 + k (Coq.Numbers.BinNums.Zpos Coq.Numbers.BinNums.xH)
      + k (Coq.Numbers.BinNums.Zneg Coq.Numbers.BinNums.xH)
      + k (Coq.Numbers.BinNums.Zpos (Coq.Numbers.BinNums.xO Coq.Numbers.BinNums.xH))
  | unit => k tt
  | Prop => k True + k False
  | Set => k nat + k bool
  | Type => k nat + k bool
  | list ?A => k (@nil A) + ntp_value A ltac:(fun a => k (cons a (@nil A)) + k (cons a (cons a (@nil A))))
      + ntp_value A ltac:(fun a => ntp_value A ltac:(fun b => k (cons a (cons b (@nil A)))))
  | option ?A => k (@None A) + ntp_value A ltac:(fun a => k (Some a))
  | prod ?A ?B => ntp_value A ltac:(fun a => ntp_value B ltac:(fun b => k (a, b)))
  | forall x y : nat, {x = y} + {x <> y} => k PeanoNat.Nat.eq_dec
  | forall x y : bool, {x = y} + {x <> y} => k Bool.bool_dec
  | nat -> nat => k (fun n : nat => n) + k S + k (fun _ : nat => 0)
  | nat -> nat -> nat => k plus + k (fun n _ : nat => n) + k minus
  | ?A -> ?A -> Prop => k (@eq A) + k (fun _ _ : A => True) + k (fun _ _ : A => False)
  | ?A -> ?B => ntp_value B ltac:(fun b => k (fun _ : A => b))
  end.
Ltac ntp_refute h :=
  lazymatch type of h with
  | False => exact h
  | exists x, _ => let x := fresh in destruct h as [x h]; ntp_refute h
  | _ /\ _ =>
      let g := fresh in
      destruct h as [h g]; first [ ntp_refute h | ntp_refute g | ntp_absurd h | ntp_absurd g ]
  | ~ ?P => let p := fresh in assert (p : P) by ntp_holds; exact (h p)
  | ?P -> ?Q =>
      lazymatch type of P with
      | Prop => let p := fresh in assert (p : P) by ntp_holds; specialize (h p); clear p; ntp_refute h
      | _ => ntp_value P ltac:(fun v => specialize (h v); cbv beta in h; ntp_refute h)
      end
  | forall x : ?T, _ => ntp_value T ltac:(fun v => specialize (h v); cbv beta in h; ntp_refute h)
  | _ => ntp_absurd h
  end.
"""
_SCRIPTS = (
    "intro ntp_given; red in ntp_given; solve [ ntp_refute ntp_given ].",
    "intro ntp_given; red in ntp_given; solve [ lia | firstorder (discriminate || lia || congruence) ].",
)


def refuted(
    project: CoqProject,
    header: str,
    terms: Sequence[str],
    timeout_s: int,
    limits: Limits,
    is_allowed: Callable[[str], bool],
    advance: Callable[[int], object] = lambda _: None,
) -> list[bool]:
    """Which statements the kernel has accepted a refutation of: a proof of False from the statement.

    Args:
        project: Where the header finds what it imports.
        header: Coq text before the statements.
        terms: Statements that type-check after it.
        timeout_s: Whole seconds for one.
        limits: Resource limits of the prover.
        is_allowed: Whether a refutation may rest on an assumption.
        advance: Called with 1 after each statement.
    """
    writer = SourceWriter(header)
    for index, term in enumerate(terms):
        writer.add(definition(f"ntp_mutant_{index}", term))
    writer.add(_TACTICS)
    lemmas = [writer.lemma(f"ntp_refuted_{i}", f"ntp_mutant_{i} -> False") for i in range(len(terms))]
    env = HeaderEnv(TextProject.with_texts(project, {FILE: writer.text}), timeout_s, limits, is_allowed)
    found: list[bool] = []
    try:
        for lemma in lemmas:
            found.append(any(env.check_script(lemma, script).verdict.accepted for script in _SCRIPTS))
            advance(1)
    finally:
        env.close()
    return found
