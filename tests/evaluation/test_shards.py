from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp.errors import ConfigError, DataError
from ntp.evaluation.shards import Shard, cut, merge_shards

COSTS = st.lists(st.floats(0.01, 100), min_size=1, max_size=60)


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_shards_are_a_partition_of_even_parts_in_order(count):
    whole = list(range(20))
    parts = [whole[Shard.parse(f"{i}/{count}").of([1.0] * 20)] for i in range(count)]
    assert [item for part in parts for item in part] == whole
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(COSTS, st.data())
def test_no_run_is_empty_and_none_costs_more_than_its_share_and_its_ends(costs, data):
    count = data.draw(st.integers(1, len(costs)))
    positions = cut(costs, count)
    assert positions[0] == 0 and positions[-1] == len(costs)
    runs = [costs[a:b] for a, b in pairwise(positions)]
    assert all(runs)
    fair = sum(costs) / count
    for run in runs:
        assert len(run) == 1 or sum(run) <= fair + max(costs) * (1 + 1e-9)


def test_runs_follow_the_costs():
    assert cut([9, 1, 1, 1, 1, 1, 1, 1, 1, 1], 2) == [0, 1, 10]
    assert cut([1, 1, 1, 97], 4) == [0, 1, 2, 3, 4]
    assert cut([97, 1, 1, 1], 4) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("text", ["2/2", "1", "a/b", "-1/3", "0/0", "1/2/3"])
def test_a_shard_that_is_none(text):
    with pytest.raises(ConfigError, match=r"shard=.*: give i/n"):
        Shard.parse(text)


def test_more_shards_than_theorems():
    with pytest.raises(ConfigError, match="3 shards for 2 theorems"):
        Shard(0, 3).of([1.0, 1.0])


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
