import random
from statistics import fmean

import pytest

from ntp.errors import DataError
from ntp.retrieval.base import Retrieved
from ntp.retrieval.examples import RetrievalExample
from ntp.retrieval.metrics import assess, metrics


class Shuffler:
    """A retriever whose order of premises is a function of the state, so that tests can compute it too."""

    def __init__(self, num_premises, premise):
        self.num_premises = num_premises
        self.premise = premise

    def order(self, state):
        return random.Random(state).sample(range(self.num_premises), self.num_premises)

    def retrieve(self, states, theorems, num):
        return [[Retrieved(self.premise, n, 0.0) for n in self.order(state)[:num]] for state in states]


@pytest.mark.parametrize("num_premises", [15, 300])
def test_metrics_agree_with_their_definitions(num_premises, build):
    rng = random.Random(0)
    theorem = build.theorem("t", "a.v", 0)
    examples = [
        RetrievalExample(f"s{i}", theorem, tuple(rng.sample(range(num_premises), rng.randrange(1, 5))))
        for i in range(150)
    ]
    retriever = Shuffler(num_premises, build.premise("M.p", "a.v"))
    rows = {"recall_at_1": [], "recall_at_10": [], "mrr": []}
    for example in examples:
        order = retriever.order(example.state)
        ranks = [order.index(number) + 1 for number in example.used]
        rows["recall_at_1"].append(sum(rank <= 1 for rank in ranks) / len(ranks))
        rows["recall_at_10"].append(sum(rank <= 10 for rank in ranks) / len(ranks))
        rows["mrr"].append(1 / min(ranks) if min(ranks) <= 100 else 0.0)
    measured = assess(retriever, examples)
    assert measured.pop("num_steps") == 150
    assert measured == pytest.approx({name: fmean(values) for name, values in rows.items()}, abs=1e-6)


@pytest.mark.parametrize(
    ("ranked", "used", "recall_at_1", "recall_at_10", "mrr"),
    [
        ([5, 3, 7], (3, 7), 0.0, 1.0, 1 / 2),
        ([3, 5, 7], (3, 7), 1 / 2, 1.0, 1.0),
        ([2], (1,), 0.0, 0.0, 0.0),  # the used premise was not retrieved
        ([2, 1], (1, 8, 9), 0.0, 1 / 3, 1 / 2),  # two of three were not
        ([*range(10), 77], (77,), 0.0, 0.0, 1 / 11),
        ([*range(100), 101], (101,), 0.0, 0.0, 0.0),  # ranks after the 100th do not count
        ([], (4,), 0.0, 0.0, 0.0),
    ],
)
def test_metrics_of_known_ranks(ranked, used, recall_at_1, recall_at_10, mrr, build):
    example = RetrievalExample("s", build.theorem("t", "a.v", 0), used)
    expected = {"recall_at_1": recall_at_1, "recall_at_10": recall_at_10, "mrr": mrr, "num_steps": 1}
    assert metrics([ranked], [example]) == pytest.approx(expected)


def test_every_step_has_the_same_weight(build):
    theorem = build.theorem("t", "a.v", 0)
    examples = [RetrievalExample("s", theorem, (3, 7)), RetrievalExample("s", theorem, (1,))]
    measured = metrics([[5, 3, 7], [2]], examples)
    assert measured == pytest.approx({"recall_at_1": 0.0, "recall_at_10": 0.5, "mrr": 0.25, "num_steps": 2})


def test_no_example_is_an_error(build):
    with pytest.raises(DataError, match="no step uses an accessible premise"):
        assess(Shuffler(1, build.premise("M.p", "a.v")), [])
