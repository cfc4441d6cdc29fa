import json

import pytest

from ntp.evaluation.report import build_report, headline, markdown, page, summary_metrics
from ntp.evaluation.results import TheoremResult
from ntp.jsonl import read_jsonl, write_jsonl


@pytest.fixture
def results(result_of):
    successes = {
        "one_shot": [[1], [0], [0]],
        "sft": [[1, 0], [0, 0], [1, 1]],
        "gfn_tb": [[1, 1], [0, 1], [1, 1]],
    }
    return [
        result_of(f"thm_{i}", method, successes=row, independent=method != "one_shot")
        for method, rows in successes.items()
        for i, row in enumerate(rows)
    ]


def test_a_report_is_recomputed_from_written_results(tmp_path, results):
    report = build_report("held out", results, "sft", 0, 2000)
    write_jsonl(tmp_path / "results.jsonl", results)
    read = list(read_jsonl(tmp_path / "results.jsonl", TheoremResult))
    again = build_report("held out", read, "sft", 0, 2000)
    assert again == report
    assert (markdown(again), page(again)) == (markdown(report), page(report))


def test_summary_has_the_numbers_of_every_method_and_is_flat(results):
    summary = summary_metrics(build_report("held out", results, "sft", 0, 2000))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["num_theorems"] == 3
    for method, num_solved, num_distinct in [("one_shot", 1, 1), ("sft", 2, 3), ("gfn_tb", 3, 5)]:
        assert summary[f"{method}/num_solved"] == num_solved
        assert summary[f"{method}/num_distinct_proofs"] == num_distinct
        assert f"{method}/env_steps" in summary
        assert f"{method}/wall_s" in summary
    assert summary["gfn_tb/distinct_ratio_vs_sft"] == pytest.approx(5 / 3)


def test_markdown_lists_every_theorem_and_every_denominator(results):
    text = markdown(build_report("held out", results, "sft", 0, 2000))
    assert "| `thm_0` | `Demo.v` | proved, 1 | proved, 1 | proved, 2 |" in text
    assert "| gfn_tb / sft |" in text
    assert "## Theorems by outcome" in text


def test_without_a_baseline_nothing_is_compared(results):
    report = build_report("held out", results, None, 0, 2000)
    assert report.comparisons == ()
    assert "Paired comparison" not in markdown(report)
    assert headline(report).row_count == len(report.summaries)


def test_nothing_to_report():
    with pytest.raises(ValueError, match="no results"):
        build_report("empty", [], None, 0, 2000)
