import pytest

from ntp.envs.coq.syntax import MAX_CHARACTERS, guard
from ntp.types import Rejected

FILES = ["Lists/List.v", "Arith/PeanoNat.v", "ZArith/Znumtheory.v", "Reals/RIneq.v", "Program/Equality.v"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("auto.", "1: auto."),
        ("  (* why *) auto. (* done *) ", "1: auto."),
        ("Nat.order.", "1: Nat.order."),
        ("Qed.", "1: Qed."),
        ("Axiom x : False.", "1: Axiom x : False."),
        ("2: lia.", "2: lia."),
        ("all: try easy.", "all: try easy."),
        ("auto...", "1: auto..."),
        ("apply admit_free, (f_admit give_up').", "1: apply admit_free, (f_admit give_up')."),
        ("pose (x := 1).", "1: pose (x := 1)."),
        ("[> auto | ].", "1: [> auto | ]."),
        ("1,3-4 : auto.", "1,3-4 : auto."),
        ("[x]: auto.", "[x]: auto."),
    ],
)
def test_lets_one_tactic_pass(text, sent):
    assert guard(text) == sent


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not one sentence"),
        ("auto", "not one sentence"),
        ("auto. auto.", "not one sentence: 2"),
        ("(* nothing *)", "not one sentence: 0"),
        ("auto (* open.", "comment is not closed"),
        ('idtac "open.', "string is not closed"),
        ("auto\0.", "control character"),
        ("auto\ud800.", "control character"),
        ("auto\x7f.", "control character"),
        ("idtac" + " " * MAX_CHARACTERS + ".", "longer"),
        ("-", "bullet"),
        ("{", "bullet"),
        ("2: {", "bullet"),
        ("1: (* x *) {.", "one sentence"),
        ("#[a. (*] *)", "one sentence"),
        ('#[a(b="]. ") auto.', "one sentence"),
        ("all: - auto.", "bullet"),
        ("#[global] auto.", "attribute"),
        ("Check nat.", "command"),
        ("1: Print nat.", "command"),
        ("admit.", "admit is not allowed"),
        ("try (all: give_up).", "give_up is not allowed"),
        ("native_compute.", "native_compute is not allowed"),
        ("par: auto.", "starts processes"),
    ],
)
def test_refuses(text, why):
    refused = guard(text)
    assert isinstance(refused, Rejected) and why in refused.reason


@pytest.mark.coq
@pytest.mark.parametrize("file", FILES)
def test_refuses_no_tactic_that_people_wrote(stdlib, proofs, file):
    tactics = [tactic for _, tactics in proofs(file, stdlib.read(file)) for tactic in tactics]
    assert len(tactics) > 10
    assert [tactic for tactic in tactics if isinstance(guard(tactic), Rejected)] == []
