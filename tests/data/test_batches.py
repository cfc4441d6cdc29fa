from collections import Counter

import pytest

from ntp.data.batches import BatchSchedule
from ntp.errors import DataError
from ntp.modules.datamodules import StepLoader


def schedule(num=103, batch_size=8, seed=0, **options):
    return BatchSchedule(list(range(num)), [i * 37 % 101 for i in range(num)], batch_size, seed, **options)


def test_an_epoch_shows_no_example_twice_and_drops_less_than_a_batch():
    batches = schedule()
    seen = Counter(x for step in range(batches.batches_per_epoch) for x in batches.batch(step))
    assert max(seen.values()) == 1
    assert 103 - len(seen) == 103 % 8


def test_what_is_dropped_changes_from_epoch_to_epoch():
    batches = schedule()
    seen = {x for step in range(10 * batches.batches_per_epoch) for x in batches.batch(step)}
    assert len(seen) == 103


def test_a_batch_is_a_function_of_step_and_seed():
    in_order = [schedule().batch(step) for step in range(30)]
    assert [schedule().batch(step) for step in reversed(range(30))][::-1] == in_order
    assert [schedule(seed=1).batch(step) for step in range(30)] != in_order


def test_batches_hold_examples_of_similar_length():
    lengths = [i * 37 % 101 for i in range(103)]
    batches = schedule(pool_batches=12)
    spread = [
        max(lengths[x] for x in batch) - min(lengths[x] for x in batch)
        for batch in (batches.batch(step) for step in range(batches.batches_per_epoch))
    ]
    assert max(spread) < 25


def test_a_small_set_is_one_batch():
    assert sorted(schedule(num=3).batch(5)) == [0, 1, 2]


def test_an_empty_set_is_an_error():
    with pytest.raises(DataError, match="no training examples"):
        schedule(num=0)


def test_a_loader_resumes_at_its_step():
    from_start, resumed = iter(StepLoader(schedule(), 0)), iter(StepLoader(schedule(), 5))
    batches = [next(from_start) for _ in range(9)]
    assert [next(resumed) for _ in range(4)] == batches[5:]
