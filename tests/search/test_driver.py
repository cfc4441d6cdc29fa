from ntp.envs.toy import toy_theorem
from ntp.errors import InitError
from ntp.policy.prompt import SamplingParams
from ntp.search.driver import search_theorems
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
