import pytest

from ntp.data.attempts import AttemptRecord
from ntp.data.examples import (
    LabelledState,
    PreferenceRecord,
    decided_states,
    labelled_states,
    preference_pairs,
)
from ntp.errors import DataError
from ntp.jsonl import read_jsonl, write_jsonl


def attempt(theorem, state, tactic, label, distance=None, num_other_goals=0):
    return AttemptRecord(theorem, "f.v", state, num_other_goals, 0, tactic, label, distance, 1)


ATTEMPTS = [
    attempt("a", "p", "c1", "proved", 1),
    attempt("a", "p", "c2", "proved", 3),
    attempt("a", "p", "w1", "error"),
    attempt("a", "p", "w2", "dead_end"),
    attempt("a", "p", "?", "open"),
    attempt("a", "q", "c3", "proved", 2),
    attempt("a", "q", "w3", "timeout"),
    attempt("a", "q", "c3", "error", num_other_goals=1),
    attempt("b", "p", "c1", "proved", 1),
    attempt("c", "p", "w1", "no_progress"),
]


def test_states_are_grouped_by_theorem_and_decided_by_both_kinds():
    states = labelled_states([*ATTEMPTS, attempt("d", "p", "?", "open")])
    assert states == [
        LabelledState("a", "p", ("c1", "c2"), ("w1", "w2"), (1, 1, 1, 1)),
        LabelledState("a", "q", ("c3",), ("w3",), (2, 1)),
        LabelledState("b", "p", ("c1",), (), (1,)),
        LabelledState("c", "p", (), ("w1",), (1,)),
    ]
    assert decided_states(states) == states[:2]
    assert states[0].tactics == ("c1", "c2", "w1", "w2")
    assert states[0].labels == [1.0, 1.0, 0.0, 0.0]


def test_pairs_are_all_of_a_state_and_none_across_states():
    pairs = list(preference_pairs(ATTEMPTS, 100, seed=0))
    assert {(p.prompt, p.chosen, p.rejected, p.rejected_label, p.distance) for p in pairs} == {
        ("p\n", "c1", "w1", "error", 1),
        ("p\n", "c1", "w2", "dead_end", 1),
        ("p\n", "c2", "w1", "error", 3),
        ("p\n", "c2", "w2", "dead_end", 3),
        ("q\n", "c3", "w3", "timeout", 2),
    }
    assert {p.theorem_id for p in pairs} == {"a"}


def test_the_cap_is_by_theorem_and_seeded():
    picks = [tuple(preference_pairs(ATTEMPTS, 2, seed)) for seed in range(8)]
    assert {len(pick) for pick in picks} == {2}
    assert len(set(picks)) > 1
    assert tuple(preference_pairs(ATTEMPTS, 2, 3)) == picks[3]


@pytest.mark.parametrize("label", ["proved", "error"])
def test_labels_of_one_kind_teach_nothing(label):
    attempts = [attempt("a", "p", "c1", label, 1), attempt("a", "p", "c2", label, 1)]
    assert decided_states(labelled_states(attempts)) == []
    assert list(preference_pairs(attempts, 10, seed=0)) == []


def test_a_corrupt_line_is_named(tmp_path):
    path = tmp_path / "attempts.jsonl"
    write_jsonl(path, ATTEMPTS)
    assert list(read_jsonl(path, AttemptRecord)) == ATTEMPTS
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], lines[3][:20], *lines[4:]]))
    with pytest.raises(DataError, match=r"attempts\.jsonl:4: not valid JSON"):
        list(read_jsonl(path, AttemptRecord))


def test_pairs_are_in_the_fields_format(tmp_path):
    path = tmp_path / "pairs.jsonl"
    pairs = list(preference_pairs(ATTEMPTS, 100, seed=0))
    write_jsonl(path, pairs)
    assert list(read_jsonl(path, PreferenceRecord)) == pairs
    assert '"prompt":"p\\n","chosen":"c1","rejected":"w1"' in path.read_text()
