import pytest

from ntp.data.dataset import Dataset
from ntp.data.lean.import_benchmark import import_leandojo, import_statements
from ntp.data.lean.leandojo import LeanDojoBenchmark
from ntp.data.recorded_splits import load_recorded_split, recorded_kinds
from ntp.errors import DataError


def test_a_benchmark_becomes_a_data_set(benchmark_parts, write_benchmark, tmp_path):
    source = write_benchmark(tmp_path / "benchmark", benchmark_parts())
    summary = import_leandojo(source, tmp_path / "data")
    dataset, benchmark = Dataset.load(tmp_path / "data"), LeanDojoBenchmark.read(source)
    assert tuple(dataset.records.values()) == tuple(benchmark.theorems())
    assert dataset.premises == tuple(benchmark.premises())
    assert dataset.files == tuple(benchmark.files())
    assert recorded_kinds(dataset) == ("novel_premises", "random")
    for kind, parts in benchmark.parts.items():
        split = load_recorded_split(dataset, kind)
        assert (split.train, split.val, split.test) == (parts["train"], parts["val"], parts["test"])
    counts = {name: value for name, value in summary.items() if name != "seconds"}
    assert counts == {
        "num_files": 3,
        "num_theorems": 4,
        "num_theorems_without_tactics": 1,
        "num_proofs_not_closed": 1,
        "num_steps": 4,
        "num_premises": 4,
        "num_premises_used": 3,
        "num_premises_unlocated": 1,
        "num_steps_without_goal": 1,
        "num_repeated_theorems": 0,
    }


def test_a_damaged_benchmark_leaves_no_data_set(benchmark_parts, write_benchmark, tmp_path):
    parts = benchmark_parts()
    parts["random/test.json"][0]["end"] = [0, 0]
    with pytest.raises(DataError, match="outside its file"):
        import_leandojo(write_benchmark(tmp_path / "benchmark", parts), tmp_path / "data")
    with pytest.raises(DataError, match="no data set here"):
        Dataset.load(tmp_path / "data")


def test_statements_become_a_data_set_without_proofs(tmp_path):
    (tmp_path / "list.txt").write_text("theorem a : 1 = 1\ntheorem b : 2 = 2\n")
    summary = import_statements(tmp_path / "list.txt", tmp_path / "data", "import Mathlib\n")
    dataset = Dataset.load(tmp_path / "data")
    assert (summary["test/num_theorems"], summary["num_steps"]) == (2, 0)
    assert (dataset.metadata.num_steps, dataset.premises) == (0, ())
    assert load_recorded_split(dataset, "given").test == ("a", "b")
    assert [file.num_theorems for file in dataset.files] == [2]
