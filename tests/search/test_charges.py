import time

import pytest

from ntp.envs.pool import EnvPool
from ntp.envs.toy import ToyEnv, ToyNode, toy_theorem
from ntp.policy.requests import Draw
from ntp.search.base import Usage
from ntp.search.charges import Charges
from ntp.search.driver import search_theorems
from ntp.search.fixed import FixedTactics
from ntp.search.sampling import SamplingSearch
from ntp.types import Proved

SLOW_S = 0.4  # long beside what a busy machine may take for itself


def test_charges_are_in_proportion_and_add_up_to_the_time():
    one, three = Usage(), Usage()
    started = time.perf_counter()
    charges = Charges()
    time.sleep(0.1)
    charges.charge([(one, 1), (three, 3)])
    time.sleep(0.1)
    charges.charge([])  # goes to the next
    charges.charge([(one, 0), (three, 0)])  # nobody did anything: all alike
    elapsed = time.perf_counter() - started
    assert 0.2 <= one.cost_s + three.cost_s <= elapsed
    assert one.cost_s / three.cost_s == pytest.approx(1.5 / 2.5, rel=0.2)


class SlowEnv(ToyEnv):
    """Takes its time over one theorem: to open it, or to try a tactic on it."""

    def __init__(self, slow_to: str) -> None:
        super().__init__({name: ToyNode(name, {"go": Proved()}) for name in ("slow", "fast")})
        self.slow_to = slow_to

    def open(self, theorem):
        session = super().open(theorem)
        if theorem.id == toy_theorem("slow").id:
            if self.slow_to == "open":
                time.sleep(SLOW_S)
            elif self.slow_to == "step":
                step = session.step
                session.step = lambda *arguments: time.sleep(SLOW_S) or step(*arguments)
        return session


class SlowProposer(FixedTactics):
    def sample(self, requests):
        time.sleep(SLOW_S)
        return super().sample(requests)


def costs(env, proposer):
    with EnvPool(lambda: env, 2) as pool:
        theorems = [toy_theorem(name) for name in ("slow", "fast")]
        started = time.perf_counter()
        searches = search_theorems(
            theorems, lambda t, root: SamplingSearch(t, root, [Draw(0)], max_depth=2), proposer, pool
        )
        elapsed = time.perf_counter() - started
    slow, fast = (search.usage.cost_s for search in searches)
    assert SLOW_S <= slow + fast <= elapsed
    return slow, fast


@pytest.mark.parametrize("slow_to", ["open", "step"])
def test_a_theorem_is_charged_with_its_prover_and_not_with_that_of_another(slow_to):
    slow, fast = costs(SlowEnv(slow_to), FixedTactics(["go"]))
    assert slow > 0.9 * SLOW_S > 3 * fast


def test_theorems_that_ask_for_as_much_are_charged_alike_for_sampling():
    slow, fast = costs(SlowEnv("nothing"), SlowProposer(["go"]))
    assert slow == pytest.approx(fast, rel=0.3)
