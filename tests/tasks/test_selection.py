import pytest

from ntp.data.dataset import Dataset
from ntp.errors import DataError
from ntp.tasks.selection import load_split, named_theorems, require_proofs, sample_theorems


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


def test_theorems_are_chosen_by_id_or_by_its_last_part(lean_context, tmp_path):
    context = lean_context("sft")
    dataset = Dataset.load(context.inputs["dataset"])
    (tmp_path / "names.txt").write_text("Main.twice\n\n  nothing \n")
    named = named_theorems(["once"], str(tmp_path / "names.txt"))
    assert named == {"once", "Main.twice", "nothing"}
    chosen = sample_theorems(context.cfg, dataset, "train", None, named=named)
    assert [record.theorem.id for record in chosen] == ["Main.twice"]
    assert [
        r.theorem.id for r in sample_theorems(context.cfg, dataset, "train", None, named=frozenset({"twice"}))
    ] == ["Main.twice"]
    with pytest.raises(DataError, match=r"evaluation\.theorems_file=/nowhere: cannot be read"):
        named_theorems([], "/nowhere")
