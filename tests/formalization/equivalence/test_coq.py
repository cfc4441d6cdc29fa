import pytest

from ntp.errors import InitError
from ntp.formalization.equivalence import stages
from ntp.formalization.equivalence.comparison import Comparison, EquivalenceOptions
from ntp.formalization.equivalence.coq import CoqEquivalence
from ntp.formalization.equivalence.sources import FILE, SourceWriter, TextProject
from ntp.sandbox.limits import Limits

pytestmark = pytest.mark.coq

REFERENCE = "forall (A : Type) (l m : list A) n, length l = n -> l <> nil -> length m <= n -> m = l"


def test_known_relations(structural, outcomes):
    types = "forall (A : Type) (l m : list A) n, "
    cases = {
        # Bound names, order, curried conjunctions, turned equations, a definition unfolded, and all together.
        "forall (B : Type) (x y : list B) k, length x = k -> x <> [] -> length y <= k -> y = x": "equivalent",
        f"{types}length m <= n -> length l = n -> l <> nil -> m = l": "equivalent",
        f"{types}length l = n /\\ l <> nil -> length m <= n -> m = l": "equivalent",
        f"{types}n = length l -> l <> nil -> length m <= n -> l = m": "equivalent",
        f"{types}length l = n -> (l = nil -> False) -> length m <= n -> m = l": "equivalent",
        f"{types}length m <= n /\\ nil <> l -> n = length l -> l = m": "equivalent",
        # A hypothesis dropped or added, the relation flipped, another theorem.
        f"{types}length l = n -> length m <= n -> m = l": "implies",
        f"{types}length l = n -> l <> nil -> m <> nil -> length m <= n -> m = l": "implied_by",
        f"{types}length l = n -> l <> nil -> length m >= n -> m = l": "not_shown",
        "False": "implies",
    }
    assert outcomes(structural, REFERENCE, list(cases)) == list(cases.values())


@pytest.mark.parametrize(
    ("reference", "candidate", "outcome"),
    [
        # Provable alone: only what uses the other counts.
        ("forall n, n + 0 = n", "True", "not_shown"),
        ("True", "0 = 0", "not_shown"),
        ("forall n, n + 0 = n", "forall n, n = n + 0", "equivalent"),
        ("forall n, n + 0 = n", "forall l : list nat, l ++ nil = l", "not_shown"),
        ("forall n, n + 0 = n", "forall n m, n * m = m * n", "not_shown"),
        ("forall n, 0 <= n", "forall n m, 0 <= n /\\ 0 <= m", "equivalent"),
        # Provable alone by logic: the two say the same of their hypotheses.
        ("forall A B : Prop, A /\\ B -> B", "forall A B : Prop, A -> B -> B", "equivalent"),
        # Theory: the statements are not provable alone, and one follows from the other by arithmetic.
        ("f 0 = 2 + 2", "f 0 + 1 = 5", "equivalent"),
        ("forall n, f n = n + 1", "forall n, f n = S n", "equivalent"),
        ("forall n, n <= 3 -> f n = n", "forall n, n < 4 -> n = f n", "equivalent"),
        ("forall n, f n < 5", "forall n, f n < 4", "implies"),
        ("forall n, f n < 5", "forall n, f n < 6", "implied_by"),
    ],
)
def test_a_statement_that_is_provable_alone_is_no_evidence(
    coq_equivalence, outcomes, reference, candidate, outcome
):
    header = "Require Import List.\nAxiom f : nat -> nat."
    assert outcomes(coq_equivalence, reference, [candidate], header) == [outcome]


def test_axioms_of_the_header_may_be_used(structural, outcomes):
    header = "Axiom P : nat -> Prop.\nAxiom Q : Prop.\nAxiom same : forall n, P n = P (S n)."
    assert outcomes(structural, "P 0", ["P 0 /\\ P 0", "P 1", "Q"], header) == [
        "equivalent",
        "not_shown",
        "not_shown",
    ]


def test_proofs_rest_on_axioms_of_the_header_only(stdlib):
    """A lemma that a script could not have but from an axiom: refused unless the header has that axiom."""
    header = "Axiom cheat : forall P : Prop, P."
    for allowed in (True, False):
        comparison = Comparison(
            stdlib,
            header,
            ["0 = 1", "0 = 2"],
            (),
            EquivalenceOptions(),
            Limits(),
            lambda assumption, allowed=allowed: allowed and assumption.startswith("cheat "),
        )
        lemma = comparison._structural["True", "ntp_reference"]
        assert comparison._proves(lemma, "intro h. apply cheat.") is allowed
        comparison.close()


def test_sections_definitions_and_scopes_of_the_header(structural, outcomes):
    header = (
        "Require Import ZArith.\nOpen Scope Z_scope.\nSection S.\nVariable A : Type.\nVariable f : A -> Z.\n"
        "Definition small (x : A) := f x < 2.\n"
    )
    candidates = ["forall x : A, f x < 2", "forall x y : A, small y", "forall x, f x < 3"]
    assert outcomes(structural, "forall x : A, small x", candidates, header) == [
        "equivalent",
        "equivalent",
        "not_shown",
    ]


@pytest.mark.parametrize(
    ("header", "reference", "message"),
    [
        ("Require Import Nowhere.", "True", "does not replay"),
        ("Lemma open : True.", "True", "leaves the proof of open open"),
        ("", "nonsense", "reference cannot be stated"),
        ("", "True. True", "reference is no statement"),
    ],
)
def test_a_broken_header_or_reference_is_one_line(structural, header, reference, message):
    with pytest.raises(InitError, match=message) as raised:
        structural.judge(header, reference, ["True"])
    assert "\n" not in str(raised.value)


def test_no_library_of_the_stages_adds_an_axiom(stdlib):
    """What is loaded after the statements: the same theorem, proved by it, rests on nothing."""
    writer = SourceWriter("")
    writer.add(stages.THEORY + stages.HAMMER)
    lemma = writer.lemma("ntp_lemma", "forall f : nat -> nat, f 0 = 3 -> f 0 + f 0 < 7")
    equivalence = CoqEquivalence(stdlib)
    if not equivalence._elaborator.has_library("", "Hammer.Tactics.Tactics"):
        pytest.skip("libcoq-hammer is missing")
    from ntp.envs.coq.env import CoqEnv

    env = CoqEnv(TextProject.with_texts(stdlib, {FILE: writer.text}), 10)
    for script in ("intros; lia.", "intros; ntp_arithmetic.", "sauto."):
        verdict = env.check_script(lemma, script).verdict
        assert (verdict.accepted, verdict.axioms) == (True, ())
    env.close()
    equivalence.close()


def test_the_budget_ends_a_comparison(stdlib):
    equivalence = CoqEquivalence(stdlib, EquivalenceOptions(budget_s=1e-9))
    (judged,) = equivalence.judge("", "forall n, n + 0 = n", ["forall n m, n + m = m + n"])
    assert (str(judged.outcome), judged.reason) == ("timeout", "the budget ended")
    equivalence.close()
