import pytest

from ntp.envs.pool import EnvPool
from ntp.envs.toy import ToyEnv, ToyNode, toy_theorem
from ntp.errors import ConfigError
from ntp.search.best_first import BestFirstSearch
from ntp.search.driver import search_theorems
from ntp.search.interface import Budget
from ntp.search.proposers import FixedTactics
from ntp.types import Goal, ProofState, Proved, Reached, Tactic, TacticError


def best_first(budget, **options):
    settings = {
        "samples_per_expansion": 2,
        "expansion_price": 1.0,
        "length_exponent": 0.0,
        "max_depth": 6,
        "temperature": 1.0,
        "seed": 3,
    } | options

    def make(theorem, root):
        return BestFirstSearch(theorem, root, budget, **settings)

    return make


def test_proofs_replay(theorems, pool, env, proposer):
    searches = search_theorems(theorems, best_first(Budget(200)), proposer, pool)
    for search in searches:
        assert search.trajectories
        assert env.check_proof(search.theorem, search.trajectories[0].tactics).accepted


def test_an_unlucky_root_is_expanded_again(theorems, pool, proposer):
    """With one sample per expansion most roots fail at first; all theorems are still proved."""
    searches = search_theorems(theorems, best_first(Budget(400), samples_per_expansion=1), proposer, pool)
    assert all(search.trajectories for search in searches)


def test_the_budget_is_spent_and_not_exceeded(theorems, pool, proposer):
    searches = search_theorems(theorems, best_first(Budget(5), max_depth=1), proposer, pool)
    assert [search.usage.num_samples for search in searches] == [5] * len(theorems)


def test_env_step_budget(theorems, pool, proposer):
    searches = search_theorems(
        theorems, best_first(Budget(100, max_env_steps=4), max_depth=1), proposer, pool
    )
    assert [search.usage.num_env_steps for search in searches] == [4] * len(theorems)


@pytest.mark.parametrize("limits", [(0,), (1, 0), (1, 1, 0.0)])
def test_an_empty_budget_is_refused(limits):
    with pytest.raises(ConfigError, match="above 0"):
        Budget(*limits)


def state(handle, conclusion):
    return ProofState(handle, Goal((), conclusion))


@pytest.fixture
def search(theorems):
    return best_first(Budget(100))(theorems[0], state(0, "root"))


def test_states_that_print_alike_are_one_node_with_the_better_score(search):
    search.select()
    a, b = state(1, "same"), state(2, "same")
    search.observe([[(Tactic("x", (), -3.0), Reached(a)), (Tactic("y", (), -0.1), Reached(b))]])
    assert search.num_nodes == 2
    (expansion,) = search.select()
    assert expansion.state == b, "the state on the better path"
    search.observe([[(Tactic("done"), Proved())]])
    assert search.trajectories[0].tactics == ("y", "done")


def test_priorities_decide_and_an_expansion_has_its_price(search):
    search.select()
    search.observe(
        [
            [
                (Tactic("x", (), -0.4), Reached(state(1, "near"))),
                (Tactic("y", (), -5.0), Reached(state(2, "far"))),
            ]
        ]
    )
    order = []
    for _ in range(4):
        (expansion,) = search.select()
        order.append(expansion.state.goal.conclusion)
        search.observe([[(Tactic("no"), TacticError("no"))]])
    # near: -0.4, -1.4, ...; root: -1 after its first expansion; far: -5
    assert order == ["near", "root", "near", "root"]


def test_a_better_belief_found_later_raises_the_node(theorems):
    make = best_first(Budget(100), policy_weight=0.0, verifier_weight=1.0)
    search = make(theorems[0], state(0, "root"))

    def leads_to(conclusion, log_correct, handle):
        return Tactic(f"to {conclusion} {handle}", (), -9.0, log_correct), Reached(state(handle, conclusion))

    nothing = (Tactic("no"), TacticError("no"))
    rounds = [
        ("root", [leads_to("near", -0.5, 1), leads_to("far", -1.7, 2)]),
        ("near", [leads_to("far", -0.1, 3)]),  # far: -0.1, before root: -1 and near: -1.5
        ("far", [leads_to("far", -8.0, 4)]),  # a doubt that comes later changes nothing; far: -1.1
        ("root", [nothing]),  # root: -2
        ("far", [nothing]),  # far: -2.1
        ("near", [nothing]),  # near: -2.5
        ("root", [nothing]),  # and not far, whose first entry in the queue, -1.7, is stale
        ("far", [nothing]),
    ]
    for expected, row in rounds:
        (expansion,) = search.select()
        assert expansion.state.goal.conclusion == expected
        search.observe([row])
    assert search.num_nodes == 3


def test_a_state_reached_again_without_a_gain_has_one_turn(theorems):
    """All priorities tie, so states take turns; a belief that grows has no weight here."""
    search = best_first(Budget(100), expansion_price=0.0)(theorems[0], state(0, "root"))
    search.select()
    a, b = Reached(state(1, "a")), Reached(state(2, "b"))
    search.observe([[(Tactic("x", (), 0.0, -2.0), a), (Tactic("y", (), 0.0, -1.0), a), (Tactic("z"), b)]])
    order = []
    for _ in range(6):
        (expansion,) = search.select()
        order.append(expansion.state.goal.conclusion)
        search.observe([[(Tactic("no"), TacticError("no"))]])
    assert order == ["a", "b", "root"] * 2


def test_weights_share_the_priority(theorems):
    """Near the root the policy prefers one node and the verifier the other; the weights decide."""

    def second_expansion(policy_weight, verifier_weight):
        make = best_first(Budget(9), policy_weight=policy_weight, verifier_weight=verifier_weight)
        search = make(theorems[0], state(0, "root"))
        search.select()
        likely, right = Tactic("likely", (), -0.2, -0.7), Tactic("right", (), -0.6, -0.1)
        search.observe([[(likely, Reached(state(1, "likely"))), (right, Reached(state(2, "right")))]])
        (expansion,) = search.select()
        return expansion.state.goal.conclusion

    # likely - right is 0.4 per unit of the policy's weight and -0.6 per unit of the verifier's
    assert second_expansion(1.0, 0.0) == "likely"
    assert second_expansion(0.0, 1.0) == "right"
    assert second_expansion(1.0, 0.6) == "likely"
    assert second_expansion(1.0, 0.7) == "right"


def test_draws_differ_between_expansions_of_one_node(search):
    seeds = []
    for _ in range(3):
        (expansion,) = search.select()
        seeds += [draw.seed for draw in expansion.draws]
        search.observe([[(Tactic("no"), TacticError("no"))] * 2])
    assert len(set(seeds)) == len(seeds)


def test_a_state_found_at_the_greatest_depth_is_queued_when_a_shorter_way_leads_there(theorems):
    search = best_first(Budget(100), max_depth=2)(theorems[0], state(0, "root"))
    rounds = [
        ("root", (Tactic("a", (), -0.1), Reached(state(1, "near")))),
        ("near", (Tactic("b", (), -0.1), Reached(state(2, "deep")))),  # two tactics: at the greatest depth
        ("root", (Tactic("c", (), -0.5), Reached(state(3, "deep")))),  # one tactic, less probable
        ("deep", (Tactic("d", (), -0.1), Proved())),
    ]
    for expected, attempt in rounds:
        (expansion,) = search.select()
        assert expansion.state.goal.conclusion == expected
        search.observe([[attempt]])
    assert search.trajectories[0].tactics == ("c", "d")


def test_a_way_that_leads_in_a_circle_is_no_better(theorems):
    """Per tactic it is more probable than the way that it goes on from."""
    search = best_first(Budget(100), length_exponent=1.0, expansion_price=9.0)(theorems[0], state(0, "root"))
    search.select()
    search.observe([[(Tactic("a", (), -3.0), Reached(state(1, "a")))]])
    search.select()
    search.observe([[(Tactic("b", (), -0.1), Reached(state(2, "b"))), (Tactic("w"), TacticError(""))]])
    (expansion,) = search.select()
    assert expansion.state.goal.conclusion == "b"
    search.observe([[(Tactic("back", (), -0.1), Reached(state(3, "a"))), (Tactic("e"), Proved())]])
    assert search.trajectories[0].tactics == ("a", "b", "e")
    assert search.num_nodes == 3


def test_tried_tactics_are_excluded_and_an_exhausted_state_leaves_the_queue(search):
    tried = [Tactic("x"), Tactic("y"), Tactic("z")]
    (first,) = search.select()
    assert first.exclude == ()
    search.observe([[(tactic, TacticError("")) for tactic in tried[:2]]])
    (second,) = search.select()
    assert second.exclude == tuple(tried[:2])
    search.observe([[(tried[2], TacticError(""))]])
    (third,) = search.select()
    assert third.exclude == tuple(tried)
    search.observe([[]])
    assert search.select() == []


def test_one_shot_tactics_are_each_tried_once(theorems, pool):
    proposer = FixedTactics(["left", "nonsense", "left", "right"])
    searches = search_theorems(theorems, best_first(Budget(100), max_depth=1), proposer, pool)
    assert [search.usage.num_samples for search in searches] == [3] * len(theorems)
    assert [[t.tactic.text for t in search.transitions] for search in searches] == [
        ["left", "nonsense", "right"]
    ] * len(theorems)


def search_of(root, **options):
    """The search of one toy theorem by a proposer whose tactics lead nowhere."""
    theorem = toy_theorem("t")
    with EnvPool(lambda: ToyEnv({"t": root}), 1) as pool:
        make = best_first(Budget(40), **options)
        (search,) = search_theorems([theorem], make, FixedTactics(["split", "again"]), pool)
    return search


CLOSED = ToyNode("closed", {"hammer": Proved()})
TWICE = ToyNode("twice", {"split": (CLOSED, CLOSED)})


def test_closing_tactics_prove_what_the_policy_cannot():
    assert not search_of(TWICE).trajectories
    search = search_of(TWICE, closers=("hammer",), closer_price=0.5)
    assert search.trajectories[0].tactics == ("split", "hammer", "hammer")
    assert search.trajectories[0].log_prob == -1.0


def test_closing_tactics_are_run_once_on_a_goal():
    stuck = ToyNode("stuck", {})
    root = ToyNode("root", {"split": (stuck, stuck), "again": (stuck, CLOSED)})
    search = search_of(root, closers=("hammer", "sauto"))
    tried = [(t.state.goal.conclusion, t.tactic.text) for t in search.transitions if t.tactic.text != "split"]
    assert tried.count(("stuck", "hammer")) == tried.count(("stuck", "sauto")) == 1
    assert tried.count(("root", "hammer")) == 1


def test_a_high_price_leaves_them_for_last():
    search = search_of(
        ToyNode("root", {"split": Proved(), "hammer": Proved()}), closers=("hammer",), closer_price=9.0
    )
    assert search.trajectories[0].tactics == ("split",)
