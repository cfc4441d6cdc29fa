"""Proofs in their minimal form: what a step trains on in place of padded scripts and other spellings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ntp.envs.pool import PooledSession
from ntp.envs.script import ScriptSyntax
from ntp.errors import InitError
from ntp.evaluation.minimize import Candidate, minimize
from ntp.modules.rollout import Group, Rollout
from ntp.policy.policy import TacticPolicy
from ntp.search.sampling import SamplingSearch
from ntp.types import ProofState, Proved, Reached, Status

Script = tuple[str, ...]


class ProofMinimizer:
    """Replaces proofs by their minimal scripts, which the kernel has accepted too.

    Scripts are tried while their theorem is open for its attempts, since its file is loaded then. Each proof
    is minimised once; what is remembered changes no result. A proof stays as it is where the policy cannot
    write its minimal script.

    Args:
        policy: Encodes tactics.
        syntax: Spelling and components of the prover's tactics.
    """

    def __init__(self, policy: TacticPolicy, syntax: ScriptSyntax) -> None:
        self._policy, self._syntax = policy, syntax
        # By theorem and proof: the minimal script and the states that its tactics were applied to.
        self._known: dict[tuple[str, Script], tuple[Script, tuple[ProofState, ...]]] = {}

    def learn(self, session: PooledSession, search: SamplingSearch) -> None:
        """Minimise the proofs that a search has found, in its session."""
        theorem = search.theorem
        proofs = dict.fromkeys(t.tactics for t in search.trajectories if t.status is Status.PROVED)
        new = [proof for proof in proofs if (theorem.id, proof) not in self._known]
        walks: dict[Script, tuple[ProofState, ...] | None] = {}

        def walk(script: Script) -> tuple[ProofState, ...] | None:
            if script not in walks:
                walks[script] = _walk(session, script)
            return walks[script]

        def accepts(candidates: list[Candidate]) -> list[bool]:
            return [walk(script) is not None for _, script in candidates]

        scripts = minimize([(theorem, proof) for proof in new], accepts, self._syntax)
        for proof, script in zip(new, scripts, strict=True):
            if (states := walk(script)) is not None:
                self._known[theorem.id, proof] = (script, states)

    def minimal(self, groups: Sequence[Group | InitError]) -> list[Group | InitError]:
        """The groups with the minimal scripts of their proofs."""
        return [group if isinstance(group, InitError) else self._replaced(group) for group in groups]

    def _replaced(self, group: Group) -> Group:
        attempts = (
            self._rollout(group.theorem.id, attempt) if attempt.status is Status.PROVED else attempt
            for attempt in group.attempts
        )
        return replace(group, attempts=tuple(attempts))

    def _rollout(self, theorem_id: str, proof: Rollout) -> Rollout:
        script, states = self._known.get((theorem_id, proof.tactics), (proof.tactics, ()))
        token_ids = tuple(map(self._policy.encode_tactic, script))
        if script == proof.tactics or tuple(map(self._policy.decode_tactic, token_ids)) != script:
            return proof
        return replace(
            proof,
            states=tuple(state.text for state in states),
            tactics=script,
            token_ids=token_ids,
            unread=tuple(state.unread_goals for state in states),
            rewritten=True,
        )


def _walk(session: PooledSession, script: Script) -> tuple[ProofState, ...] | None:
    """The states that the tactics of a proof are applied to; None if it is no proof."""
    states = [session.root]
    for number, tactic in enumerate(script, start=1):
        match session.submit(states[-1], tactic).result():
            case Proved() if number == len(script):
                return tuple(states)
            case Reached(state):
                states.append(state)
            case _:
                return None
    return None
