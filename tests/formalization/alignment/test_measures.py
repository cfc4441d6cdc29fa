from itertools import chain

import numpy as np
import pytest

from ntp.errors import DataError
from ntp.formalization.alignment.measures import mean_between, mean_within
from ntp.formalization.alignment.rivals import (
    CompressionDistance,
    EmbeddingSimilarity,
    NgramOverlap,
    VendiScore,
    entropy,
)
from ntp.formalization.alignment.task2vec import Task2Vec, normalised_cosine_distance
from tests.formalization.alignment.synthetic import OTHER, WORDS, batches, sentences

ALL = ["task2vec", "gzip", "ngrams", "embeddings", "vendi"]


@pytest.fixture(scope="module")
def measures(probe):
    made = [
        Task2Vec(probe, num_epochs=2, lr=4e-4, num_samples=4),
        CompressionDistance(),
        NgramOverlap(),
        EmbeddingSimilarity(probe),
        VendiScore(probe),
    ]
    return {measure.name: measure for measure in made}


@pytest.fixture(scope="module")
def represented(measures):
    """Sets of eight batches by name: what each measure keeps of them."""
    texts = {
        "repeated": sentences(WORDS, 1, 1) * 32,
        "narrow": sentences(WORDS[:3], 32, 2),
        "words": sentences(WORDS, 32, 3),
        "more": sentences(WORDS, 32, 4),
        "half": list(chain(*zip(sentences(WORDS, 16, 5), sentences(OTHER, 16, 6), strict=True))),
        "other": sentences(OTHER, 32, 7),
    }
    return {
        name: {key: [m.represent(batch) for batch in batches(value)] for key, value in texts.items()}
        for name, m in measures.items()
    }


def test_compression_distance_is_least_for_a_repeated_text(measures, represented):
    """It is relative to the size of a batch, so it says little of sets that are all random."""
    measure, sets = measures["gzip"], represented["gzip"]
    repeated, *others = (
        measure.diversity(sets[key]).value for key in ("repeated", "narrow", "words", "half")
    )
    assert repeated < min(others)


@pytest.mark.parametrize("name", [name for name in ALL if name != "gzip"])
def test_more_different_texts_are_more_diverse(name, measures, represented):
    values = [measures[name].diversity(represented[name][key]) for key in ("repeated", "narrow", "words")]
    assert values[0].value < values[1].value < values[2].value
    assert all(value.low <= value.value <= value.high for value in values)


@pytest.mark.parametrize("name", ALL)
def test_alignment_follows_the_shared_vocabulary(name, measures, represented):
    sets, align = represented[name], measures[name].alignment
    same, half, other = (align(sets["words"], sets[key]) for key in ("more", "half", "other"))
    assert same.value > half.value > other.value
    assert same.low > other.high


@pytest.mark.parametrize("name", ALL)
def test_alignment_is_symmetric(name, measures, represented):
    one, other = represented[name]["words"], represented[name]["half"]
    there, back = measures[name].alignment(one, other), measures[name].alignment(other, one)
    assert there.value == pytest.approx(back.value, abs=1e-12)


@pytest.mark.parametrize("name", ["task2vec", "gzip", "ngrams"])
def test_disjoint_vocabularies_bound_from_above_and_one_text_from_below(name, measures, represented):
    """The two vocabularies are farther apart than batches of any set, those of a repeated text closer."""
    measure, sets = measures[name], represented[name]
    upper = 1 - measure.alignment(sets["words"], sets["other"]).value
    lower = measure.diversity(sets["repeated"]).value
    between = [measure.diversity(sets[key]).value for key in ("narrow", "words", "half", "other")]
    assert lower < min(between)
    assert max(between) < upper


def test_task2vec_is_a_function_of_texts_and_seed(probe):
    texts = sentences(WORDS, 4, 8)
    one, same = (Task2Vec(probe, 1, 4e-4, 1).represent(texts) for _ in range(2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, Task2Vec(probe, 1, 4e-4, 1, seed=1).represent(texts))
    assert (one >= 0).all() and (one > 0).any()


def test_normalised_distance_of_hand_made_embeddings():
    assert normalised_cosine_distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1)
    assert normalised_cosine_distance(np.array([2.0, 2.0]), np.array([2.0, 2.0])) == pytest.approx(0)
    # (3/4, 1/2) and (1/4, 1/2): cos = (3/16 + 1/4) / sqrt(13/16 * 5/16).
    value = normalised_cosine_distance(np.array([3.0, 1.0]), np.array([1.0, 1.0]))
    assert value == pytest.approx(1 - (7 / 16) / (65**0.5 / 16), abs=1e-6)


def test_vendi_of_orthogonal_vectors_is_their_number():
    measure = VendiScore.__new__(VendiScore)
    measure.seed = 0
    vectors = [np.eye(4)[[i]] for i in range(4)]
    assert measure.diversity(vectors).value == pytest.approx(4)
    assert measure.diversity([vectors[0]] * 3).value == pytest.approx(1)
    assert measure.alignment(vectors[:2], vectors[2:]).value == pytest.approx(0)
    assert measure.alignment(vectors[:2], vectors[:2]).value == pytest.approx(1)
    # One of two vectors is shared: entropy of (1/4, 1/2, 1/4) less that of (1/2, 1/2).
    shared = entropy(np.diag([0.25, 0.5, 0.25])) - np.log(2)
    assert measure.alignment(vectors[:2], vectors[1:3]).value == pytest.approx(1 - shared / np.log(2))


def test_ngram_overlap_of_hand_made_texts():
    measure = NgramOverlap(n=1)
    one, other = measure.represent(["a b"]), measure.represent(["b c"])
    assert measure.distance(one, other) == pytest.approx(2 / 3)  # 1 - (1/2) / (3/2)
    assert measure.distance(one, one) == pytest.approx(0)
    assert NgramOverlap(n=3).represent(["a b", "c"]) == {}


def test_intervals_of_means_of_distances():
    distance = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])
    assert mean_within(distance).value == pytest.approx(2)
    constant = mean_between(np.full((3, 4), 0.25))
    assert constant.low == pytest.approx(0.25) and constant.high == pytest.approx(0.25)


def test_the_interval_over_batches_covers_the_truth():
    """Distances |x - y| of uniform numbers have mean 1/3; intervals over pairs would cover it too rarely."""
    draw = np.random.default_rng(0)
    covered, by_pairs = 0, 0
    for _ in range(200):
        x = draw.random(30)
        distance = np.abs(x[:, None] - x)
        found = mean_within(distance)
        covered += found.low <= 1 / 3 <= found.high
        pairs = distance[np.triu_indices(30, 1)]
        by_pairs += abs(pairs.mean() - 1 / 3) <= 1.96 * pairs.std() / len(pairs) ** 0.5
    assert covered >= 175
    assert by_pairs < covered


def test_sets_without_batches_are_refused(measures):
    with pytest.raises(DataError, match="1 batch is not defined"):
        measures["gzip"].diversity([b"a"])
    with pytest.raises(DataError, match="empty set"):
        measures["ngrams"].alignment([], [{}])
    with pytest.raises(DataError, match="no text of two tokens"):
        measures["task2vec"].represent(["", "a"])
