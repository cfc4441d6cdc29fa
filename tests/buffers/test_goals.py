import math
from itertools import product

import pytest

from ntp.buffers.goals import GoalFlows, goal_moves, num_left, proved_moves

# g: "split" leaves a and b, "auto" nothing, "turn" leads to h and back. Two ways to prove a, one b, one h.
MOVES = {
    "g": {"split": (-1.0, ("a", "b")), "auto": (-2.0, ()), "turn": (-0.5, ("h",))},
    "h": {"turn": (-0.7, ("g",)), "auto": (-1.5, ())},
    "a": {"x": (-0.3, ()), "y": (-2.5, ())},
    "b": {"z": (-0.9, ("a",))},
}
ALPHA = 0.5


def trees(goal, height):
    """Every proof tree of a goal, as (log pi_ref of its tactics, the tactics in pre-order with goals)."""
    if height < 1:
        return
    for tactic, (log_ref, subgoals) in MOVES[goal].items():
        for parts in product(*(list(trees(subgoal, height - 1)) for subgoal in subgoals)):
            yield (
                [log_ref, *(value for values, _ in parts for value in values)],
                [(goal, tactic), *(move for _, moves in parts for move in moves)],
            )


@pytest.mark.parametrize("height", [1, 2, 3, 6])
@pytest.mark.parametrize("goal", list(MOVES))
def test_flows_are_sums_over_all_proof_trees(goal, height):
    expected = sum(math.exp(ALPHA * sum(values)) for values, _ in trees(goal, height))
    found = GoalFlows(MOVES, lambda log_ref: ALPHA * log_ref, height).log_flow(goal)
    assert math.exp(found) == pytest.approx(expected)


def test_sampling_goal_by_goal_is_sampling_trees_in_proportion_to_reward():
    """Without the loop, where no height limit binds: the product of targets is R / Z of every tree."""
    without_loop = {goal: {t: m for t, m in moves.items() if t != "turn"} for goal, moves in MOVES.items()}
    flows = GoalFlows(without_loop, lambda log_ref: ALPHA * log_ref, 6)
    proofs = [tree for tree in trees("g", 3) if all(tactic != "turn" for _, tactic in tree[1])]
    assert len(proofs) == 5
    log_z = flows.log_flow("g")
    total = 0.0
    for values, moves in proofs:
        log_p = sum(flows.log_target(*move) for move in moves)
        assert log_p == pytest.approx(ALPHA * sum(values) - log_z)
        total += math.exp(log_p)
    assert total == pytest.approx(1)


def test_targets_of_a_goal_sum_to_one_also_with_loops():
    flows = GoalFlows(MOVES, lambda log_ref: ALPHA * log_ref, 6)
    for goal, moves in MOVES.items():
        assert sum(math.exp(flows.log_target(goal, tactic)) for tactic in moves) == pytest.approx(1)
    assert flows.log_target("g", "unknown") == flows.log_target("nowhere", "auto") == -math.inf
    assert flows.log_flow("nowhere") == -math.inf


def test_long_chains_have_flows_and_what_is_too_high_has_no_target():
    chain = {f"g{i}": {"next": (-1.0, (f"g{i + 1}",))} for i in range(2000)} | {"g2000": {"end": (-1.0, ())}}
    flows = GoalFlows(chain, lambda log_ref: ALPHA * log_ref, 3000)
    assert flows.log_flow("g0") == pytest.approx(-ALPHA * 2001)
    assert flows.log_target("g0", "next") == pytest.approx(0)
    short = GoalFlows(chain, lambda log_ref: ALPHA * log_ref, 5)
    assert short.log_flow("g0") == short.log_target("g0", "next") == -math.inf
    assert short.knows("g0", "next") and not short.knows("g0", "end")
    assert short.log_target("g1996", "next") == pytest.approx(0)


def test_a_proof_in_preorder_has_a_move_for_each_step():
    states, tactics = ("g", "a", "b", "a"), ("split", "x", "z", "y")
    unread = ((), ("b",), (), ())
    assert num_left(states, unread) == [2, 0, 1, 0]
    assert proved_moves(states, unread) == [(3, ()), (2, ("a",)), (1, ()), (0, ("a", "b"))]
    moves = goal_moves([(states, tactics, (-1.0, -2.0, -3.0, -4.0), unread)])
    assert moves == {
        "g": {"split": (-1.0, ("a", "b"))},
        "a": {"x": (-2.0, ()), "y": (-4.0, ())},
        "b": {"z": (-3.0, ("a",))},
    }


def test_what_changed_other_goals_and_all_above_it_is_left_out():
    states = ("g", "a", "b 0", "a")
    unread = ((), ("b ?n",), (), ())
    assert num_left(states, unread) == [2, None, 1, 0]
    assert proved_moves(states, unread) == [(3, ()), (2, ("a",))]
    # The last tactic closed both goals.
    assert num_left(("g", "a"), ((), ("b",))) == [2, None]
    assert proved_moves(("g", "a"), ((), ("b",))) == []
