import pytest

from ntp.errors import ConfigError
from ntp.formalization.equivalence.score import EquivalenceScore
from ntp.formalization.records import Pair
from ntp.formalization.scores.base import Translation


def translation(text, formal="Theorem a : forall n : nat, n + 0 = n.", prover="coq", header=""):
    return Translation(Pair("a", "informal", formal, header, prover, "test", "here"), text)


@pytest.mark.coq
def test_share_of_translations_that_are_equivalent(structural):
    score = EquivalenceScore({"coq": structural})
    translations = [
        translation("Theorem b (m : nat) : m = m + 0."),
        translation("Theorem b : forall n : nat, n + 1 = n."),
        translation("Theorem b : 1 = 1.", "Theorem a : nonsense."),
        translation("forall n : nat, n + 0 = n"),
        # The name that the library has from Rocq 9 on.
        translation("1 = 1 + 0", "Lemma a : 1 + 0 = 1.", header="From Stdlib Require Import List."),
    ]
    values = score.of_each(translations)
    assert values == [1.0, 0.0, 0.0, 1.0, 1.0]
    assert score.overall(translations, values) == pytest.approx(0.6)


def test_another_prover_is_one_line():
    with pytest.raises(ConfigError, match="lean cannot be compared"):
        EquivalenceScore({}).of_each([translation("x", prover="lean")])
