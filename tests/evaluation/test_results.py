from dataclasses import replace

from ntp.evaluation.results import TheoremOutcome, TheoremResult
from ntp.evaluation.tree import ProofTree, TreeNode
from ntp.jsonl import read_jsonl, write_jsonl


def test_results_survive_the_round_trip(tmp_path, result_of):
    tree = ProofTree((TreeNode(-1, "", 0.0, "reached", "⊢ P"), TreeNode(0, "auto", -0.5, "proved", "")), 7)
    results = [
        replace(result_of("a", successes=[True, False]), tree=tree),
        result_of("b", outcome=TheoremOutcome.INIT_ERROR),
    ]
    path = tmp_path / "results.jsonl"
    write_jsonl(path, results)
    assert list(read_jsonl(path, TheoremResult)) == results


def test_successes_are_sampled_proofs_that_were_accepted(result_of):
    result = result_of("a", successes=[True, False, True])
    assert result.num_successes == 2
    assert result.status_counts == {"proved": 2, "stuck": 1}
