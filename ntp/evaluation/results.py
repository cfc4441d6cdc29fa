"""Records of an evaluation, one per theorem and method, from which every number is recomputed.

They are written and read with `ntp.jsonl`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from ntp.evaluation.tree import ProofTree


class TheoremOutcome(StrEnum):
    """What became of a theorem that was asked for. Exactly one holds.

    PROVED: the kernel accepted a proof in a fresh replay. REJECTED: proofs were found and that replay
    refused all of them. INIT_ERROR: the theorem could not be opened. CRASHED, EXCEEDED, TIMEOUT: unproved,
    and at least one tactic or replay crashed the prover, or else was stopped by a limit on what the prover
    may use, or else ran past its time, so more resources might prove it. FAILED: the rest.
    """

    PROVED = "proved"
    FAILED = "failed"
    TIMEOUT = "timeout"
    EXCEEDED = "exceeded"
    CRASHED = "crashed"
    INIT_ERROR = "init_error"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class SampledProof:
    """One tactic sequence tried from the root state.

    Attributes:
        index: Its number among the attempts on the theorem.
        tactics: The tactic texts in order.
        status: An `ntp.types.Status` value.
        log_prob: Summed log-probability of the tactics, in nats.
    """

    index: int
    tactics: tuple[str, ...]
    status: str
    log_prob: float


@dataclass(frozen=True, slots=True)
class Proof:
    """A distinct tactic sequence that closed every goal, and the kernel's word on it.

    Attributes:
        tactics: The tactic texts in order.
        states: Digest of `ProofState.key` before each tactic.
        log_prob: Summed log-probability, in nats.
        index: Number of the first attempt that found it.
        verified: Whether a fresh replay accepted it: the only thing that makes it count.
        reason: Why it was not accepted; empty when it was.
        unsettled: "timeout", "exceeded" or "crashed" where the replay came to no end; empty where it did.
        irredundant: The proof with every tactic dropped that can be; empty unless verified.
    """

    tactics: tuple[str, ...]
    states: tuple[str, ...]
    log_prob: float
    index: int
    verified: bool
    reason: str = ""
    irredundant: tuple[str, ...] = ()
    unsettled: str = ""


@dataclass(frozen=True, slots=True)
class TheoremResult:
    """What one method made of one theorem.

    Attributes:
        theorem: Theorem id.
        file: Source file, relative to the project's root.
        statement: Source text of the statement.
        method: Name of the method.
        independent: Whether the attempts are independent samples of one policy, which pass@k asks for.
        outcome: A `TheoremOutcome` value.
        attempts: Every attempt; for a tree search only the proof it found.
        proofs: Distinct proofs in the order in which they were found, those the re-check refused included.
        num_samples: Tactics sampled.
        num_env_steps: Tactics sent to the prover.
        wall_s: Share of the method's wall time, in seconds. Theorems are searched concurrently, each is
            charged with what is due to it (`ntp.search.driver`), and the shares sum to the wall time.
        message: Why the theorem could not be opened; empty otherwise.
        tree: What was tried.
        num_stopped_by_limits: Tactics at which the prover was stopped because it used more than it may.
    """

    theorem: str
    file: str
    statement: str
    method: str
    independent: bool
    outcome: str
    attempts: tuple[SampledProof, ...]
    proofs: tuple[Proof, ...]
    num_samples: int
    num_env_steps: int
    wall_s: float
    message: str = ""
    tree: ProofTree = field(default_factory=ProofTree)
    num_stopped_by_limits: int = 0

    @property
    def verified_proofs(self) -> tuple[Proof, ...]:
        """The proofs that count, in the order in which they were found."""
        return tuple(proof for proof in self.proofs if proof.verified)

    @property
    def first_proof(self) -> Proof | None:
        """The first proof found that counts."""
        return next(iter(self.verified_proofs), None)

    @property
    def num_successes(self) -> int:
        """Attempts whose tactic sequence is a verified proof."""
        verified = {proof.tactics for proof in self.verified_proofs}
        return sum(attempt.tactics in verified for attempt in self.attempts)

    @property
    def status_counts(self) -> Counter[str]:
        """Number of attempts by status."""
        return Counter(attempt.status for attempt in self.attempts)
