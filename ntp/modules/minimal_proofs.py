"""Proofs in their minimal form: what a step trains on in place of padded scripts and other spellings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ntp.envs.pool import EnvPool
from ntp.envs.script import ScriptSyntax
from ntp.errors import InitError
from ntp.evaluation.minimize import Candidate, minimize
from ntp.modules.rollout import Group, Rollout
from ntp.policy.policy import TacticPolicy
from ntp.types import ScriptResult, Status, Theorem, Verdict


class ProofMinimizer:
    """Replaces proofs by their minimal scripts, which the kernel has checked too.

    Each proof is minimised once; what is remembered changes no result. A proof stays as it is where the
    policy cannot write its minimal script.

    Args:
        policy: Encodes tactics.
        syntax: Spelling and components of the prover's tactics.
    """

    def __init__(self, policy: TacticPolicy, syntax: ScriptSyntax) -> None:
        self._policy, self._syntax = policy, syntax
        self._known: dict[tuple[str, tuple[str, ...]], Rollout] = {}

    def minimal(self, groups: Sequence[Group | InitError], pool: EnvPool) -> list[Group | InitError]:
        """The groups with minimal proofs.

        Args:
            groups: Attempts at theorems.
            pool: Provers, without open sessions.
        """
        proofs = {
            (group.theorem.id, attempt.tactics): (group.theorem, attempt)
            for group in groups
            if isinstance(group, Group)
            for attempt in group.attempts
            if attempt.status is Status.PROVED
        }
        self._learn([proof for key, proof in proofs.items() if key not in self._known], pool)
        return [group if isinstance(group, InitError) else self._replaced(group) for group in groups]

    def _replaced(self, group: Group) -> Group:
        attempts = (
            replace(self._known[group.theorem.id, attempt.tactics], origin=attempt.origin)
            if attempt.status is Status.PROVED
            else attempt
            for attempt in group.attempts
        )
        return replace(group, attempts=tuple(attempts))

    def _learn(self, new: Sequence[tuple[Theorem, Rollout]], pool: EnvPool) -> None:
        def accepts(scripts: list[Candidate]) -> list[bool]:
            return [isinstance(v, Verdict) and v.accepted for v in pool.check_proofs(list(scripts))]

        scripts = minimize([(theorem, proof.tactics) for theorem, proof in new], accepts, self._syntax)
        changed = [
            (theorem, script)
            for (theorem, proof), script in zip(new, scripts, strict=True)
            if script != proof.tactics
        ]
        results = pool.check_scripts([(theorem, "\n".join(script)) for theorem, script in changed])
        by_key = {(t.id, script): result for (t, script), result in zip(changed, results, strict=True)}
        for (theorem, proof), script in zip(new, scripts, strict=True):
            found = self._rollout(proof, script, by_key.get((theorem.id, script)))
            self._known[theorem.id, proof.tactics] = found or proof

    def _rollout(
        self, proof: Rollout, script: tuple[str, ...], result: ScriptResult | InitError | None
    ) -> Rollout | None:
        """The minimal script as a rollout; None where it cannot be one."""
        if not isinstance(result, ScriptResult) or not result.verdict.accepted:
            return None
        steps = result.transitions
        token_ids = tuple(map(self._policy.encode_tactic, script))
        if tuple(step.tactic.text for step in steps) != script:
            return None
        if tuple(map(self._policy.decode_tactic, token_ids)) != script:
            return None
        return replace(
            proof,
            states=tuple(step.state.text for step in steps),
            tactics=script,
            token_ids=token_ids,
            unread=tuple(step.state.unread_goals for step in steps),
        )
