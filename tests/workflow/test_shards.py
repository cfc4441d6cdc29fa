from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp.errors import ConfigError, DataError
from ntp.evaluation.costs import Cost
from ntp.workflow.shards import Shard, cut, merge_shards

SEARCHES = st.lists(st.floats(0.01, 100), min_size=1, max_size=60)
FILES = st.lists(
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20)), min_size=1, max_size=4),
    min_size=1,
    max_size=3,
)


def costs_of(searches):
    return [Cost(search) for search in searches]


def run_cost(costs):
    """What a shard costs: its searches, and each of its files up to the last theorem."""
    replays = {}
    for cost in costs:
        replays[cost.file] = max(replays.get(cost.file, 0), cost.replay)
    return sum(cost.search for cost in costs) + sum(replays.values())


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_shards_are_a_partition_of_even_parts_in_order(count):
    whole = list(range(20))
    parts = [whole[Shard.parse(f"{i}/{count}").of(costs_of([1.0] * 20))] for i in range(count)]
    assert [item for part in parts for item in part] == whole
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(SEARCHES, st.data())
def test_no_run_is_empty_and_none_costs_more_than_its_share_and_a_theorem(searches, data):
    count = data.draw(st.integers(1, len(searches)))
    positions = cut(costs_of(searches), count)
    assert positions[0] == 0 and positions[-1] == len(searches)
    runs = [searches[a:b] for a, b in pairwise(positions)]
    assert all(runs)
    for run in runs:
        assert sum(run) <= (sum(searches) / count + max(searches)) * (1 + 1e-9)


@given(FILES, st.data())
def test_no_other_cuts_make_the_costliest_run_cheaper(files, data):
    costs = [
        Cost(search, f"{number}.v", replay)
        for number, theorems in enumerate(files)
        for (search, _), replay in zip(theorems, sorted(r for _, r in theorems), strict=True)
    ]
    count = data.draw(st.integers(1, len(costs)))

    def costliest(positions):
        return max(run_cost(costs[a:b]) for a, b in pairwise(positions))

    cuts = combinations(range(1, len(costs)), count - 1)
    best = min(costliest([0, *inner, len(costs)]) for inner in cuts)
    assert costliest(cut(costs, count)) == pytest.approx(best)


def test_runs_follow_the_costs():
    assert cut(costs_of([9, 1, 1, 1, 1, 1, 1, 1, 1, 1]), 2) == [0, 1, 10]
    assert cut(costs_of([1, 1, 1, 97]), 4) == [0, 1, 2, 3, 4]
    assert cut(costs_of([97, 1, 1, 1]), 4) == [0, 1, 2, 3, 4]


def test_a_file_that_takes_long_to_replay_is_not_cut():
    long, short = [Cost(1, "long.v", replay) for replay in (8, 9)], [Cost(1, "short.v")] * 6
    assert cut([*short, *long], 2) == [0, 6, 8]
    assert cut([Cost(1, file="a.v")] * 8, 2) == [0, 4, 8]


@pytest.mark.parametrize("text", ["2/2", "1", "a/b", "-1/3", "0/0", "1/2/3"])
def test_a_shard_that_is_none(text):
    with pytest.raises(ConfigError, match=r"shard=.*: give i/n"):
        Shard.parse(text)


def test_more_shards_than_theorems():
    with pytest.raises(ConfigError, match="3 shards for 2 theorems"):
        Shard(0, 3).of(costs_of([1.0, 1.0]))


def test_parts_become_the_whole_in_its_order(result_of):
    names = [f"t{i}" for i in range(6)]
    results = [result_of(name, "m", successes=[1]) for name in names]
    assert merge_shards(names, [results[3:], results[:3]]) == results


def test_parts_that_make_no_whole(result_of):
    names = [f"t{i}" for i in range(4)]
    results = [result_of(name, "m", successes=[1]) for name in names]
    with pytest.raises(DataError, match=r"1 theorems missing \(first: t3\)"):
        merge_shards(names, [results[:3]])
    with pytest.raises(DataError, match="1 theorems double"):
        merge_shards(names, [results, results[:1]])
    with pytest.raises(DataError, match="1 theorems not asked for"):
        merge_shards(names[1:], [results])
