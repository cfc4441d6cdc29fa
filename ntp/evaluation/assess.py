"""Turn what a search found into results: check every proof in a fresh replay, then make it minimal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from ntp.envs.script import ScriptSyntax
from ntp.errors import InitError
from ntp.evaluation.minimize import Candidate, Script, minimize
from ntp.evaluation.proof_log import ProofLog
from ntp.evaluation.results import Proof, SampledProof, TheoremOutcome, TheoremResult
from ntp.evaluation.tree import proof_tree
from ntp.types import Crashed, Exceeded, Status, Theorem, Timeout, Trajectory, Transition, Verdict

# Reasons why a theorem was not proved, worst first.
_INTERRUPTIONS = (
    (Crashed, TheoremOutcome.CRASHED),
    (Exceeded, TheoremOutcome.EXCEEDED),
    (Timeout, TheoremOutcome.TIMEOUT),
)

CheckProofs = Callable[[list[tuple[Theorem, Sequence[str]]]], list[Verdict | InitError]]


@dataclass(frozen=True, slots=True)
class TheoremRun:
    """What a search did on one theorem, before proofs are checked.

    Attributes:
        theorem: The theorem.
        trajectories: The sampled trajectories; for a tree search the proofs it found.
        transitions: Every step that was tried, in order.
        num_samples: Number of sampled tactics.
        num_env_steps: Number of tactics that the prover ran.
        cost_s: Seconds of the search that this theorem used.
        error: Why the theorem could not be opened; None if it could.
        log: How whole proofs were written and repaired; None for other searches.
        cpu_s: CPU seconds of the prover on it.
    """

    theorem: Theorem
    trajectories: tuple[Trajectory, ...] = ()
    transitions: tuple[Transition, ...] = ()
    num_samples: int = 0
    num_env_steps: int = 0
    cost_s: float = 0.0
    error: InitError | None = None
    log: ProofLog | None = None
    cpu_s: float = 0.0


def assess(
    method: str,
    runs: Sequence[TheoremRun],
    check_proofs: CheckProofs,
    wall_s: float,
    independent: bool,
    syntax: ScriptSyntax,
) -> list[TheoremResult]:
    """Check every distinct proof in a fresh replay and make the accepted ones minimal.

    Args:
        method: Name of the method.
        runs: One per requested theorem.
        check_proofs: `EnvPool.check_proofs`.
        wall_s: Wall time of the whole search in seconds, divided among theorems in proportion to `cost_s`.
        independent: Whether the trajectories are independent samples of one policy.
        syntax: Spelling and components of the prover's tactics.

    Returns:
        One result per run, in the same order.
    """
    found = [_distinct_proofs(run.trajectories) for run in runs]
    candidates = [
        (run.theorem, proof.tactics) for run, proofs in zip(runs, found, strict=True) for proof in proofs
    ]
    verdicts = dict(zip(_keys(candidates), check_proofs(list(candidates)), strict=True))
    accepted = [c for c, key in zip(candidates, _keys(candidates), strict=True) if _accepted(verdicts[key])]

    def accepts(scripts: list[Candidate]) -> list[bool]:
        return [_accepted(verdict) for verdict in check_proofs(list(scripts))]

    minimal = dict(zip(_keys(accepted), minimize(accepted, accepts, syntax), strict=True))
    total_s = sum(run.cost_s for run in runs)
    results = []
    for run, proofs in zip(runs, found, strict=True):
        checked = tuple(
            _checked(
                proof,
                verdicts[run.theorem.id, proof.tactics],
                minimal.get((run.theorem.id, proof.tactics)),
            )
            for proof in proofs
        )
        share_s = run.cost_s / total_s * wall_s if total_s > 0 else wall_s / len(runs)
        results.append(_result(method, run, checked, share_s, independent))
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


def _checked(proof: Proof, verdict: Verdict | InitError, minimal: Script | None) -> Proof:
    if isinstance(verdict, InitError):  # the search could open the theorem, the replay could not
        return replace(proof, reason=str(verdict), unsettled=str(Status.CRASHED))
    return replace(
        proof,
        verified=verdict.accepted,
        reason=verdict.reason,
        minimal=minimal or (),
        term=verdict.term,
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
        cpu_s=run.cpu_s,
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
    for interruption, outcome in _INTERRUPTIONS:
        if outcome in unsettled or any(isinstance(step.outcome, interruption) for step in run.transitions):
            return outcome
    return TheoremOutcome.FAILED


def _accepted(verdict: Verdict | InitError) -> bool:
    return isinstance(verdict, Verdict) and verdict.accepted


def _keys(candidates: Sequence[Candidate]) -> list[tuple[str, Script]]:
    return [(theorem.id, script) for theorem, script in candidates]
