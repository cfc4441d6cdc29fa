from collections import Counter

from mlflow.utils.validation import _validate_metric_name

from ntp.data.statistics import SplitStatistics
from ntp.tasks import statistics


def test_numbers_are_printed_and_returned(lean_context, capsys):
    numbers = statistics.run(lean_context("data_statistics"))
    printed = capsys.readouterr().out
    assert (numbers["all/num_theorems"], numbers["train/num_tactics"], numbers["num_premises"]) == (4, 3, 4)
    assert numbers["train/num_premises_unlocated"] == 1
    assert numbers["head/exact"] == 2
    assert numbers["test/num_statements_in_train"] == 0
    assert all(isinstance(value, int | float) for value in numbers.values())
    for text in ("num_theorems_without_tactics", "lean, split random", "constructor", "50.0%"):
        assert text in printed


def test_tactics_of_any_name_can_be_metrics():
    heads = Counter({"induction'": 3, "exact?": 2, "exact!": 1, "{": 1, "Nat.rec": 1, "//..": 1, "": 1})
    metrics = statistics.head_metrics(SplitStatistics({}, {}, heads))
    assert metrics["head/induction_"] == metrics["head/exact_"] == 3
    assert sum(metrics.values()) == heads.total()
    for name in metrics:
        _validate_metric_name(name)
