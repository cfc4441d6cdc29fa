"""Tactics in turn, each as a whole proof, until one is a proof or the budget is spent."""

from ntp.envs.pool import EnvPool
from ntp.envs.toy import ToyEnv, ToyNode, ToySession, toy_theorem
from ntp.search.driver import search_theorems
from ntp.search.interface import Budget
from ntp.search.one_by_one import OneByOne
from ntp.search.proposers import FixedTactics
from ntp.types import Proved, Reached

ROOT = ToyNode("root", {"move": ToyNode("next", {}), "find": Proved("found"), "also": Proved()})


class CostlySession(ToySession):
    """Every tactic takes four seconds of CPU."""

    @property
    def cpu_s(self) -> float:
        return 4.0 * self.num_env_steps


class CostlyEnv(ToyEnv):
    def open(self, theorem):
        return CostlySession(theorem, ROOT)


def searched(tactics, budget):
    theorem = toy_theorem("t")
    with EnvPool(lambda: CostlyEnv({}), 1) as pool:
        (search,) = search_theorems(
            [theorem], lambda t, root: OneByOne(t, root, tactics, budget), FixedTactics(["none"]), pool
        )
    return search


def test_it_ends_with_the_first_proof_which_holds_what_was_found():
    search = searched(["oops", "move", "find", "also"], Budget(9))
    assert [t.tactic.text for t in search.transitions] == ["oops", "move", "found"]
    assert isinstance(search.transitions[1].outcome, Reached)
    assert [str(t.status) for t in search.trajectories] == ["stuck", "stuck", "proved"]
    assert search.usage.cpu_s == 12.0


def test_cpu_time_is_a_budget():
    search = searched(["oops", "move", "find"], Budget(9, max_cpu_seconds=8.0))
    assert [t.tactic.text for t in search.transitions] == ["oops", "move"]
