import pytest
from rich.console import Console

from ntp.evaluation.results import TheoremOutcome
from ntp.evaluation.table import (
    attempt_rows,
    by_method,
    flat_summary,
    markdown_table,
    rich_table,
    summarize,
    table_rows,
    theorem_rows,
)


@pytest.fixture
def summaries(result_of):
    sft = [
        result_of("a", "sft", successes=[True, False] * 4),
        result_of("b", "sft", successes=[False] * 8),
        result_of("c", "sft", outcome=TheoremOutcome.INIT_ERROR),
    ]
    one_shot = [result_of(name, "one_shot", successes=[False], independent=False) for name in "abc"]
    return [summarize(method, group) for method, group in by_method([*sft, *one_shot]).items()]


def test_flat_summary(summaries):
    flat = flat_summary(summaries)
    assert all(isinstance(value, int | float) for value in flat.values())
    assert flat["num_theorems"] == 3
    assert flat["sft/num_solved"] == 1
    assert flat["sft/solved_rate"] == pytest.approx(1 / 3)
    assert flat["sft/num_distinct_proofs"] == 4
    assert flat["sft/env_steps"] == 32
    assert flat["sft/wall_s"] == pytest.approx(1.5)
    assert flat["sft/pass_at_1"] == pytest.approx(0.5 / 3)
    assert flat["sft/pass_at_8"] == pytest.approx(1 / 3)
    assert "sft/pass_at_32" not in flat
    assert "one_shot/pass_at_1" not in flat


def test_denominators_add_up(summaries):
    for header, rows in (theorem_rows(summaries), attempt_rows(summaries)):
        for row in rows:
            assert len(row) == len(header)
            assert sum(map(int, row[2:])) == int(row[1])
    assert theorem_rows(summaries)[1][0] == ["sft", "3", "1", "1", "0", "0", "0", "1", "0"]
    assert attempt_rows(summaries)[1][0] == ["sft", "16", "4", "12", "0", "0", "0", "0", "0"]


def test_tables_show_every_number(summaries):
    header, rows = table_rows(summaries)
    assert all(len(row) == len(header) for row in rows)
    markdown = markdown_table(header, rows).splitlines()
    assert len(markdown) == 4
    assert "1 of 3, 33.3% [0.0%, 100.0%]" in markdown[2]
    console = Console(width=200)
    with console.capture() as capture:
        console.print(rich_table("held out", header, rows))
    assert "1 of 3, 33.3% [0.0%, 100.0%]" in capture.get()


def test_a_bar_in_a_cell_is_escaped_in_markdown():
    assert markdown_table(["a", "b"], [["x | y", "1"]]).splitlines()[2] == "| x \\| y | 1 |"


def test_methods_must_have_the_same_theorems(result_of):
    with pytest.raises(ValueError, match="method gfn"):
        by_method([result_of("a", "sft"), result_of("b", "gfn")])
    with pytest.raises(ValueError, match="method sft"):
        by_method([result_of("a", "sft"), result_of("a", "sft")])
