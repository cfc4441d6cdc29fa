import math
from collections import Counter

import numpy as np
import pytest

from ntp.errors import ConfigError, DataError
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.lexical import BM25Retriever, words


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Nat.mul_succ", ["Nat.mul_succ", "mul_succ", "nat", "mul", "succ"]),
        ("isOpen", ["isOpen", "is", "open"]),
        ("T2Space", ["T2Space", "t", "2", "space"]),
        ("x' <-> 12", ["x'", "<->", "12"]),
        ("∀ ε₁ > 0, ‖f ε₁‖", ["∀", "ε₁", ">", "0", ",", "‖", "f", "ε₁", "‖"]),
        ("⊢ a ∣ b", ["⊢", "a", "∣", "b"]),
        ("", []),
    ],
)
def test_names_give_themselves_and_their_parts_and_symbols_stay(text, wanted):
    assert words(text) == wanted


def bm25_scores(query, texts, k1, b):
    """The formula, document by document (Lucene's: the numerator's constant k1 + 1 is left out)."""
    bags = [Counter(words(text)) for text in texts]
    mean_length = sum(map(Counter.total, bags)) / len(bags)
    scores = []
    for bag in bags:
        score = 0.0
        for word in words(query):
            num_with = sum(word in other for other in bags)
            idf = math.log(1 + (len(bags) - num_with + 0.5) / (num_with + 0.5))
            score += idf * bag[word] / (bag[word] + k1 * (1 - b + b * bag.total() / mean_length))
        scores.append(score)
    return scores


@pytest.mark.parametrize("seed", range(6))
def test_scores_and_order_are_those_of_the_formula_over_accessible_premises(
    seed, random_project, build, tmp_path
):
    rng = np.random.default_rng(seed)
    files, premises, records = random_project(seed)
    vocabulary = ["nat", "le_trans", "Nat.add", "mul", "∀", "x", "<="]
    premises = [
        build.premise(
            p.full_name, p.file, p.span and p.span.begin, " ".join(rng.choice(vocabulary, 6)), p.kind
        )
        for p in premises
    ]
    corpus = PremiseCorpus(premises, files, records)
    texts = [f"{p.full_name}\n{p.statement}" for p in corpus.premises]
    retriever = BM25Retriever(corpus, tmp_path, k1=1.2, b=0.6)
    theorems = [record.theorem for record in records][:8]
    states = [" ".join(rng.choice(vocabulary, 4)) for _ in theorems]
    for state, theorem, found in zip(states, theorems, retriever.retrieve(states, theorems, 5), strict=True):
        scores = bm25_scores(state, texts, 1.2, 0.6)
        allowed = np.flatnonzero(corpus.mask(theorem))
        wanted = sorted((scores[i] for i in allowed), reverse=True)[:5]
        assert [hit.score for hit in found] == pytest.approx(wanted, abs=1e-4)
        assert [scores[hit.number] for hit in found] == pytest.approx(wanted, abs=1e-4)
        assert all(hit.number in allowed and hit.premise == corpus.premises[hit.number] for hit in found)


def test_a_state_of_unknown_words_still_gets_premises(small_corpus, tmp_path):
    corpus, records = small_corpus
    (found,) = BM25Retriever(corpus, tmp_path, 2.5, 1.0).retrieve(["zzz qqq"], [records[0].theorem], 3)
    assert [hit.number for hit in found] == [0, 1, 2]
    (found,) = BM25Retriever(corpus, tmp_path, 2.5, 1.0).retrieve([""], [records[0].theorem], 3)
    assert len(found) == 3


def test_the_index_is_kept_and_made_anew_for_other_premises_or_options(small_corpus, build, tmp_path):
    corpus, records = small_corpus
    BM25Retriever(corpus, tmp_path, 2.5, 1.0)
    (first,) = tmp_path.iterdir()
    times = {p.name: p.stat().st_mtime_ns for p in first.iterdir()}
    BM25Retriever(corpus, tmp_path, 2.5, 1.0)
    assert {p.name: p.stat().st_mtime_ns for p in first.iterdir()} == times
    BM25Retriever(corpus, tmp_path, 2.5, b=0.5)
    BM25Retriever(PremiseCorpus(corpus.premises[1:], [build.file("a.v")], records), tmp_path, 2.5, 1.0)
    assert len(list(tmp_path.iterdir())) == 3


def test_errors_say_what_to_do(small_corpus, tmp_path):
    corpus, _ = small_corpus
    with pytest.raises(ConfigError, match=r"retrieval\.b=1\.5"):
        BM25Retriever(corpus, tmp_path, 2.5, b=1.5)
    BM25Retriever(corpus, tmp_path, 2.5, 1.0)
    (directory,) = tmp_path.iterdir()
    (directory / "params.index.json").write_text("{")
    with pytest.raises(DataError, match=r"is corrupt .*delete it"):
        BM25Retriever(corpus, tmp_path, 2.5, 1.0)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        BM25Retriever(corpus, tmp_path / "file", 2.5, 1.0)
