import math
from collections import Counter

import pytest

from ntp.policy.distinct import sample_distinct
from ntp.policy.prompt import SampleRequest, SamplingParams
from ntp.types import Tactic
from tests.policy.test_sampler import exact_distribution

STATE = "a b"


def draws(*seeds: int, temperature: float = 1.0) -> tuple[SamplingParams, ...]:
    return tuple(SamplingParams(seed, temperature) for seed in seeds)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (0.7, 0.8)])
def test_what_is_not_excluded_keeps_its_share(make_micro, temperature, top_p):
    """One draw each time: the exact distribution, given that the likeliest tactics are not sampled."""
    policy = make_micro(top_p=top_p)
    exact = exact_distribution(policy, STATE, temperature, top_p)
    many = SampleRequest(STATE, draws(*range(400), temperature=temperature))
    found = {tactic.token_ids: tactic for tactic in policy.sample([many])[0]}
    likely = sorted(found, key=lambda ids: -exact[ids])[:3]
    for ids in likely:
        assert found[ids].log_q == pytest.approx(math.log(exact[ids]), abs=1e-4)
    excluded = tuple(found[ids] for ids in likely)
    num_draws = 3000
    requests = [
        SampleRequest(STATE, draws(seed, temperature=temperature), exclude=excluded)
        for seed in range(num_draws)
    ]
    counts = Counter(tactic.token_ids for row in policy.sample(requests) for tactic in row)
    assert counts.keys() <= exact.keys() - set(likely)
    left = 1 - sum(exact[ids] for ids in likely)
    texts = {policy.decode_tactic(ids) for ids in likely}
    cells = []
    for ids, p in exact.items():
        expected = p / left * num_draws
        # Another spelling of an excluded text is sampled and then refused.
        if ids not in likely and expected >= 5 and policy.decode_tactic(ids) not in texts:
            cells.append((counts[ids], expected))
    statistic = sum((observed - expected) ** 2 / expected for observed, expected in cells)
    assert len(cells) >= 3
    assert statistic < len(cells) + 4 * math.sqrt(2 * len(cells))


def test_a_peaked_policy_gives_another_tactic_each_time(make_micro):
    policy = make_micro()
    request = SampleRequest(STATE, draws(*range(12), temperature=0.2))
    (repeated,) = policy.sample([request])
    assert len({tactic.text for tactic in repeated}) < 6
    (distinct,) = policy.sample([SampleRequest(STATE, request.draws, exclude=())])
    assert len({tactic.text for tactic in distinct}) == len(distinct) == 12
    (more,) = policy.sample([SampleRequest(STATE, request.draws, exclude=tuple(distinct))])
    assert len({tactic.text for tactic in (*distinct, *more)}) == 24


def test_all_tactics_are_found_once_and_then_no_more(make_micro):
    policy = make_micro(num_words=2, max_tactic_tokens=2)
    exact = exact_distribution(policy, STATE)
    texts = {policy.decode_tactic(ids) for ids in exact}
    (found,) = policy.sample([SampleRequest(STATE, draws(*range(3 * len(exact))), exclude=())])
    assert sorted(tactic.text for tactic in found) == sorted(texts)
    (none,) = policy.sample([SampleRequest(STATE, draws(1, 2), exclude=tuple(found))])
    assert none == []


def test_requests_of_both_kinds_go_together(make_micro):
    policy = make_micro()
    plain = SampleRequest("a", draws(1, 2, 3, temperature=0.05))
    rows = policy.sample([plain, SampleRequest(STATE, draws(4, 5, 6, temperature=0.05), exclude=())])
    assert [t.token_ids for t in rows[0]] == [t.token_ids for t in policy.sample([plain])[0]]
    assert len({tactic.text for tactic in rows[1]}) == 3


def test_spellings_of_one_text_are_one_tactic():
    """Three of four token sequences have one text: it is returned once, and the passes come to an end."""
    spellings = [Tactic("auto.", (1,)), Tactic("auto.", (2,)), Tactic("auto.", (3,)), Tactic("easy.", (4,))]
    passes = []

    def sample_new(requests):
        passes.append(requests)
        (request,) = requests
        left = [t for t in spellings if t.token_ids not in {e.token_ids for e in request.exclude}]
        return [[left[0] if left else None for _ in request.draws]]

    (row,) = sample_distinct([SampleRequest(STATE, draws(1, 2, 3), exclude=())], sample_new)
    assert [tactic.text for tactic in row] == ["auto.", "easy."]
    assert len(passes) == 5
