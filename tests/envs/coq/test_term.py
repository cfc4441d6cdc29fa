import pytest

from ntp.envs.coq.term import global_names, term_digest


def printed(body, type_="forall n : nat, P n"):
    return f"name = \n{body}\n     : {type_}\n\nArguments name n%nat_scope"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fun x : nat => f x", "fun y : nat => f y"),
        ("fun (x : nat) (H : P x) => H", "fun (n : nat) (IH : P n) => IH"),
        ("let a := O in g a a", "let b := O in g b b"),
        ("fun x : nat => match x as n return (P n) with\n| O => p\n| S m => q m\nend",
         "fun k : nat => match k as z return (P z) with\n| O => p\n| S j => q j\nend"),
        ("fix F (n : nat) {struct n} : P n := F n", "fix G (m : nat) {struct m} : P m := G m"),
        ("fun e : @eq nat x y => match e in (@eq _ a) return (P a) with\n| eq_refl => p\nend",
         "fun d : @eq nat x y => match d in (@eq _ b) return (P b) with\n| eq_refl => p\nend"),
        ("fun x : nat =>\n  f x", "fun x : nat => f x"),
    ],
)  # fmt: skip
def test_names_of_bound_variables_do_not_count(one, other):
    assert term_digest(printed(one)) == term_digest(printed(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fun x : nat => f x", "fun x : nat => g x"),
        ("fun (x : nat) (y : nat) => x", "fun (x : nat) (y : nat) => y"),
        ("fun x : nat => f x", "fun x : bool => f x"),
        ("or_introl H", "or_intror H"),
        ("fun x : nat => match x with\n| O => p\n| S m => m\nend",
         "fun x : nat => match x with\n| O => p\n| S m => x\nend"),
    ],
)  # fmt: skip
def test_everything_else_counts(one, other):
    assert term_digest(printed(one)) != term_digest(printed(other))


def test_the_type_has_names_of_its_own():
    body = "fun n : nat => f n"
    assert term_digest(printed(body)) == term_digest(printed(body, "forall k : nat, P k"))


def test_a_parenthesis_before_a_notation_is_no_comment():
    """mathcomp's goals are printed so: `(*%M 0)` is the product as a function."""
    assert term_digest("fun n : nat => iter n (*%M 0) 1") == term_digest("fun m : nat => iter m (*%M 0) 1")
    assert term_digest("iter n (*%M 0) 1") != term_digest("iter n (+%M 0) 1")
    assert global_names("t = iter (*%M zero) one") == ["iter", "M", "zero", "one"]
