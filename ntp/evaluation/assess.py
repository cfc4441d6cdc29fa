"""From what a search found to results that count: every proof verified again, then made irredundant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from ntp.errors import InitError
from ntp.evaluation.minimize import Candidate, Script, minimize
from ntp.evaluation.results import Proof, SampledProof, TheoremOutcome, TheoremResult
from ntp.evaluation.tree import proof_tree
from ntp.types import Crashed, Exceeded, Status, Theorem, Timeout, Trajectory, Transition, Verdict

# From the worst on: each may be why a theorem was not proved.
_TROUBLES = (
    (Crashed, TheoremOutcome.CRASHED),
    (Exceeded, TheoremOutcome.EXCEEDED),
    (Timeout, TheoremOutcome.TIMEOUT),
)

CheckProofs = Callable[[list[tuple[Theorem, Sequence[str]]]], list[Verdict | InitError]]


@dataclass(frozen=True, slots=True)
class TheoremRun:
    """What a search did on one theorem, before anything is verified again.

    Attributes:
        theorem: The theorem.
        trajectories: The attempts; for a tree search the proofs it found.
        transitions: Every step tried, in order; the steps of the trajectories when they are all there is.
        num_samples: Tactics sampled.
        num_env_steps: Tactics sent to the prover.
        cost_s: Seconds of the search that are due to this theorem.
        error: Why the theorem could not be opened; None when it could.
    """

    theorem: Theorem
    trajectories: tuple[Trajectory, ...] = ()
    transitions: tuple[Transition, ...] = ()
    num_samples: int = 0
    num_env_steps: int = 0
    cost_s: float = 0.0
    error: InitError | None = None


def assess(
    method: str,
    runs: Sequence[TheoremRun],
    check_proofs: CheckProofs,
    wall_s: float,
    independent: bool,
) -> list[TheoremResult]:
    """Verify every distinct proof of `runs` in a fresh replay and reduce those that count.

    Args:
        method: Name of the method.
        runs: One per theorem asked for, in the order of the results.
        check_proofs: `EnvPool.check_proofs`.
        wall_s: Wall time of the whole search in seconds, shared out in proportion to `cost_s`.
        independent: Whether the trajectories are independent samples of one policy.
    """
    found = [_distinct_proofs(run.trajectories) for run in runs]
    candidates = [
        (run.theorem, proof.tactics) for run, proofs in zip(runs, found, strict=True) for proof in proofs
    ]
    verdicts = dict(zip(_keys(candidates), check_proofs(list(candidates)), strict=True))
    accepted = [c for c, key in zip(candidates, _keys(candidates), strict=True) if _accepted(verdicts[key])]

    def accepts(scripts: list[Candidate]) -> list[bool]:
        return [_accepted(verdict) for verdict in check_proofs(list(scripts))]

    irredundant = dict(zip(_keys(accepted), minimize(accepted, accepts), strict=True))
    total_s = sum(run.cost_s for run in runs)
    results = []
    for run, proofs in zip(runs, found, strict=True):
        judged = tuple(
            _judge(
                proof,
                verdicts[run.theorem.id, proof.tactics],
                irredundant.get((run.theorem.id, proof.tactics)),
            )
            for proof in proofs
        )
        share_s = run.cost_s / total_s * wall_s if total_s > 0 else wall_s / len(runs)
        results.append(_result(method, run, judged, share_s, independent))
    return results


def _distinct_proofs(trajectories: Sequence[Trajectory]) -> list[Proof]:
    proofs: dict[Script, Proof] = {}
    for index, trajectory in enumerate(trajectories):
        if trajectory.status == Status.PROVED and trajectory.tactics not in proofs:
            states = tuple(
                blake2b(step.state.key.encode(), digest_size=8).hexdigest() for step in trajectory.transitions
            )
            proofs[trajectory.tactics] = Proof(
                trajectory.tactics, states, float(trajectory.log_prob), index, verified=False
            )
    return list(proofs.values())


def _judge(proof: Proof, verdict: Verdict | InitError, irredundant: Script | None) -> Proof:
    if isinstance(verdict, InitError):  # of a theorem that could be opened before
        return replace(proof, reason=str(verdict), unsettled=str(Status.CRASHED))
    return replace(
        proof,
        verified=verdict.accepted,
        reason=verdict.reason,
        irredundant=irredundant or (),
        unsettled=str(verdict.unsettled or ""),
    )


def _result(
    method: str, run: TheoremRun, proofs: tuple[Proof, ...], wall_s: float, independent: bool
) -> TheoremResult:
    return TheoremResult(
        theorem=run.theorem.id,
        file=run.theorem.file,
        statement=run.theorem.statement,
        method=method,
        independent=independent,
        outcome=str(_outcome(run, proofs)),
        attempts=tuple(
            SampledProof(index, trajectory.tactics, str(trajectory.status), float(trajectory.log_prob))
            for index, trajectory in enumerate(run.trajectories)
        ),
        proofs=proofs,
        num_samples=run.num_samples,
        num_env_steps=run.num_env_steps,
        wall_s=wall_s,
        message="" if run.error is None else str(run.error),
        tree=proof_tree(run.transitions),
        num_stopped_by_limits=sum(isinstance(step.outcome, Exceeded) for step in run.transitions),
    )


def _outcome(run: TheoremRun, proofs: Sequence[Proof]) -> TheoremOutcome:
    if run.error is not None:
        return TheoremOutcome.INIT_ERROR
    if any(proof.verified for proof in proofs):
        return TheoremOutcome.PROVED
    unsettled = {proof.unsettled for proof in proofs} - {""}
    if proofs and not unsettled:
        return TheoremOutcome.REJECTED
    for trouble, outcome in _TROUBLES:
        if outcome in unsettled or any(isinstance(step.outcome, trouble) for step in run.transitions):
            return outcome
    return TheoremOutcome.FAILED


def _accepted(verdict: Verdict | InitError) -> bool:
    return isinstance(verdict, Verdict) and verdict.accepted


def _keys(candidates: Sequence[Candidate]) -> list[tuple[str, Script]]:
    return [(theorem.id, script) for theorem, script in candidates]
