"""A small maze of proof states and a proposer whose choices are known."""

import random
from collections.abc import Sequence

import pytest

from ntp.envs.pool import EnvPool
from ntp.envs.toy import ToyEnv, ToyNode, toy_theorem
from ntp.policy.prompt import SampleRequest
from ntp.types import Crashed, Exceeded, Proved, Tactic, Timeout

WORDS = {
    "left": -0.5,
    "right": -1.0,
    "loop": -2.0,
    "slow": -3.0,
    "grow": -3.0,
    "crash": -3.0,
    "nonsense": -4.0,
}


class RandomWords:
    """Draws words uniformly, as a function of the draw's seed alone; remembers the size of each batch."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        self.batches.append(len(requests))
        return [self._row(request) for request in requests]

    def _row(self, request: SampleRequest) -> list[Tactic]:
        excluded = {tactic.text for tactic in request.exclude or ()}
        words = [word for word in WORDS if word not in excluded]
        row = []
        for draw in request.draws:
            if words:
                row.append(random.Random(draw.seed).choice(words))
            if request.exclude is not None and words:
                words.remove(row[-1])
        return [Tactic(word, (), WORDS[word]) for word in row]


def maze(name: str) -> ToyNode:
    moves: dict = {
        "slow": Timeout(),
        "grow": Exceeded("memory", "more than 400 MiB of memory"),
        "crash": Crashed("segmentation fault"),
    }
    last = ToyNode(f"{name} last", {"right": Proved(), **moves})
    middle = ToyNode(f"{name} middle", {"left": last, **moves})
    # `loop` leads to a state that prints like the root.
    return ToyNode(
        f"{name} root", {"left": middle, "loop": ToyNode(f"{name} root", {"left": middle}), **moves}
    )


NAMES = [f"t{i}" for i in range(7)]


@pytest.fixture
def env() -> ToyEnv:
    return ToyEnv({name: maze(name) for name in NAMES})


@pytest.fixture
def pool(env):
    with EnvPool(lambda: env, 3) as pool:
        yield pool


@pytest.fixture
def theorems():
    return [toy_theorem(name) for name in NAMES]


@pytest.fixture
def proposer() -> RandomWords:
    return RandomWords()
