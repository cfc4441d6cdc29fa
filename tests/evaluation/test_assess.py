import pytest

from ntp.envs.script import PlainSyntax
from ntp.errors import InitError
from ntp.evaluation.assess import TheoremRun, assess
from ntp.evaluation.table import flat_summary, summarize
from ntp.types import (
    Crashed,
    Exceeded,
    Proved,
    Reached,
    Status,
    Tactic,
    TacticError,
    Timeout,
    Trajectory,
    Transition,
    Verdict,
)


@pytest.fixture
def run_of(state_of):
    def make(theorem, *attempts, cost_s=1.0):
        """A run, given (tactics, status) of each trajectory. All tactics but the last reach a new state."""
        last = {
            Status.PROVED: Proved(),
            Status.STUCK: TacticError("no"),
            Status.TIMEOUT: Timeout(),
            Status.EXCEEDED: Exceeded("memory", "more than 400 MiB of memory"),
            Status.CRASHED: Crashed("killed"),
        }
        trajectories = []
        for tactics, status in attempts:
            states = [state_of(i, " ".join(tactics[:i])) for i in range(len(tactics))]
            outcomes = [*map(Reached, states[1:]), last[status]]
            steps = [
                Transition(s, Tactic(t, log_prob=-0.5), o)
                for s, t, o in zip(states, tactics, outcomes, strict=True)
            ]
            trajectories.append(Trajectory(theorem, tuple(steps), status))
        steps = tuple(step for t in trajectories for step in t.transitions)
        return TheoremRun(theorem, tuple(trajectories), steps, len(attempts), len(steps), cost_s)

    return make


def kernel(theorem, tactics):
    """The verdict of a made-up prover, in which the scripts that end in `auto` are proofs."""
    if theorem.id == "Gone":
        return InitError("Gone: does not replay")
    if tactics[-1] == "slow":
        return Verdict(False, "'slow': timeout", unsettled=Status.TIMEOUT)
    return Verdict(tactics[-1] == "auto", "" if tactics[-1] == "auto" else "Qed refused")


def check_proofs(requests):
    return [kernel(theorem, tactics) for theorem, tactics in requests]


def test_every_theorem_has_one_outcome(theorem_of, run_of):
    names = ("proved", "failed", "timeout", "crashed", "rejected", "Gone", "unopened", "exceeded", "slow")
    theorems = {name: theorem_of(name) for name in names}
    runs = [
        run_of(theorems["proved"], (["lia"], Status.STUCK), (["cbn", "auto"], Status.PROVED)),
        run_of(theorems["failed"], (["lia"], Status.STUCK)),
        run_of(theorems["timeout"], (["lia"], Status.STUCK), (["loop"], Status.TIMEOUT)),
        run_of(theorems["crashed"], (["loop"], Status.TIMEOUT), (["boom"], Status.CRASHED)),
        run_of(theorems["rejected"], (["fix"], Status.PROVED), (["loop"], Status.TIMEOUT)),
        run_of(theorems["Gone"], (["auto"], Status.PROVED)),
        TheoremRun(theorems["unopened"], error=InitError("unopened: no such theorem")),
        run_of(theorems["exceeded"], *[(["grow"], Status.EXCEEDED)] * 2, (["loop"], Status.TIMEOUT)),
        run_of(theorems["slow"], (["fix"], Status.PROVED), (["slow"], Status.PROVED)),
    ]
    results = assess("sft", runs, check_proofs, 60.0, True, PlainSyntax())
    assert [str(r.outcome) for r in results] == [
        "proved",
        "failed",
        "timeout",
        "crashed",
        "rejected",
        "crashed",
        "init_error",
        "exceeded",
        "timeout",
    ], "a replay that does not finish is not a refusal"
    assert [r.num_stopped_by_limits for r in results] == [0] * 7 + [2, 0]
    assert flat_summary([summarize("sft", results)])["sft/num_stopped_by_limits"] == 2
    assert results[4].proofs[0].reason == "Qed refused"
    assert results[5].proofs[0].reason == "Gone: does not replay"
    assert results[6].message == "unopened: no such theorem"
    assert sum(r.wall_s for r in results) == pytest.approx(60.0)
    assert results[6].wall_s == 0.0


def test_proofs_are_deduplicated_and_reduced(theorem_of, run_of):
    run = run_of(
        theorem_of(),
        (["cbn", "auto"], Status.PROVED),
        (["auto"], Status.PROVED),
        (["cbn", "auto"], Status.PROVED),
        (["auto", "fix"], Status.PROVED),
    )
    [result] = assess("sft", [run], check_proofs, 1.0, True, PlainSyntax())
    assert [(p.tactics, p.index, p.verified, p.minimal) for p in result.proofs] == [
        (("cbn", "auto"), 0, True, ("auto",)),
        (("auto",), 1, True, ("auto",)),
        (("auto", "fix"), 3, False, ()),
    ]
    assert result.num_successes == 3
    assert result.proofs[0].log_prob == pytest.approx(-1.0)
    assert len(result.proofs[0].states) == 2
    assert result.proofs[0].states[0] == result.proofs[1].states[0]
    assert result.tree.nodes[0].tactic == ""
