import math

import pytest
from sacrebleu import corpus_bleu, corpus_chrf

from ntp.formalization.records import Pair
from ntp.formalization.scores.base import Likelihood, Translation
from ntp.formalization.scores.likelihood import Perplexity, TokenLoss, TypeCheckRate
from ntp.formalization.scores.overlap import Bleu, ChrF
from ntp.formalization.scores.structure import MAX_NODES, ExactMatch, TreeSimilarity, tree_distance
from ntp.formalization.terms import Node, parse_statement
from ntp.formalization.typecheck.verdict import TypeOutcome, TypeVerdict

REFERENCES = ["Theorem a : forall n : nat, n + 0 = n.", "Lemma b : 1 = 1."]
WRITTEN = ["Theorem c : forall m : nat, m + 0 = m.", "Lemma b : 1 = 2 ."]


def translations(texts, references=REFERENCES, **more):
    pairs = [Pair(str(i), "x", text, "", "coq", "test", "own") for i, text in enumerate(references)]
    return [Translation(pair, text, **more) for pair, text in zip(pairs, texts, strict=True)]


def overall(score, found):
    return score.overall(found, score.of_each(found))


@pytest.mark.parametrize("score", [Bleu(), ChrF(), ExactMatch(), TreeSimilarity()])
def test_a_reference_against_itself_is_one(score):
    same = translations(REFERENCES)
    assert score.of_each(same) == [1.0, 1.0]
    assert overall(score, same) == 1.0
    nothing = translations(["", ""])
    assert overall(score, nothing) < 0.5


@pytest.mark.parametrize("score", [Bleu(), ChrF(), ExactMatch(), TreeSimilarity()])
def test_published_references_against_themselves(score, shared_data):
    from ntp.formalization.readers import read_pairs

    pairs = read_pairs(shared_data("minif2f_rocq/statements.jsonl"))[:150]
    same = [Translation(pair, pair.formal) for pair in pairs]
    assert overall(score, same) == 1.0


def test_overlap_is_sacrebleus():
    found = translations(WRITTEN)
    assert overall(Bleu(), found) == pytest.approx(corpus_bleu(WRITTEN, [REFERENCES]).score / 100)
    assert overall(ChrF(), found) == pytest.approx(corpus_chrf(WRITTEN, [REFERENCES]).score / 100)
    assert "tok:13a" in Bleu().signature and "version:" in ChrF().signature
    assert "tok:char" in Bleu(tokenize="char").signature


def test_layout_does_not_count_as_a_difference():
    (found,) = translations(["Theorem a :\n  forall n : nat,\n n + 0 = n."], REFERENCES[:1])
    assert [score.of_each([found]) for score in (Bleu(), ChrF(), ExactMatch())] == [[1.0]] * 3


def test_exact_match_ignores_names_and_nothing_else():
    assert ExactMatch().of_each(translations(WRITTEN)) == [1.0, 0.0]


def test_tree_distance_by_hand():
    def distance(one, other):
        return tree_distance(parse_statement(f"Theorem t : {one}."), parse_statement(f"Theorem t : {other}."))

    assert distance("a = b", "a = c") == 1  # renamed
    assert distance("a = b", "~ a = b") == 1  # inserted
    assert distance("a + b = c", "a = c") == 2  # the sum and one of its terms
    assert distance("f a", "g b c") == 3
    (value,) = TreeSimilarity().of_each(translations(["Lemma b : 1 = 2."], REFERENCES[1:]))
    assert value == pytest.approx(1 - 1 / 6)


def test_a_translation_beyond_all_bounds_is_unlike_anything():
    long = "Lemma b : " + " + ".join(["1"] * MAX_NODES) + " = 1."
    assert TreeSimilarity().of_each(translations([long], REFERENCES[1:])) == [0.0]
    assert Node("a", (Node("b"),)).size == 2


def test_loss_is_per_token_of_all_together():
    one, other = (
        translations(["x"], REFERENCES[:1], likelihood=Likelihood(*own)) for own in ((-2.0, 1), (-1.0, 5))
    )
    found = one + other
    assert TokenLoss().of_each(found) == [2.0, 0.2]
    assert overall(TokenLoss(), found) == pytest.approx(0.5)
    assert overall(Perplexity(), found) == pytest.approx(math.exp(0.5))
    with pytest.raises(ValueError, match="no model was asked"):
        TokenLoss().of_each(translations(WRITTEN))


def test_what_was_not_accepted_counts_as_not_well_typed():
    verdicts = (TypeOutcome.WELL_TYPED, TypeOutcome.TIMEOUT, TypeOutcome.REFUSED)
    found = [t for v in verdicts for t in translations(["x"], REFERENCES[:1], verdict=TypeVerdict(v))]
    found += translations(["x"], REFERENCES[:1])
    assert overall(TypeCheckRate(), found) == 0.25
