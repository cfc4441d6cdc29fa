import io
import json

import pytest
from rich.console import Console

from ntp.errors import DataError
from ntp.evaluation.inspection import (
    diversity,
    read_results,
    reliability_curves,
    rich_tree,
    solved_overlap,
    widest_tree,
)
from ntp.evaluation.tree import ProofTree, TreeNode
from ntp.jsonl import write_jsonl


@pytest.fixture
def groups(result_of):
    solved = {"sft": ["a", "b"], "gfn": ["b", "c", "d"]}
    return {
        method: [result_of(t, method, [t in theorems, t in theorems, False]) for t in "abcde"]
        for method, theorems in solved.items()
    }


def test_results_are_read_as_they_were_written(tmp_path, groups):
    for method, results in groups.items():
        write_jsonl(tmp_path / f"results-{method}.jsonl", results[::-1])
    assert read_results(tmp_path) == groups
    with pytest.raises(DataError, match="no results"):
        read_results(tmp_path / "nowhere")


def test_overlap_of_known_results(groups):
    table = solved_overlap(groups)
    assert table.to_dict("index") == {
        "sft": {"sft": 2, "gfn": 1, "by it alone": 1},
        "gfn": {"sft": 1, "gfn": 3, "by it alone": 2},
    }


def test_diversity_of_known_results(groups):
    table = diversity(groups)
    assert list(table["distinct proofs"]) == [4, 6]
    assert list(table["per solved theorem"]) == [2, 2]
    assert table.loc["sft", "first-tactic entropy"] == pytest.approx(1.0986, abs=1e-4)  # log 3


def test_reliability_curves_are_of_the_first_seed(tmp_path):
    bins = [{"probability": 0.2, "share_correct": 0.5, "num_tactics": 2}]
    with pytest.raises(DataError, match="force=true"):
        reliability_curves(tmp_path)
    (tmp_path / "reliability.json").write_text(json.dumps({"backbone": [bins, []]}))
    [(name, curve)] = reliability_curves(tmp_path).items()
    assert name == "backbone"
    assert curve.to_dict("records") == bins


def test_without_trees_there_is_no_widest_tree(groups):
    assert widest_tree(groups["sft"]) is None


def test_a_tree_shows_all_paths_to_proofs_and_counts_other_steps():
    nodes = [
        TreeNode(-1, "", 0.0, "reached", "|- P"),
        TreeNode(0, "split", -1.0, "reached", "|- Q", num_tries=3),
        TreeNode(0, "fail", -1.0, "error", "no"),
        TreeNode(0, "lia", -1.0, "error", "no"),
        TreeNode(0, "ring", -1.0, "error", "no"),
        TreeNode(1, "auto", -1.0, "proved", ""),
        TreeNode(1, "x" * 100, -1.0, "proved", ""),
    ]
    out = io.StringIO()
    Console(file=out, width=100).print(rich_tree(ProofTree(tuple(nodes)), max_failures=1))
    assert [line.lstrip("│├└─ ") for line in out.getvalue().splitlines()] == [
        "|- P",
        "split  reached, 3 times",
        "auto  proved",
        "x" * 70 + " …  proved",
        "fail  error",
        "2 more that lead to no proof",
    ]
