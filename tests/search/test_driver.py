import pytest
import torch

from ntp.envs.toy import toy_theorem
from ntp.errors import InitError
from ntp.policy.prompt import SamplingParams
from ntp.search.driver import search_theorems, suitable_crews
from ntp.search.proposers import FixedTactics
from ntp.search.sampling import SamplingSearch
from ntp.types import Status


def one_walk(theorem, root):
    return SamplingSearch(theorem, root, [SamplingParams(1)], max_depth=3)


def test_results_come_in_the_order_asked_for(theorems, pool, proposer):
    finished = []
    asked = theorems[::-1]
    results = search_theorems(asked, one_walk, proposer, pool, lambda t, _: finished.append(t.id))
    assert [search.theorem for search in results] == asked
    assert sorted(finished) == sorted(t.id for t in theorems)


def test_generation_is_batched_over_theorems(theorems, pool, proposer):
    search_theorems(theorems, one_walk, proposer, pool)
    assert max(proposer.batches) == pool.num_workers


@pytest.mark.parametrize("num_crews", [2, 3, 50])
def test_crews_change_batches_and_not_results(theorems, pool, proposer, num_crews):
    asked = [toy_theorem("unknown"), *theorems]
    together = search_theorems(asked, one_walk, proposer, pool, num_crews=1)
    num_requests = sum(proposer.batches)
    proposer.batches.clear()
    in_turns = search_theorems(asked, one_walk, proposer, pool, num_crews=num_crews)
    assert max(proposer.batches) <= -(-pool.num_workers // num_crews)
    assert sum(proposer.batches) == num_requests
    assert isinstance(together[0], InitError) and isinstance(in_turns[0], InitError)
    assert [s.trajectories for s in together[1:]] == [s.trajectories for s in in_turns[1:]]
    assert [s.usage.num_env_steps for s in together[1:]] == [s.usage.num_env_steps for s in in_turns[1:]]


def test_provers_work_for_one_crew_while_the_proposer_samples_for_the_other(theorems, pool):
    class Watching(FixedTactics):
        def __init__(self):
            super().__init__(["left"])
            self.num_open = []

        def sample(self, requests):
            self.num_open.append(sum(not worker.is_free for worker in pool._workers))
            return super().sample(requests)

    proposer = Watching()
    search_theorems(theorems, one_walk, proposer, pool, num_crews=2)
    assert max(proposer.num_open) == pool.num_workers


def test_only_a_policy_on_the_processor_works_in_turns(proposer):
    proposer.device = torch.device("cpu")
    assert suitable_crews(proposer) == 2
    proposer.device = torch.device("cuda")
    assert suitable_crews(proposer) == 1
    assert suitable_crews(FixedTactics(["auto."])) == 1


def test_a_theorem_that_cannot_be_opened_is_a_result(theorems, pool, proposer):
    results = search_theorems([toy_theorem("unknown"), *theorems], one_walk, proposer, pool)
    assert isinstance(results[0], InitError)
    assert [r.theorem for r in results[1:]] == theorems


def test_workers_are_free_again_after_a_failure(theorems, pool):
    class Broken:
        def sample(self, requests):
            raise RuntimeError("out of memory")

    for _ in range(2):
        try:
            search_theorems(theorems, one_walk, Broken(), pool)
        except RuntimeError:
            continue
        raise AssertionError("the error was swallowed")


def test_fixed_tactics_are_each_tried_once(theorems, pool):
    def make(theorem, root):
        return SamplingSearch(theorem, root, [SamplingParams(0)] * 3, max_depth=1)

    (search, *_) = search_theorems(theorems, make, FixedTactics(["left", "slow", "what"]), pool)
    assert [t.tactics for t in search.trajectories] == [("left",), ("slow",), ("what",)]
    assert [t.status for t in search.trajectories] == [Status.TRUNCATED, Status.TIMEOUT, Status.STUCK]
