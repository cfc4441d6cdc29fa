import json

import pytest

from ntp.data.dataset import Dataset
from ntp.data.lean.import_benchmark import import_leandojo
from ntp.data.recorded_splits import load_recorded_split
from ntp.errors import DataError


@pytest.fixture
def dataset(benchmark_parts, write_benchmark, tmp_path):
    import_leandojo(write_benchmark(tmp_path / "benchmark", benchmark_parts()), tmp_path / "data")
    return Dataset.load(tmp_path / "data")


def test_verifiers_get_whole_files_of_the_training_side(dataset):
    whole = load_recorded_split(dataset, "novel_premises")
    parted = load_recorded_split(dataset, "novel_premises", seed=0, verifier_fraction=0.25)
    assert sorted((*parted.train, *parted.verifier)) == sorted(whole.train)
    assert len(parted.train) == len(parted.verifier) == 1
    assert (parted.val, parted.test) == (whole.val, whole.test)
    assert parted.content_hash != whole.content_hash
    with pytest.raises(DataError, match="leaves the train or the verifier split empty"):
        load_recorded_split(dataset, "random", verifier_fraction=0.5)


def test_a_split_that_did_not_come_along(dataset):
    with pytest.raises(
        DataError, match=r"none called 'given': set data\.split\.kind to one of novel_premises, random"
    ):
        load_recorded_split(dataset, "given")


def test_a_changed_split_and_one_of_other_theorems(dataset):
    path = dataset.directory / "splits/recorded/random.json"
    text = path.read_text()
    changed = json.loads(text)
    changed["val"] = []
    path.write_text(json.dumps(changed))
    with pytest.raises(DataError, match="does not match its hash"):
        load_recorded_split(dataset, "random")
    path.write_text(text)
    metadata = dataset.directory / "metadata.json"
    metadata.write_text(metadata.read_text().replace(dataset.metadata.content_hash, "0" * 64))
    with pytest.raises(DataError, match="made from other theorems"):
        load_recorded_split(Dataset.load(dataset.directory), "random")
