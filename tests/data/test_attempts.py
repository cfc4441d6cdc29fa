import pytest

from ntp.data.attempts import label_attempts
from ntp.types import (
    Crashed,
    Exceeded,
    Goal,
    ProofState,
    Proved,
    Reached,
    Rejected,
    Span,
    Tactic,
    TacticError,
    Theorem,
    Timeout,
    Transition,
)

THEOREM = Theorem("F.t", "F.v", "Lemma t : p.", Span(0, 12), Span(12, 30))


def state(name, others=()):
    return ProofState(0, Goal((), name), others)


def step(before, tactic, outcome):
    outcome = Reached(state(outcome)) if isinstance(outcome, str) else outcome
    return Transition(state(before), Tactic(tactic), outcome)


def labels(steps, min_tries=2):
    records = label_attempts(THEOREM, state("p"), steps, min_tries)
    return {
        (r.state.removeprefix("⊢ "), r.tactic): (r.label, r.distance, r.depth, r.num_tried) for r in records
    }


def test_every_kind_of_outcome_has_its_label():
    assert labels(
        [
            step("p", "split.", "q"),
            step("q", "auto.", Proved()),
            step("p", "left.", "r"),
            step("r", "fail1.", TacticError("no")),
            step("r", "fail2.", Rejected("admit")),
            step("p", "right.", "s"),
            step("s", "loop.", Timeout()),
            step("s", "grow.", Exceeded("memory", "more than 400 MiB of memory")),
            step("p", "idtac.", "p"),
            step("p", "big.", Crashed("out of memory")),
            step("p", "split.", "q"),
            step("p", "exists 0.", "t"),
        ]
    ) == {
        ("p", "split."): ("proved", 2, 0, 2),
        ("q", "auto."): ("proved", 1, 1, 1),
        ("p", "left."): ("dead_end", None, 0, 1),
        ("r", "fail1."): ("error", None, 1, 1),
        ("r", "fail2."): ("error", None, 1, 1),
        ("p", "right."): ("dead_end", None, 0, 1),
        ("s", "loop."): ("timeout", None, 1, 1),
        ("s", "grow."): ("timeout", None, 1, 1),
        ("p", "idtac."): ("no_progress", None, 0, 1),
        ("p", "exists 0."): ("open", None, 0, 1),
    }


def test_the_distance_is_that_of_the_shortest_proof_also_over_detours_and_cycles():
    found = labels(
        [
            step("p", "detour.", "a"),
            step("a", "back.", "p"),
            step("a", "on.", "b"),
            step("p", "direct.", "b"),
            step("b", "end.", Proved()),
            step("b", "again.", "a"),
        ]
    )
    assert {edge: distance for edge, (_, distance, _, _) in found.items()} == {
        ("p", "detour."): 3,
        ("a", "back."): 3,
        ("a", "on."): 2,
        ("p", "direct."): 2,
        ("b", "end."): 1,
        ("b", "again."): 3,
    }


def test_states_with_other_goals_left_are_told_apart():
    more, fewer = state("p", ("q",)), state("p")
    steps = [
        Transition(more, Tactic("auto."), Reached(fewer)),
        Transition(fewer, Tactic("auto."), Proved()),
        Transition(more, Tactic("idtac."), Reached(more)),
    ]
    records = label_attempts(THEOREM, more, steps, 1)
    assert [(r.label, r.num_other_goals, r.distance) for r in records] == [
        ("proved", 1, 2),
        ("proved", 0, 1),
        ("no_progress", 1, None),
    ]


@pytest.mark.parametrize("outcome", [Timeout(), Exceeded("memory", "more than 400 MiB of memory")])
def test_a_tactic_that_a_limit_stopped_in_one_search_only_is_what_it_was_in_the_other(outcome):
    found = labels([step("p", "slow.", outcome), step("p", "slow.", "q"), step("q", "auto.", Proved())])
    assert found == {("p", "slow."): ("proved", 2, 0, 2), ("q", "auto."): ("proved", 1, 1, 1)}
