import random

import pytest

from ntp.errors import ConfigError
from ntp.retrieval.augmentation import Augmentation, augmented
from ntp.retrieval.base import Retrieved


@pytest.fixture
def hits(build):
    texts = ["Lemma a : ∀ x.", "Lemma b : " + "y" * 50, "Lemma c : z."]
    premises = [build.premise(f"M.{t[6]}", "f.v", 0, t) for t in texts]
    return [Retrieved(p, i, 1.0 - i) for i, p in enumerate(premises)]


def test_the_best_premise_stands_next_to_the_state(hits):
    wanted = f"Lemma <a>M.c</a> : z.\n\nLemma <a>M.b</a> : {'y' * 50}\n\nLemma <a>M.a</a> : ∀ x.\n\n⊢ s"
    assert augmented("⊢ s", hits, 1000) == wanted
    assert augmented("⊢ s", [], 1000) == "⊢ s"


def test_the_budget_is_kept_in_bytes_and_what_does_not_fit_is_passed_over(hits):
    whole = augmented("⊢ s", hits, 1000)
    assert augmented("⊢ s", hits, len(whole.encode())) == whole
    assert augmented("⊢ s", hits, len(whole.encode()) - 1) == "\n\n".join(
        ["Lemma <a>M.b</a> : " + "y" * 50, "Lemma <a>M.a</a> : ∀ x.", "⊢ s"]
    )
    assert augmented("⊢ s", hits, 60) == "Lemma <a>M.c</a> : z.\n\nLemma <a>M.a</a> : ∀ x.\n\n⊢ s"
    assert augmented("⊢ s", hits, 1) == "⊢ s"
    for budget in random.Random(0).sample(range(6, 200), 50):
        assert len(augmented("⊢ s", hits, budget).encode()) <= budget


def test_every_state_gets_the_premises_of_its_theorem(hits, build):
    class Retriever:
        def retrieve(self, states, theorems, num):
            return [[hits[int(t.id)]][:num] for t in theorems]

    theorems = [build.theorem(str(i), "f.v", 0) for i in (2, 0)]
    states = Augmentation(Retriever(), 1, 1000)(["s", "t"], theorems)
    assert states == ["Lemma <a>M.c</a> : z.\n\ns", "Lemma <a>M.a</a> : ∀ x.\n\nt"]


@pytest.mark.parametrize("limits", [{"num_premises": 0}, {"max_bytes": 0}])
def test_a_limit_that_leaves_nothing_is_an_error(limits):
    with pytest.raises(ConfigError, match=f"retrieval.{next(iter(limits))}=0"):
        Augmentation(None, **{"num_premises": 1, "max_bytes": 1, **limits})
