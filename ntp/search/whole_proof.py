"""Whole proofs, sampled in one go and checked by the prover sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ntp.envs.pool import EnvPool
from ntp.envs.script import ScriptSyntax
from ntp.errors import InitError
from ntp.evaluation.assess import TheoremRun
from ntp.policy.prompt import SampleRequest, SamplingParams
from ntp.search.interface import Proposer
from ntp.seeding import derive_seed
from ntp.types import (
    Crashed,
    ProofState,
    Rejected,
    ScriptResult,
    Status,
    Tactic,
    Theorem,
    Trajectory,
    Transition,
)

# Theorems whose scripts are sampled in one batch.
_BATCH = 8


@dataclass(frozen=True)
class WholeProofSampling:
    """Samples scripts for every theorem and lets the prover check them.

    Attributes:
        proposer: Proposes scripts in a theorem's initial state.
        syntax: Spelling of the prover's tactics.
        num_samples: Scripts per theorem.
        temperature: Sampling temperature.
        seed: Seed of all samples.
    """

    proposer: Proposer
    syntax: ScriptSyntax
    num_samples: int
    temperature: float
    seed: int

    def __call__(
        self, theorems: Sequence[Theorem], pool: EnvPool, on_finished: Callable[[], None]
    ) -> list[TheoremRun]:
        """Search theorems; calls `on_finished` for each when its scripts are checked."""
        runs: list[TheoremRun] = []
        for begin in range(0, len(theorems), _BATCH):
            part = theorems[begin : begin + _BATCH]
            roots = initial_states(part, pool)
            opened = [theorem for theorem in part if isinstance(roots[theorem.id], ProofState)]
            scripts = dict(zip((t.id for t in opened), self._sample(opened, roots), strict=True))
            distinct = {(t, tactic.text): None for t in opened for tactic in scripts[t.id]}
            checked = dict(zip(distinct, pool.check_scripts(list(distinct)), strict=True))
            flat = self._without_structure(checked, pool)
            for theorem in part:
                root = roots[theorem.id]
                if isinstance(root, InitError):
                    runs.append(TheoremRun(theorem, error=root))
                else:
                    results = [(tactic, flat[theorem, tactic.text]) for tactic in scripts[theorem.id]]
                    runs.append(_run_of(theorem, root, results))
                on_finished()
        return runs

    def _sample(
        self, theorems: Sequence[Theorem], roots: dict[str, ProofState | InitError]
    ) -> list[list[Tactic]]:
        requests = []
        for theorem in theorems:
            root = roots[theorem.id]
            assert isinstance(root, ProofState)
            draws = tuple(
                SamplingParams(derive_seed(self.seed, "whole_proof", theorem.id, i), self.temperature)
                for i in range(self.num_samples)
            )
            requests.append(SampleRequest(root.text, draws, theorem))
        return self.proposer.sample(requests) if requests else []

    def _without_structure(
        self, checked: dict[tuple[Theorem, str], ScriptResult | InitError], pool: EnvPool
    ) -> dict[tuple[Theorem, str], ScriptResult | InitError]:
        """Proofs without bullets and braces where those are not needed, so that equal proofs are equal."""
        shorter: dict[tuple[Theorem, str], str] = {}
        for (theorem, text), result in checked.items():
            if isinstance(result, ScriptResult) and result.verdict.accepted:
                kept = [sentence for sentence in result.accepted if not self.syntax.is_structure(sentence)]
                if len(kept) < len(result.accepted):
                    shorter[theorem, text] = "\n".join(kept)
        again = pool.check_scripts([(theorem, flat) for (theorem, _), flat in shorter.items()])
        fine = {
            key: result
            for key, result in zip(shorter, again, strict=True)
            if isinstance(result, ScriptResult) and result.verdict.accepted
        }
        return checked | fine


def initial_states(theorems: Sequence[Theorem], pool: EnvPool) -> dict[str, ProofState | InitError]:
    """The initial state of each theorem by its id, or why it cannot be opened."""
    found: dict[str, ProofState | InitError] = {}
    for begin in range(0, len(theorems), pool.num_workers):
        part = theorems[begin : begin + pool.num_workers]
        for theorem, session in zip(part, pool.open_many(part), strict=True):
            found[theorem.id] = session if isinstance(session, InitError) else session.root
            if not isinstance(session, InitError):
                session.close()
    return found


def _run_of(
    theorem: Theorem, root: ProofState, results: Sequence[tuple[Tactic, ScriptResult | InitError]]
) -> TheoremRun:
    trajectories = tuple(trajectory_of(theorem, root, script, result) for script, result in results)
    transitions = tuple(t for trajectory in trajectories for t in trajectory.transitions)
    return TheoremRun(theorem, trajectories, transitions, len(results), len(transitions), cost_s=1.0)


def trajectory_of(
    theorem: Theorem, root: ProofState, script: Tactic, result: ScriptResult | InitError
) -> Trajectory:
    """A script as a trajectory: its sentences in the states before them."""
    if isinstance(result, InitError):
        return Trajectory(theorem, (Transition(root, script, Crashed(str(result))),), Status.CRASHED)
    verdict = result.verdict
    if not result.transitions:
        return Trajectory(theorem, (Transition(root, script, Rejected(verdict.reason)),), Status.STUCK)
    # The probability is that of the whole script, which has no parts of its own.
    transitions = tuple(
        replace(t, tactic=replace(t.tactic, log_prob=script.log_prob if index == 0 else 0.0))
        for index, t in enumerate(result.transitions)
    )
    status = Status.PROVED if verdict.accepted else verdict.unsettled or Status.STUCK
    return Trajectory(theorem, transitions, status)
