"""Texts that a model could write to look right without being so: each has a clear outcome."""

import pytest

from ntp.formalization.equivalence.outcome import Outcome

pytestmark = pytest.mark.coq

REFERENCE = "forall f : nat -> nat, f 0 = 1 -> exists n, f n = 1 + n * f n"

REFUSED = {
    "two sentences": "True. Lemma x : True",
    "an axiom": "Axiom x : False. Definition y := True",
    "closes the definition": "True). Axiom bad : False. Definition y := (True",
    "closes it without a sentence": "True) /\\ (False -> True",
    "an axiom behind a comment": "True (* *) . Axiom bad : False",
    "a comment that is not closed": "True (* and the rest",
    "a comment in a string": 'True /\\ "(*" = "',
    "admits": "ltac:(admit)",
    "a tactic in a type": "forall x : ltac:(exact nat), x = x",
    "a tactic without a check": "ltac:(exact_no_check I)",
    "a second tactic language": "ltac2:(Control.plus (fun () => ()) (fun _ => ()))",
    "loops for ever in a tactic": "ltac:(do 100000000 idtac; exact True)",
    "loads a plugin": 'Declare ML Module "extraction_plugin"',
    "requires a library": "True. Require Import Classical",
    "writes a file": 'Redirect "stolen" Print nat',
    "changes the directory": 'Cd "/tmp"',
    "a notation": "Notation \"'goal'\" := True",
    "a notation behind a sentence": 'True. Notation "x = y" := True',
    "resets": "Reset Initial",
    "quits": "Quit",
    "the reference by our name": "ntp_reference",
    "another candidate by our name": "ntp_candidate_0",
    "the reference by a qualified name": "NtpEquivalence.ntp_reference",
    "turns off a check": "Unset Guard Checking",
    "an attribute": "#[bypass_check(guard)] True",
    "control characters": "True\x1b]0;title\x07",
    "nothing": "   ",
    "a body": "Lemma x : True := I",
    "a type, not a proposition": "nat",
    "unknown names": "forall f : natural, f = f",
    "an open hole": "exists x, x = _",
    "a wildcard that nothing determines": "forall x : _, True",
    "a huge text": "True /\\ " * 5000 + "True",
}
# They may be stated; then they are not the reference.
STATED = {
    "false": "False",
    "true": "True",
    "contradictory hypotheses": "forall f : nat -> nat, 0 = 1 -> exists n, f n = 1 + n * f n",
    "does not end when computed": "(fix f n := match n with 0 => True | S k => f k /\\ f k end) 200",
    "a number that is too large": "2 ^ (10 ^ 10) = 0 -> True",
    "a deep term": "(" * 1500 + "True" + ")" * 1500,
    "shadows a name": "let eq := fun (A : Type) (x y : A) => True in forall f : nat -> nat, f 0 = 1",
    "a binder named as ours would be": "forall f : nat -> nat, forall given : f 0 = 1, True",
}


@pytest.fixture(scope="module")
def judged(structural):
    texts = {**REFUSED, **STATED}
    return dict(zip(texts, structural.judge("", REFERENCE, list(texts.values())), strict=True))


def test_there_are_at_least_thirty(judged):
    assert len(judged) >= 30


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_no_proposition_is_ill_typed(judged, name):
    assert (str(judged[name].outcome), bool(judged[name].reason)) == ("ill_typed", True)
    assert "\n" not in judged[name].reason


@pytest.mark.parametrize("name", sorted(STATED))
def test_what_can_be_stated_is_not_taken_for_the_reference(judged, name):
    assert judged[name].outcome in {*Outcome} - {Outcome.EQUIVALENT}


def test_the_reference_is_still_recognised_after_them(structural):
    (found,) = structural.judge("", REFERENCE, [REFERENCE])
    assert found.outcome == Outcome.EQUIVALENT
