"""Searches that ask a critic, in mazes where the truth can be listed."""

import math
import random
from collections.abc import Callable, Sequence

import pytest

from ntp.envs.pool import EnvPool
from ntp.envs.toy import ToyEnv, ToyNode, enumerate_trajectories, toy_theorem
from ntp.policy.prompt import SampleRequest, SamplingParams
from ntp.search.best_first import BestFirstSearch
from ntp.search.driver import search_theorems
from ntp.search.interface import Budget
from ntp.search.proposers import FixedTactics
from ntp.search.sampling import SamplingSearch
from ntp.types import Proved, Reached, Status, Tactic, Timeout


class Believer:
    """Believes as a function says; remembers every question, and the round it was asked in."""

    def __init__(self, belief: Callable[[str, str], float], rounds: Sequence[object] = ()) -> None:
        self._belief = belief
        self._rounds = rounds
        self.questions: list[dict[str, list[str]]] = []
        self.asked_in: list[int] = []

    def log_correct(self, states: Sequence[str], tactics: Sequence[Sequence[str]]) -> list[list[float]]:
        assert len(set(states)) == len(states)
        self.questions.append({s: list(row) for s, row in zip(states, tactics, strict=True)})
        self.asked_in.append(len(self._rounds))
        return [[self._belief(s, t) for t in row] for s, row in zip(states, tactics, strict=True)]


class EveryWord:
    """Proposes the same words in every state, with known log-probabilities; remembers the states in order."""

    def __init__(self, log_probs: dict[str, float]) -> None:
        self._tactics = [Tactic(word, (), log_prob) for word, log_prob in log_probs.items()]
        self.states: list[str] = []

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        self.states += [request.state for request in requests]
        return [self._tactics[: len(request.draws)] for request in requests]


def some_belief(state: str, tactic: str) -> float:
    return -random.Random(f"{state}: {tactic}").expovariate(0.5)


def truth(env: ToyEnv, name: str, words: Sequence[str], max_depth: int) -> Callable[[str, str], float]:
    """The belief of one who has listed every trajectory and is seldom mistaken."""
    trajectories = enumerate_trajectories(env, toy_theorem(name), map(Tactic, words), max_depth)
    correct = {
        (transition.state.text, transition.tactic.text)
        for trajectory in trajectories
        if trajectory.status is Status.PROVED
        for transition in trajectory.transitions
    }
    return lambda state, tactic: math.log(0.99 if (state, tactic) in correct else 0.01)


def walks(num: int, max_depth: int = 4):
    return lambda theorem, root: SamplingSearch(
        theorem, root, [SamplingParams(i) for i in range(num)], max_depth
    )


def guided(num_words: int, policy_weight: float, verifier_weight: float, price: float = 1.0):
    def make(theorem, root):
        budget = Budget(max_samples=40 * num_words)
        weights = {"policy_weight": policy_weight, "verifier_weight": verifier_weight}
        return BestFirstSearch(theorem, root, budget, num_words, price, 0.0, 6, 1.0, 0, **weights)

    return make


def reached_in(searches) -> set[tuple[str, str]]:
    return {
        (t.state.text, t.tactic.text)
        for search in searches
        for t in search.transitions
        if isinstance(t.outcome, Reached)
    }


def test_one_question_a_round_about_what_was_reached(theorems, pool, proposer):
    critic = Believer(some_belief, rounds=proposer.batches)
    searches = search_theorems(theorems, walks(32), proposer, pool, critic=critic)
    assert len(set(critic.asked_in)) == len(critic.asked_in) > 1
    for question in critic.questions:
        assert all(row and len(set(row)) == len(row) for row in question.values())
    assert max(len(question) for question in critic.questions) > 1, "one call for all theorems of the round"
    asked = {(s, t) for question in critic.questions for s, row in question.items() for t in row}
    assert asked == reached_in(searches)


def test_beliefs_go_with_the_tactics_that_reached_a_state(theorems, pool, proposer):
    critic = Believer(some_belief)
    for search in search_theorems(theorems, walks(32), proposer, pool, critic=critic):
        for t in search.transitions:
            expected = some_belief(t.state.text, t.tactic.text) if isinstance(t.outcome, Reached) else 0.0
            assert t.tactic.log_correct == expected


def test_states_that_read_alike_are_one_question():
    leaf = ToyNode("leaf", {})
    env = ToyEnv({name: ToyNode("root", {"left": leaf, "right": leaf}) for name in "ab"})
    critic = Believer(some_belief)
    with EnvPool(lambda: env, 2) as pool:
        theorems = [toy_theorem(name) for name in "ab"]
        proposer = FixedTactics(["left", "right", "left"])
        searches = search_theorems(theorems, walks(3, max_depth=1), proposer, pool, critic=critic)
    assert critic.questions == [{"⊢ root": ["left", "right"]}]
    for search in searches:
        beliefs = [t.tactic.log_correct for t in search.transitions]
        assert beliefs == [some_belief("⊢ root", word) for word in ("left", "right", "left")]


def test_nothing_reached_is_no_question(theorems, pool):
    critic = Believer(some_belief)
    search_theorems(theorems, walks(2), FixedTactics(["nonsense", "slow"]), pool, critic=critic)
    assert critic.questions == []


def dead_end(name: str, depth: int) -> ToyNode:
    """A tree of states none of which can be proved."""
    if depth == 0:
        return ToyNode(name, {"left": Timeout()})
    return ToyNode(name, {word: dead_end(f"{name} {word}", depth - 1) for word in ("left", "right")})


def test_a_verifier_leads_out_of_where_the_policy_misleads():
    """The policy likes `left`, below which there is nothing; the proof is right, right, right."""
    turns = ToyNode("2", {"left": dead_end("c", 2), "right": Proved()})
    turns = ToyNode("1", {"left": dead_end("b", 2), "right": turns})
    env = ToyEnv({"maze": ToyNode("0", {"left": dead_end("a", 3), "right": turns})})
    words = {"left": -0.2, "right": -1.7}
    belief = truth(env, "maze", list(words), max_depth=6)

    def expansions(policy_weight: float, verifier_weight: float) -> int:
        proposer, make = EveryWord(words), guided(len(words), policy_weight, verifier_weight)
        with EnvPool(lambda: env, 1) as pool:
            (search,) = search_theorems([toy_theorem("maze")], make, proposer, pool, critic=Believer(belief))
        (proof,) = search.trajectories
        assert proof.tactics == ("right", "right", "right")
        return len(proposer.states)

    assert expansions(0.0, 1.0) == 3, "no step besides the proof's own"
    assert expansions(0.0, 1.0) < expansions(1.0, 1.0) < expansions(1.0, 0.0)


@pytest.mark.parametrize("price", [0.0, 1.0])
@pytest.mark.parametrize("words", [{"left": -0.5, "right": -1.0, "loop": -0.1}, dict.fromkeys("abc", 0.0)])
def test_a_verifier_without_weight_changes_nothing(words, price):
    """Also where several tactics meet in one state, with beliefs that grow, and where all priorities tie."""
    floor = top = ToyNode("floor", {})
    for level in range(4):
        top = ToyNode(f"{level}", {**dict.fromkeys(words, top), next(reversed(words)): floor})
    order = list(words)

    def expanded(critic) -> list[str]:
        proposer = EveryWord(words)
        with EnvPool(lambda: ToyEnv({"maze": top}), 1) as pool:
            make = guided(len(words), 1.0, 0.0, price)
            search_theorems([toy_theorem("maze")], make, proposer, pool, critic=critic)
        assert len(proposer.states) == 40
        return proposer.states

    without = expanded(None)
    assert expanded(Believer(some_belief)) == without
    assert expanded(Believer(lambda _, tactic: order.index(tactic) - 9.0)) == without
