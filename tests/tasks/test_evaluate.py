from dataclasses import replace

import pytest

from ntp.envs.toy import ToyEnv, ToyNode, toy_theorem
from ntp.evaluation.results import TheoremResult
from ntp.jsonl import read_jsonl
from ntp.policy.prompt import SamplingParams
from ntp.search.proposers import FixedTactics
from ntp.search.sampling import SamplingSearch
from ntp.tasks import selection
from ntp.tasks.evaluate import evaluate, results_file
from ntp.tasks.methods import Method, step_by_step
from ntp.types import Proved

NAMES = [f"t{i}" for i in range(10)]


class MakeEnv:
    """Every second theorem is proved by `go`."""

    num_workers = 2

    def __call__(self):
        proved = {"go": Proved()}
        return ToyEnv({name: ToyNode(name, proved if i % 2 else {}) for i, name in enumerate(NAMES)})


class KilledError(Exception):
    pass


class Counting:
    """Proposes `go`, until it has been asked for so many theorems."""

    def __init__(self, limit=100):
        self.asked = []
        self.limit = limit

    def sample(self, requests):
        self.asked += [request.theorem.id for request in requests]
        if len(self.asked) > self.limit:
            raise KilledError
        return FixedTactics(["go"]).sample(requests)


def method(proposer):
    search = step_by_step(
        lambda: proposer,
        lambda theorem, root: SamplingSearch(theorem, root, [SamplingParams(0)] * 2, max_depth=2),
    )
    return Method("policy", search, independent=True)


def run(proposer, directory):
    return evaluate(method(proposer), [toy_theorem(name) for name in NAMES], MakeEnv(), directory)


def but_for_times(results):
    return [replace(result, wall_s=0.0, cpu_s=0.0) for result in results]


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    monkeypatch.setattr(selection, "_PART_SIZE", 4)


def test_a_killed_evaluation_goes_on_after_its_last_whole_part(tmp_path):
    whole = run(Counting(), tmp_path / "whole")
    with pytest.raises(KilledError):
        run(Counting(limit=6), tmp_path / "killed")
    second = Counting()
    resumed = run(second, tmp_path / "killed")
    assert set(second.asked) == {toy_theorem(name).id for name in NAMES[4:]}
    assert but_for_times(resumed) == but_for_times(whole)
    assert [result.outcome for result in resumed] == ["failed", "proved"] * 5


def test_results_are_stored_once_and_read_without_a_policy(tmp_path):
    whole = run(Counting(), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / results_file("policy")]
    assert list(read_jsonl(tmp_path / results_file("policy"), TheoremResult)) == whole
    assert run(None, tmp_path) == whole
