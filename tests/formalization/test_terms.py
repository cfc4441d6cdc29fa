import random

import pytest

from ntp.formalization.terms import Node, parse_statement

TEXT = (
    '( ) [ ] { } {| |} match with end forall exists fun let := in , : => -> = x y.1 z nat 3 % "s" ! ~ - @ .'
    " ; | // ∀ ∃ ∑ if then else ` < Theorem exists! (* *) ∧ ≤"
)
WORDS = TEXT.split()


def shown(node):
    return node.label + (f"({', '.join(map(shown, node.children))})" if node.children else "")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("Theorem t : a + b * c = d.", "=(+(a, *(b, c)), d)"),
        ("Theorem t : a -> b -> c.", "->(a, ->(b, c))"),
        ("Theorem t : a - b - c = d.", "=(-(-(a, b), c), d)"),
        ("Theorem t : ~ a = b /\\ c.", "/\\(prefix ~(=(a, b)), c)"),
        ("Theorem t : f (g x) y = 2 ^ 3 ^ 4.", "=(apply(f, apply(g, x), y), ^(2, ^(3, 4)))"),
        ("Theorem t : forall x : nat, x = x.", "forall(nat, =(#0, #0))"),
        ("Theorem t : (1 + n)%nat = 0%Z.", "=(%nat(+(1, n)), %Z(0))"),
        ("theorem t (n : ℕ) : n % 2 = 0", "forall(ℕ, =(%(#0, 2), 0))"),
        ("Theorem t : {x : nat | x < 3} = s.", "=({|}(nat, <(#0, 3)), s)"),
        ("Theorem t : let x := 1 in x = x.", "let(1, =(#0, #0))"),
    ],
)
def test_precedence_binders_and_scopes(text, tree):
    assert shown(parse_statement(text)) == tree


EQUAL = [
    ("Theorem a : forall x y : nat, x = y.", "Lemma b :\n  forall (u v : nat),\n (u = v)."),
    ("Theorem a (x : nat) (H : x = 1) : P x.", "Theorem a : forall z : nat, z = 1 -> P z."),
    ("Theorem a : forall x, forall y, R x y.", "Theorem a : forall x y, R x y."),
    ("Theorem a : (A) -> (B -> C).", "Theorem a : A -> B -> C."),
    ("Theorem a : exists! x : nat, x = 1.", "Theorem a : exists! y : nat, y = 1."),
    ("Theorem a : sum (fun i => f i) 3.", "Theorem a : sum (fun j => f j) 3."),
    ("Theorem a : True (* why *).", "Theorem a : True."),
    (
        "theorem a {α : Type} (s : Set α) : ∀ x ∈ s, x = x",
        "theorem a {β : Type} (t : Set β) : ∀ y ∈ t, y = y",
    ),
    ("theorem a : p → q ∧ r", "Theorem a : p -> q /\\ r."),
]
DIFFERENT = [
    ("Theorem a : forall x y, R x y.", "Theorem a : forall x y, R y x."),
    ("Theorem a : forall x : nat, P x.", "Theorem a : forall x : Z, P x."),
    ("Theorem a : forall x, exists y, R x y.", "Theorem a : exists x, forall y, R x y."),
    ("Theorem a : A -> B -> C.", "Theorem a : (A -> B) -> C."),
    ("Theorem a : a + b * c = d.", "Theorem a : (a + b) * c = d."),
    ("Theorem a : x = 1.", "Theorem a : y = 1."),
    ("Theorem a : 0 <= x.", "Theorem a : 0 < x."),
    ("Theorem a : x = 1%nat.", "Theorem a : x = 1%Z."),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_layout_and_bound_names_make_no_difference(one, other):
    assert parse_statement(one) == parse_statement(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_everything_else_does(one, other):
    assert parse_statement(one) != parse_statement(other)


def test_a_name_is_bound_in_its_own_scope_only():
    tree = parse_statement("Theorem a : (forall x, P x) -> Q x.")
    assert shown(tree) == "->(forall(_, apply(P, #0)), apply(Q, x))"


def test_any_text_has_a_tree():
    draw = random.Random(0)
    for _ in range(300):
        text = " ".join(draw.choices(WORDS, k=draw.randrange(40)))
        assert isinstance(parse_statement(f"Theorem t {text}"), Node)


@pytest.mark.parametrize("piece", ["(", "forall x, ", "x -> ", "x = ", "- ", "{", "(x : ", "x%a", "f ("])
def test_deep_texts_are_read_flat(piece):
    tree = parse_statement("Theorem t : " + piece * 3000 + "x")
    assert tree.size > 2000


def test_published_statements_are_no_flat_lists(shared_data):
    from ntp.formalization.readers import read_pairs

    for name in ("minif2f_rocq/statements.jsonl", "minif2f/lean4.jsonl"):
        labels = [parse_statement(pair.formal).label for pair in read_pairs(shared_data(name))]
        assert "flat" not in labels and labels.count("sequence") < len(labels) / 50
