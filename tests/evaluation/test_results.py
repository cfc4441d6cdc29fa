import json

import pytest

from ntp.errors import DataError
from ntp.evaluation.results import TheoremOutcome, read_results, write_results
from ntp.evaluation.tree import ProofTree, TreeNode


def test_results_survive_the_round_trip(tmp_path, result_of):
    tree = ProofTree((TreeNode(-1, "", 0.0, "reached", "⊢ P"), TreeNode(0, "auto", -0.5, "proved", "")), 7)
    results = [
        result_of("a", successes=[True, False]),
        result_of("b", outcome=TheoremOutcome.INIT_ERROR),
    ]
    object.__setattr__(results[0], "tree", tree)
    path = tmp_path / "results.jsonl"
    write_results(path, results)
    assert read_results(path) == results
    assert [p.name for p in tmp_path.iterdir()] == ["results.jsonl"]


def test_a_lone_surrogate_in_a_tactic_survives_the_round_trip(tmp_path, result_of):
    result = result_of("a\ud800", successes=[True])
    write_results(tmp_path / "r.jsonl", [result])
    assert read_results(tmp_path / "r.jsonl") == [result]


@pytest.mark.parametrize(
    "damage", [lambda line: line[:-20], lambda line: "{}", lambda line: "[1]", lambda line: ""]
)
def test_a_corrupt_line_is_named(tmp_path, result_of, damage):
    path = tmp_path / "results.jsonl"
    write_results(path, [result_of("a", successes=[True])])
    good = path.read_text().rstrip("\n")
    path.write_text(f"{good}\n{damage(good)}\n")
    with pytest.raises(DataError, match=r"results\.jsonl:2: corrupt result line"):
        read_results(path)


def test_another_schema_version_is_refused(tmp_path, result_of):
    path = tmp_path / "results.jsonl"
    write_results(path, [result_of("a")])
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(DataError, match="schema 99, expected 1"):
        read_results(path)


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        read_results(tmp_path / "absent.jsonl")


def test_successes_are_attempts_whose_proof_was_verified(result_of):
    result = result_of("a", successes=[True, False, True])
    assert result.num_successes == 2
    assert result.first_proof is not None
    assert result.first_proof.tactics == ("t0",)
    assert result.status_counts == {"proved": 2, "stuck": 1}
