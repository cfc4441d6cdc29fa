from statistics import mean

from ntp.data.examples import TacticPair
from ntp.modules.supervised_data import TacticDataModule

PAIRS = [TacticPair("x" * i, "auto.") for i in range(1, 401)]


def validation(seed):
    return list(TacticDataModule(PAIRS, PAIRS, 8, seed).val_dataloader())


def test_the_first_validation_batches_are_a_sample_of_all_lengths():
    batches = validation(seed=0)
    assert sorted(len(pair.state) for batch in batches for pair in batch) == list(range(1, 401))
    assert 150 < mean(len(pair.state) for batch in batches[:20] for pair in batch) < 250


def test_every_run_validates_on_the_same_pairs():
    assert validation(seed=0) == validation(seed=1)
