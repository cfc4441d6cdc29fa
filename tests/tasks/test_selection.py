import pytest

from ntp.data.dataset import Dataset
from ntp.errors import DataError
from ntp.tasks.selection import load_split, require_proofs, sample_theorems


def test_the_split_of_a_benchmark_is_its_own(lean_context):
    context = lean_context("sft")
    dataset = Dataset.load(context.inputs["dataset"])
    assert load_split(context.cfg, dataset).train == ("Main.twice", "Main.twice#2")
    context.cfg.data.split.kind = "novel_premises"
    assert load_split(context.cfg, dataset).train == ("Logic.first", "Main.term")
    assert [r.theorem.id for r in sample_theorems(context.cfg, dataset, "test", 5)] == ["Main.twice"]
    context.cfg.data.split.test_files = ["Small/*.lean"]
    with pytest.raises(DataError, match=r"data\.split\.test_files cannot choose its test part"):
        load_split(context.cfg, dataset)


def test_statements_without_proofs_cannot_be_learned_from(statements):
    with pytest.raises(DataError, match="1 theorems holds statements without proofs"):
        require_proofs(statements)
