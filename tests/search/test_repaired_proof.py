"""Whole proofs with repairs, second tries, backtracking and a limit of time, on the real Coq."""

import time

import pytest

from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.project import CoqProject
from ntp.envs.pool import EnvPool
from ntp.evaluation.assess import assess
from ntp.evaluation.results import TheoremOutcome
from ntp.policy.generators.base import Answer
from ntp.search.repair.catalogue import repairs_named
from ntp.search.repaired_proof import RepairedProofSearch
from ntp.search.writers import Written
from ntp.types import Message, Tactic

pytestmark = pytest.mark.coq

SOURCE = """
Lemma both (a b : nat) : a = b -> b = a /\\ a + 0 = a.
Proof. intro H. split. symmetry. exact H. auto. Qed.

Lemma lost : 0 = 1.
Proof. Admitted.
"""


class Scripted:
    """Writes scripts in order, and better ones after an error."""

    def __init__(self, first, second=(), slow_s=0.0):
        self.first, self.second, self.slow_s = first, list(second), slow_s
        self.told = []

    def write(self, theorem, state, draws, tries=()):
        time.sleep(self.slow_s)
        texts = self.second[:1] if tries else self.first[: len(draws)]
        if tries:
            self.told.append(tries[-1][1].verdict.reason)
            del self.second[:1]
        question = (Message("user", state),)
        return [Written(Tactic(t, log_prob=-1.0), question, Answer(t, -1.0, 7, 5, 0.5)) for t in texts]


class Undoing:
    """Completes a script by closing the goals that are left."""

    def __init__(self, env):
        self.env = env

    def complete(self, theorem, result, names, budget):
        script = " ".join([*result.accepted, "all: auto."])
        return script if self.env.check_script(theorem, script).verdict.accepted else None


@pytest.fixture
def search(tmp_path, proofs):
    (tmp_path / "A.v").write_text(SOURCE)
    theorems = [theorem for theorem, _ in proofs("A.v", SOURCE)]

    def run(writer, num_samples=1, repairs=(), second_tries=0, max_seconds=None, backtracker=None):
        made = RepairedProofSearch(
            writer=writer,
            syntax=CoqEnvFactory.syntax,
            num_samples=num_samples,
            temperature=1.0,
            seed=0,
            repairs=repairs_named(repairs),
            max_repairs=4,
            max_candidates=10,
            second_tries=second_tries,
            max_seconds=max_seconds,
            max_cpu_seconds=None,
            names=lambda theorem: (),
            backtracker=backtracker,
        )
        finished = []
        with EnvPool(lambda: CoqEnv(CoqProject(tmp_path)), 2) as pool:
            runs = made(theorems, pool, lambda: finished.append(1))
            assert len(finished) == 2
            results = assess("whole", runs, pool.check_proofs, 1.0, False, CoqEnvFactory.syntax)
        return dict(zip(("both", "lost"), zip(runs, results, strict=True), strict=True))

    return run


def test_the_first_proof_ends_the_search_and_is_checked_again(search):
    scripts = ["intro H. exact I.", "intro H. split. - now symmetry. - auto.", "easy."]
    found = search(Scripted(scripts), num_samples=3)
    run, result = found["both"]
    assert [script.proved for script in run.log.scripts] == [False, True]
    assert result.outcome == TheoremOutcome.PROVED and len(result.verified_proofs) == 1
    assert result.verified_proofs[0].tactics == ("intro H.", "split.", "now symmetry.", "auto.")
    run, result = found["lost"]
    assert len(run.log.scripts) == 3 and result.outcome == TheoremOutcome.FAILED
    assert run.log.scripts[0].num_prompt_tokens == 7 and run.log.scripts[0].cost == 0.5


def test_a_model_is_told_its_error_and_writes_again(search):
    writer = Scripted(["split."], second=["intro H. split. exact I.", "intro H. split; auto.", "easy."])
    found = search(writer, second_tries=2)
    # Both theorems draw from one list, so either has seen its own errors only.
    assert len(writer.told) >= 2 and all("goals remain" in t or ":" in t for t in writer.told)
    origins = [script.origin for script in found["lost"][0].log.scripts]
    assert origins[0] == "sample" and set(origins[1:]) <= {"second_try"}


def test_backtracking_completes_what_is_left(search):
    found = search(Scripted(["intro H. split. exact I."]), backtracker=Undoing)
    run, result = found["both"]
    assert result.outcome == TheoremOutcome.PROVED
    assert [script.origin for script in run.log.scripts] == ["sample", "backtracking"]
    assert run.log.scripts[1].final.endswith("all: auto.")
    run, result = found["lost"]
    assert result.outcome == TheoremOutcome.FAILED and not run.log.scripts[1].proved


def test_what_is_found_after_the_time_does_not_count(search):
    found = search(Scripted(["intro H. split; auto."], slow_s=0.4), max_seconds=0.2)
    run, result = found["both"]
    assert result.outcome == TheoremOutcome.FAILED and not run.log.proved
    assert run.log.seconds >= 0.2 and "time for the theorem was over" in run.log.scripts[0].error
    assert search(Scripted(["intro H. split; auto."]), max_seconds=600)["both"][1].outcome == "proved"


def test_no_trick_is_a_proof(search):
    tricks = [
        "admit. Admitted.",
        "Abort. Lemma easier : True. Proof. exact I. Qed.",
        "exact (match (fun _ => I) with _ => _ end).",
        "Axiom a : 0 = 1. exact a.",
        "Undo. Restart.",
        "fix f 1. auto.",
    ]
    writer = Scripted(tricks)
    run, result = search(writer, num_samples=len(tricks), repairs=None)["lost"]
    assert result.outcome != TheoremOutcome.PROVED
    assert len(run.log.scripts) == len(tricks) and not run.log.proved
