import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp.envs.pool import plan_lanes
from ntp.types import Span, Theorem


def theorem(file, position):
    return Theorem(f"{file}.{position}", file, "", Span(position, position + 1), Span(0, 0))


@st.composite
def many_theorems(draw):
    sizes = draw(st.lists(st.integers(1, 12), max_size=8))
    found = [theorem(f"f{i}", p) for i, size in enumerate(sizes) for p in range(size)]
    return draw(st.permutations(found))


@given(many_theorems(), st.integers(1, 6), st.sampled_from([None, 0, 1]))
def test_every_theorem_is_in_one_lane_and_lanes_are_balanced(theorems, num_lanes, seed):
    lanes = plan_lanes(theorems, num_lanes, seed)
    assert len(lanes) == num_lanes
    assert sorted(t.id for lane in lanes for t in lane) == sorted(t.id for t in theorems)
    longest_run = max(1, -(-len(theorems) // num_lanes))
    assert max(map(len, lanes)) <= 2 * longest_run


@given(many_theorems(), st.integers(1, 6), st.sampled_from([None, 0, 1]))
def test_within_a_visit_a_file_is_read_from_its_end(theorems, num_lanes, seed):
    for lane in plan_lanes(theorems, num_lanes, seed):
        for file, visit in itertools.groupby(lane, key=lambda t: t.file):
            positions = [t.declaration.begin for t in visit]
            runs_joined = sum(a < b for a, b in itertools.pairwise(positions))
            # Two runs of one file may lie side by side; within a run positions fall.
            assert runs_joined <= sum(t.file == file for t in theorems) // max(1, len(positions))


@pytest.mark.parametrize("num_lanes", [1, 3])
def test_the_plan_depends_on_the_seed_alone(num_lanes):
    theorems = [theorem(f"f{i}", p) for i in range(9) for p in range(3)]
    first = plan_lanes(theorems, num_lanes, seed=1)
    assert first == plan_lanes(theorems[::-1], num_lanes, seed=1)
    assert first != plan_lanes(theorems, num_lanes, seed=2)
