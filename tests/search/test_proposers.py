from dataclasses import replace

import pytest

from ntp.data.records import PremiseRecord
from ntp.policy.prompt import SampleRequest, SamplingParams
from ntp.retrieval.augmentation import Augmentation
from ntp.retrieval.base import Retrieved
from ntp.search.proposers import AugmentedProposer, Beginning
from ntp.types import Span, Tactic, Theorem

THEOREMS = [Theorem(name, "f.v", "", Span(0, 1), Span(1, 2)) for name in ("first", "second")]


class Recorder:
    def __init__(self):
        self.requests = []

    def sample(self, requests):
        self.requests += requests
        return [[Tactic(request.state) for _ in request.draws] for request in requests]


class OwnName:
    """Retrieves one premise, named after the theorem asked for."""

    def retrieve(self, states, theorems, num):
        return [[Retrieved(PremiseRecord(t.id, "Lemma", "", "f.v", None), 0, 1.0)] for t in theorems]


def test_the_proposer_reads_the_premises_of_each_theorem_and_nothing_else_changes():
    inner = Recorder()
    requests = [
        SampleRequest(f"⊢ {i}", (SamplingParams(i), SamplingParams(9)), theorem)
        for i, theorem in enumerate(THEOREMS)
    ]
    rows = AugmentedProposer(inner, Augmentation(OwnName(), 100, 2048)).sample(requests)
    wanted = ["<a>first</a>\n\n⊢ 0", "<a>second</a>\n\n⊢ 1"]
    assert inner.requests == [replace(r, state=s) for r, s in zip(requests, wanted, strict=True)]
    assert [[tactic.text for tactic in row] for row in rows] == [[s, s] for s in wanted]


def test_a_request_without_its_theorem_is_refused():
    proposer = AugmentedProposer(Recorder(), Augmentation(OwnName(), 100, 2048))
    with pytest.raises(ValueError, match="without its theorem"):
        proposer.sample([SampleRequest("⊢ 0", (SamplingParams(0),))])


def test_draws_that_name_their_tactic_get_it_and_the_others_are_sampled_in_order():
    inner = Recorder()
    given, free = SamplingParams(0, first="intros."), SamplingParams(1)
    requests = [
        SampleRequest("a", (free, given, free)),
        SampleRequest("b", (given,)),
        SampleRequest("c", (free,)),
    ]
    rows = Beginning(inner).sample(requests)
    assert [[t.text for t in row] for row in rows] == [["a", "intros.", "a"], ["intros."], ["c"]]
    assert [(r.state, len(r.draws)) for r in inner.requests] == [("a", 2), ("c", 1)]
