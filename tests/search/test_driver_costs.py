import threading
import time
from collections import Counter

import pytest

from ntp.envs.pool import EnvPool
from ntp.envs.toy import ToyEnv, ToyNode, toy_theorem
from ntp.policy.prompt import SamplingParams
from ntp.search.driver import Charges, search_theorems
from ntp.search.interface import Usage
from ntp.search.proposers import FixedTactics
from ntp.search.sampling import SamplingSearch
from ntp.types import Proved

SLOW_S = 4.0


class Clock:
    """Time that passes by `sleep` alone: for the main thread all that was slept, for another its own."""

    def __init__(self) -> None:
        self._slept = Counter()

    def __call__(self) -> float:
        is_main = threading.current_thread() is threading.main_thread()
        return self._slept.total() if is_main else self._slept[threading.get_ident()]

    def sleep(self, seconds: float) -> None:
        self._slept[threading.get_ident()] += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def test_charges_are_in_proportion_and_add_up_to_the_time(clock):
    one, three = Usage(), Usage()
    charges = Charges()
    clock.sleep(100)
    charges.charge([(one, 1), (three, 3)])
    clock.sleep(100)
    charges.charge([])  # goes to the next
    charges.charge([(one, 0), (three, 0)])  # nobody did anything: all alike
    assert (one.cost_s, three.cost_s) == (75, 125)


class SlowEnv(ToyEnv):
    """Takes its time over one theorem: to open it, or to try a tactic on it."""

    def __init__(self, slow_to: str, clock: Clock) -> None:
        super().__init__({name: ToyNode(name, {"go": Proved()}) for name in ("slow", "fast")})
        self.slow_to, self.clock = slow_to, clock

    def open(self, theorem):
        session = super().open(theorem)
        if theorem.id == toy_theorem("slow").id:
            if self.slow_to == "open":
                self.clock.sleep(SLOW_S)
            elif self.slow_to == "step":
                step = session.step
                session.step = lambda *arguments: self.clock.sleep(SLOW_S) or step(*arguments)
        return session


class SlowProposer(FixedTactics):
    def __init__(self, tactics, clock: Clock) -> None:
        super().__init__(tactics)
        self.clock = clock

    def sample(self, requests):
        self.clock.sleep(SLOW_S)
        return super().sample(requests)


def costs(env, proposer):
    with EnvPool(lambda: env, 2) as pool:
        theorems = [toy_theorem(name) for name in ("slow", "fast")]
        searches = search_theorems(
            theorems,
            lambda t, root: SamplingSearch(t, root, [SamplingParams(0)], max_depth=2),
            proposer,
            pool,
        )
    return [search.usage.cost_s for search in searches]


@pytest.mark.parametrize("slow_to", ["open", "step"])
def test_a_theorem_is_charged_with_its_prover_and_not_with_that_of_another(slow_to, clock):
    assert costs(SlowEnv(slow_to, clock), FixedTactics(["go"])) == [SLOW_S, 0]


def test_theorems_that_ask_for_as_much_are_charged_alike_for_sampling(clock):
    env = SlowEnv("nothing", clock)
    assert costs(env, SlowProposer(["go"], clock)) == [SLOW_S / 2, SLOW_S / 2]
