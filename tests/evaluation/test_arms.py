import pytest

from ntp.errors import ConfigError
from ntp.evaluation.arms import arm_name, arm_rows, arms_of, require_arms, summarize_arm
from ntp.evaluation.metrics import bootstrap_mean
from ntp.evaluation.report import build_report, markdown, page, summary_metrics
from ntp.evaluation.table import by_method

# Samples of each of the theorems a and b by method: gfn has two seeds, sft and ei have one.
SUCCESSES = {
    "gfn@0": ([1, 1, 0, 0], [1, 0, 0, 0]),
    "gfn@1": ([1, 0, 0, 0], [0, 0, 0, 0]),
    "sft": ([1, 0, 0, 0], [0, 0, 0, 0]),
    "gfn_best_first@0": ([1], [1]),
    "gfn_best_first@1": ([0], [1]),
    "ei@3": ([0, 0, 0, 0], [0, 0, 0, 0]),
}


@pytest.fixture
def results(result_of):
    return [
        result_of(theorem, method, successes=row, independent="best_first" not in method)
        for method, rows in SUCCESSES.items()
        for theorem, row in zip("ab", rows, strict=True)
    ]


@pytest.fixture
def arms(results):
    return arms_of(by_method(results))


def test_methods_are_grouped_by_arm_and_the_search_belongs_to_the_arm(arms):
    methods = {name: list(arm.runs) for name, arm in arms.items()}
    assert methods == {
        "gfn": ["gfn@0", "gfn@1"],
        "sft": ["sft"],
        "gfn_best_first": ["gfn_best_first@0", "gfn_best_first@1"],
        "ei": ["ei@3"],
    }
    assert {arm_name(method) for method in SUCCESSES} == set(arms)


def test_quantities_are_means_over_seeds_with_intervals_over_theorems(arms):
    estimates = summarize_arm(arms["gfn"]).estimates
    # Theorem a is solved by both seeds, b by one of the two.
    assert estimates["solved"].mean == bootstrap_mean([1.0, 0.5])
    assert estimates["solved"].mean.value == 0.75
    assert estimates["solved"].seeds == (1.0, 0.5)
    # Successes of 4 samples: a 2 and 1, b 1 and 0.
    assert estimates["pass@1"].mean.value == pytest.approx((0.375 + 0.125) / 2)
    assert estimates["pass@1"].seeds == pytest.approx((0.375, 0.125))
    assert "pass@8" not in estimates, "there are 4 samples"
    # Sums over theorems: 3 distinct proofs of one seed and 1 of the other; between 1 (b, b) and 3 (a, a).
    distinct = estimates["distinct proofs"]
    assert (distinct.mean.value, distinct.mean.low, distinct.mean.high) == (2.0, 1.0, 3.0)
    assert distinct.seeds == (3.0, 1.0)
    assert estimates["env steps"].mean.value == 16
    assert "pass@1" not in summarize_arm(arms["gfn_best_first"]).estimates


def test_the_table_has_the_range_of_seeds_where_there_are_several(arms):
    header, rows = arm_rows([summarize_arm(arm) for arm in arms.values()])
    assert all(len(row) == len(header) for row in rows)
    by_key = {(quantity, arm): cells for quantity, arm, *cells in rows}
    assert by_key["solved", "gfn"] == ["2", "75.0%", "[50.0%, 100.0%]", "50.0%", "100.0%"]
    assert by_key["solved", "sft"] == ["1", "50.0%", "[0.0%, 100.0%]", "-", "-"]
    assert by_key["pass@1", "gfn_best_first"] == ["2", "-", "-", "-", "-"]
    assert ("pass@8", "gfn") not in by_key, "no method has 8 samples"


def test_the_summary_has_arms_and_their_seeds(results):
    report = build_report("study", results, "sft", 0, 500, [("gfn", "ei")])
    flat = summary_metrics(report)
    assert (flat["gfn/solved_rate"], flat["gfn@0/solved_rate"], flat["gfn@1/solved_rate"]) == (0.75, 1.0, 0.5)
    assert (flat["gfn/solved_rate_lowest_seed"], flat["gfn/solved_rate_highest_seed"]) == (0.5, 1.0)
    assert (flat["gfn/solved_rate_low"], flat["gfn/solved_rate_high"]) == (0.5, 1.0)
    assert (flat["gfn/num_seeds"], flat["ei/num_seeds"]) == (2, 1)
    assert (flat["gfn/num_solved"], flat["gfn/num_distinct_proofs"]) == (1.5, 2.0)
    assert flat["gfn/num_attempts_proved"] == 2.0
    assert flat["ei/solved_rate"] == flat["ei@3/solved_rate"] == 0.0
    assert "sft/num_seeds" not in flat
    seed_metrics = {key.partition("/")[2] for key in flat if key.startswith("gfn@0/")}
    arm_metrics = {key.partition("/")[2] for key in flat if key.startswith("gfn/")}
    assert seed_metrics <= arm_metrics
    text = markdown(report)
    assert "| solved | gfn | 2 | 75.0% |" in text
    assert "| gfn / sft | 2 / 1 |" in text
    assert "| gfn / ei | 2 / 1 |" in text
    assert "<h2>Arms</h2>" in page(report)


def test_a_report_of_single_seeds_says_nothing_about_arms(results):
    report = build_report("one", [r for r in results if r.method == "sft"], None, 0, 500)
    assert report.arms == ()
    assert "## Arms" not in markdown(report)
    assert "ARM@SEED" not in markdown(report)


@pytest.mark.parametrize(
    ("baseline", "comparisons", "message"),
    [
        ("gnf", [], "evaluation.baseline: there is no arm gnf; the arms are gfn, sft"),
        (
            None,
            [("gfn", "sft"), ("gfn", "gnf")],
            "evaluation.comparisons: there is no arm gnf; the arms are gfn",
        ),
        ("gfn@0", [], "evaluation.baseline: there is no arm gfn@0"),
        (None, [("gfn", "sft", "ei")], r"\['gfn', 'sft', 'ei'\] is not a pair of arms"),
    ],
)
def test_names_that_are_not_arms_are_refused(results, baseline, comparisons, message):
    with pytest.raises(ConfigError, match=message):
        build_report("study", results, baseline, 0, 500, comparisons)


def test_arms_can_be_checked_before_anything_is_evaluated():
    require_arms(["gfn", "sft"], "sft", [["gfn", "sft"]])
    require_arms(["gfn", "sft"], None, [])
