import itertools
from types import SimpleNamespace

import pytest

from ntp.envs.toy import ToyEnv
from ntp.errors import DataError
from ntp.modules.datamodules import TheoremDataModule, TheoremSchedule
from ntp.types import Span, Theorem

THEOREMS = [
    Theorem(f"f{file}.{i}", f"f{file}", "", Span(i, i + 1), Span(0, 0)) for file in range(7) for i in range(5)
]


def test_an_epoch_visits_every_theorem_once():
    schedule = TheoremSchedule(THEOREMS, 4, seed=0)
    for epoch in range(3):
        steps = range(epoch * schedule.batches_per_epoch, (epoch + 1) * schedule.batches_per_epoch)
        seen = [theorem.id for step in steps for theorem in schedule.batch(step)]
        assert sorted(seen) == sorted(theorem.id for theorem in THEOREMS)


def test_epochs_differ_and_steps_are_reproducible():
    schedule = TheoremSchedule(THEOREMS, 4, seed=0)
    num = schedule.batches_per_epoch
    first, second = ([schedule.batch(e * num + i) for i in range(num)] for e in range(2))
    assert first != second
    assert [TheoremSchedule(THEOREMS, 4, seed=0).batch(i) for i in range(num)] == first


def test_no_theorem_is_an_error():
    with pytest.raises(DataError, match=r"widen data\.include"):
        TheoremSchedule([], 4, seed=0)


def test_the_pool_lives_from_setup_to_teardown():
    module = TheoremDataModule(THEOREMS, lambda: ToyEnv({}), num_workers=2, batch_size=2, seed=0)
    module.setup("fit")
    pool = module.pool
    module.setup("fit")
    assert module.pool is pool
    module.teardown("fit")
    with pytest.raises(AssertionError):
        _ = module.pool


def test_a_resumed_run_goes_on_behind_the_batches_that_its_steps_took():
    datamodule = TheoremDataModule(THEOREMS, lambda: ToyEnv({}), num_workers=2, batch_size=2, seed=0)
    datamodule.trainer = SimpleNamespace(global_step=3, accumulate_grad_batches=4)
    resumed = next(iter(datamodule.train_dataloader()))
    assert resumed == TheoremSchedule(THEOREMS, 2, seed=0).batch(12)


def test_a_batch_is_no_run_of_neighbours():
    one_file = [Theorem(f"f.{i}", "f", "", Span(i, i + 1), Span(0, 0)) for i in range(40)]
    for theorems, apart in ((one_file, 10), (THEOREMS[:10], 2)):
        schedule = TheoremSchedule(theorems, 4, seed=0)
        for step in range(schedule.batches_per_epoch):
            batch = schedule.batch(step)
            for file in {theorem.file for theorem in batch}:
                begins = sorted(t.declaration.begin for t in batch if t.file == file)
                assert all(later - earlier >= apart for earlier, later in itertools.pairwise(begins))
