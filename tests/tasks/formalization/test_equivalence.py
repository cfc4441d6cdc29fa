import json
from collections import Counter

import pytest

from ntp.errors import ConfigError, DataError
from ntp.formalization.equivalence.outcome import Judgement, Outcome
from ntp.formalization.equivalence.records import Compared, JudgedPair, grouped, read_compared
from ntp.formalization.equivalence.validation import agreement, precision_at_recall
from ntp.jsonl import read_jsonl
from ntp.tasks.formalization import equivalence, known_pairs

ROWS = [
    {
        "id": "a",
        "reference": "forall n, n + 0 = n",
        "candidate": "forall m, m = m + 0",
        "label": "equivalent",
    },
    {"id": "b", "reference": "forall n, n + 0 = n", "candidate": "forall n, n + 1 = n", "label": "different"},
    {"id": "c", "reference": "forall n, n + 0 = n", "candidate": "True. Axiom x : False", "kind": "hostile"},
    {"id": "d", "header": "Require Import Nowhere.", "reference": "True", "candidate": "True"},
]


@pytest.fixture
def write(tmp_path):
    def write(rows, name="pairs.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
        return path

    return write


class Silent:
    def log_artifact(self, path):
        assert path.exists()


@pytest.mark.coq
def test_pairs_are_judged_and_kept(make_context, write, monkeypatch):
    context = make_context(
        "equivalence", f"data.path={write(ROWS)}", "equivalence.budget.theory=false", "env.tactic_timeout_s=5"
    )
    object.__setattr__(context, "mlflow", Silent())
    summary = equivalence.run(context)
    judged = {result.id: result for result in read_jsonl(context.directory / "judged.jsonl", JudgedPair)}
    assert list(judged) == ["a", "b", "c", "d"]
    found = {name: result.judgement and str(result.judgement.outcome) for name, result in judged.items()}
    assert found == {"a": "equivalent", "b": "not_shown", "c": "ill_typed", "d": None}
    assert "Nowhere" in judged["d"].error
    assert (summary["precision"], summary["recall"], summary["num_pairs"]) == (1.0, 1.0, 4)
    assert (summary["num_equivalent"], summary["num_error"], summary["equivalent_rate"]) == (1, 1, 0.25)
    assert "| hostile |" in (context.directory / "report.md").read_text()
    # A resumed run judges nothing again.
    monkeypatch.setattr(equivalence, "_judge", None)
    assert equivalence.run(context) == summary


def test_rows_are_read_whatever_else_they_have(write):
    rows = [{**ROWS[0], "extra": 1}, "", {"reference": "True", "candidate": ""}]
    pairs = read_compared(write(rows))
    assert [pair.id for pair in pairs] == ["a", "line 3"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no pair"),
        (["{"], ":1: not a pair"),
        ([{"reference": "True"}], ":1: not a pair"),
        ([{"reference": " ", "candidate": "True"}], ":1: the reference is empty"),
        ([ROWS[0], ROWS[0]], ":2: the id 'a' stands in line 1 too"),
    ],
)
def test_a_bad_row_is_one_line(write, rows, message):
    with pytest.raises(DataError, match=message):
        read_compared(write(rows))


def test_bytes_that_are_no_text_are_one_line(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b'{"reference": "\xff", "candidate": "a"}')
    with pytest.raises(DataError, match=":1: not a pair"):
        read_compared(path)


def test_what_has_one_header_and_reference_is_judged_together():
    def pair(header, reference, candidate):
        return Compared(reference, candidate, header, id=f"{header}{reference}{candidate}")

    groups = grouped([pair("h", "r", "1"), pair("g", "r", "1"), pair("h", "s", "1"), pair("h", "r", "2")])
    assert [[p.id for p in group] for group in groups] == [["hr1", "hr2"], ["hs1"], ["gr1"]]


def test_agreement_by_hand():
    def judged(label, *outcomes):
        return [JudgedPair(f"{label}{i}", "", label, Judgement(o)) for i, o in enumerate(outcomes)]

    equal, none = Outcome.EQUIVALENT, Outcome.NOT_SHOWN
    found = agreement(
        [
            *judged("equivalent", equal, equal, equal, Outcome.IMPLIES),
            *judged("different", equal, none, none),
            *judged("", equal, none),
            JudgedPair("x", "", "equivalent", None, "broken"),
        ]
    )
    assert found == {
        "precision": 3 / 4,
        "recall": 3 / 5,
        "num_known_equivalent": 5,
        "num_known_different": 3,
        "equivalent_rate_of_unknown": 1 / 2,
    }
    assert agreement(judged("", equal)) == {}
    assert "precision" not in agreement(judged("equivalent", none))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=comparisons"], "data.path=FILE"),
        (["data.path=/nowhere/pairs.jsonl"], "is no file"),
        (["data=coq_core"], "data=comparisons"),
    ],
)
def test_a_missing_file_is_one_line(make_context, overrides, message):
    with pytest.raises(ConfigError, match=message):
        equivalence.TASK.check(make_context("equivalence", *overrides).cfg)


@pytest.mark.coq
def test_known_pairs_are_made_and_resumed(make_context, monkeypatch):
    context = make_context(
        "known_pairs", "known_pairs.variants.files=[Arith/Compare.v]", "known_pairs.variants.max_per_file=1"
    )
    summary = known_pairs.run(context)
    rows = read_compared(context.directory / "pairs.jsonl")
    labels = Counter(row.label for row in rows)
    assert labels["equivalent"] == summary["num_equivalent"] == 1
    assert labels["different"] == summary["num_different"]
    monkeypatch.setattr(known_pairs.VariantMaker, "pairs", None)
    assert known_pairs.run(context) == summary


@pytest.mark.coq
def test_no_file_is_one_line(make_context):
    with pytest.raises(DataError, match="no such file"):
        known_pairs.run(make_context("known_pairs", "known_pairs.variants.files=[Nowhere/*.v]"))


def test_precision_of_a_graded_score_by_hand():
    values, known = [0.9, 0.8, 0.8, 0.4, 0.1], [True, False, True, True, False]
    assert precision_at_recall(values, known, 1 / 3) == 1.0
    assert precision_at_recall(values, known, 2 / 3) == 3 / 4  # the best of the thresholds .8 and .4
    assert precision_at_recall(values, known, 1.0) == 3 / 4
    with pytest.raises(ValueError, match="equivalent pairs"):
        precision_at_recall([0.5], [False], 0.5)
