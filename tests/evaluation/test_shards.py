import pytest

from ntp.errors import ConfigError, DataError
from ntp.evaluation.shards import Shard, merge_results
from ntp.types import Span, Theorem


def theorems(num):
    return [Theorem(f"t{i:02}", f"{i // 3}.v", "", Span(i, i), Span(i, i)) for i in range(num)]


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_shards_are_a_partition_of_even_parts_in_order(count):
    whole = theorems(20)
    parts = [Shard.parse(f"{i}/{count}").select(whole) for i in range(count)]
    assert [t for part in parts for t in part] == whole
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["2/2", "1", "a/b", "-1/3", "0/0", "1/2/3"])
def test_a_shard_that_is_none(text):
    with pytest.raises(ConfigError, match=r"evaluation\.shard=.*: give i/n"):
        Shard.parse(text)


def test_more_shards_than_theorems():
    with pytest.raises(ConfigError, match="3 shards for 2 theorems"):
        Shard(0, 3).select(theorems(2))


def test_parts_become_the_whole_in_its_order(result_of):
    whole = theorems(6)
    results = {t.id: result_of(t.id, "m", successes=[1]) for t in whole}
    parts = [[results[t.id] for t in Shard(i, 2).select(whole)] for i in range(2)]
    assert merge_results(whole, parts[::-1]) == [results[t.id] for t in whole]


def test_parts_that_make_no_whole(result_of):
    whole = theorems(4)
    results = [result_of(t.id, "m", successes=[1]) for t in whole]
    with pytest.raises(DataError, match=r"1 theorems missing \(first: t03\)"):
        merge_results(whole, [results[:3]])
    with pytest.raises(DataError, match="1 theorems double"):
        merge_results(whole, [results, results[:1]])
    with pytest.raises(DataError, match="1 theorems not asked for"):
        merge_results(whole[1:], [results])
