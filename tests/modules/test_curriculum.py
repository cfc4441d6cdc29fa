from collections import Counter

import pytest

from ntp.modules.curriculum import Frontier, priors_of
from ntp.modules.datamodules import TheoremSchedule
from ntp.types import Span, Theorem

THEOREMS = [
    Theorem(f"f{file}.{i}", f"f{file}", "", Span(i, i + 1), Span(0, 0)) for file in range(8) for i in range(5)
]
PRIORS = {theorem.id: (0.5, 1.0) for theorem in THEOREMS}


def frontier(share=0.25):
    return Frontier(PRIORS, num_attempts=6, share=share, seed=0)


def of_a_pass(schedule, begin):
    steps = []
    while not steps or len(schedule._passes) < 2:
        steps.append(schedule.batch(begin + len(steps)))
    return [theorem.id for step in steps[:-1] for theorem in step]


def test_mixed_theorems_are_chosen_more_often_than_certain_ones():
    curriculum = frontier()
    always, never, mixed = THEOREMS[0].id, THEOREMS[1].id, THEOREMS[2].id
    for _ in range(10):
        curriculum.observe(always, 6, 6)
        curriculum.observe(never, 0, 6)
        curriculum.observe(mixed, 3, 6)
    chosen = Counter(t.id for number in range(400) for t in curriculum.choose(THEOREMS, number))
    assert chosen[mixed] > 2 * chosen[always] and chosen[mixed] > 2 * chosen[never]
    assert chosen[always] and chosen[never], "all are tried now and then"
    assert sum(chosen.values()) == 400 * 10


def test_counts_are_those_of_fading_attempts():
    curriculum = frontier()
    curriculum.observe("f0.0", 2, 6)
    assert curriculum.state_dict() == {"f0.0": [2.5, 5.0]}
    curriculum.observe("f0.0", 6, 6)
    assert curriculum.state_dict() == {"f0.0": [0.5 + 1.0 + 6, 1.0 + 2.0]}


def test_a_pass_visits_its_share_once():
    schedule = TheoremSchedule(THEOREMS, 4, seed=0, curriculum=frontier())
    first = of_a_pass(schedule, 0)
    assert len(first) == len(set(first)) == 10


def test_a_state_continues_where_it_was_saved():
    """Also in a pass that was drawn before the last attempts of the one before were known."""

    def steps(schedule, begin, end):
        found = []
        for step in range(begin, end):
            found.append([theorem.id for theorem in schedule.batch(step)])
            schedule.batch(step + 1)  # a loader is one step ahead
            for theorem_id in found[-1]:
                schedule._curriculum.observe(theorem_id, hash_of(theorem_id) % 7, 6)
        return found

    def hash_of(text):
        return sum(map(ord, text))

    whole = TheoremSchedule(THEOREMS, 4, seed=0, curriculum=frontier())
    expected = steps(whole, 0, 30)
    for cut in (1, 2, 3, 4, 11):
        first = TheoremSchedule(THEOREMS, 4, seed=0, curriculum=frontier())
        steps(first, 0, cut)
        second = TheoremSchedule(THEOREMS, 4, seed=0, curriculum=frontier())
        second.load_state_dict(first.state_dict())
        assert steps(second, cut, 30) == expected[cut:]
    assert len({tuple(map(tuple, expected[i : i + 3])) for i in range(0, 27, 3)}) > 1


def test_a_step_of_the_pass_before_is_still_known():
    schedule = TheoremSchedule(THEOREMS, 4, seed=0, curriculum=frontier())
    before = schedule.batch(2)
    schedule.batch(3)
    assert schedule.batch(2) == before


@pytest.mark.parametrize(("num_steps", "prior"), [(1, 0.5), (2, 0.2), (3, 0.1), (9, 0.05), (0, 0.05)])
def test_priors_follow_the_length_of_recorded_proofs(num_steps, prior):
    class Record:
        theorem = THEOREMS[0]
        steps = (None,) * num_steps

    assert priors_of([Record()]) == {THEOREMS[0].id: (prior, 1.0)}
