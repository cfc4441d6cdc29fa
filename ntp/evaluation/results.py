"""Records of an evaluation, one per theorem and method, from which every number can be recomputed.

They are written and read with `ntp.jsonl`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from ntp.evaluation.tree import ProofTree


class TheoremOutcome(StrEnum):
    """The outcome of a requested theorem, exactly one.

    PROVED: the kernel accepted a proof in a fresh replay. REJECTED: proofs were found, and the replay refused
    all of them. INIT_ERROR: the theorem could not be opened. CRASHED, EXCEEDED, TIMEOUT: not proved, and at
    least one tactic or replay crashed the prover, or else was stopped by a resource limit, or else ran out of
    time, so more resources might prove it. FAILED: all others.
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
    """A trajectory as it was sampled, from the root state, before it is checked.

    Attributes:
        index: Its number among those of the theorem.
        tactics: The texts of its tactics, in order.
        status: An `ntp.types.Status` value.
        log_prob: Log-probability of all tactics, in nats.
    """

    index: int
    tactics: tuple[str, ...]
    status: str
    log_prob: float


@dataclass(frozen=True, slots=True)
class Proof:
    """A distinct sequence of tactics that closed every goal, with the result of its check.

    Attributes:
        tactics: The texts of its tactics, in order.
        states: Digest of `ProofState.key` before each tactic.
        log_prob: Log-probability of all tactics, in nats.
        index: Number of the first `SampledProof` that found it.
        verified: Whether the kernel accepted it in a fresh replay. Only then it counts.
        reason: Why it was not accepted; empty if it was.
        unsettled: "timeout", "exceeded" or "crashed" if the replay did not finish; empty if it did.
        minimal: The proof without what can be dropped, in one spelling (`ntp.evaluation.minimize`); empty
            unless verified.
        term: Digest of the kernel's proof term (`Verdict.term`); empty if unknown.
    """

    tactics: tuple[str, ...]
    states: tuple[str, ...]
    log_prob: float
    index: int
    verified: bool
    reason: str = ""
    minimal: tuple[str, ...] = ()
    unsettled: str = ""
    term: str = ""


@dataclass(frozen=True, slots=True)
class TheoremResult:
    """The result of one method on one theorem.

    Attributes:
        theorem: Id of the theorem.
        file: Source file, relative to the project's root.
        statement: Source text of the statement.
        method: Name of the method.
        independent: Whether `attempts` are independent samples of one policy, as pass@k requires.
        outcome: A `TheoremOutcome` value.
        attempts: Every sampled trajectory; for a tree search only the proofs it found.
        proofs: Distinct proofs in the order in which they were found, including those that were refused.
        num_samples: Number of sampled tactics.
        num_env_steps: Number of tactics that the prover ran.
        wall_s: Share of the method's wall time, in seconds. Theorems are searched concurrently; the shares
            are in proportion to what each used (`ntp.search.driver`) and sum to the wall time.
        message: Why the theorem could not be opened; empty otherwise.
        tree: What was tried.
        num_stopped_by_limits: Number of tactics at which the prover was stopped by a resource limit.
        cpu_s: CPU time of the search's prover and of the processes that it started (`hammer`'s) since the
            theorem was opened, in seconds. The checks of proofs are not in it.
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
    cpu_s: float = 0.0

    @property
    def verified_proofs(self) -> tuple[Proof, ...]:
        """The proofs that the kernel accepted, in the order in which they were found."""
        return tuple(proof for proof in self.proofs if proof.verified)

    @property
    def num_successes(self) -> int:
        """Number of `attempts` that are accepted proofs."""
        verified = {proof.tactics for proof in self.verified_proofs}
        return sum(attempt.tactics in verified for attempt in self.attempts)

    @property
    def successes_by_script(self) -> Counter[tuple[str, ...]]:
        """Number of `attempts` that are accepted proofs, by minimal script."""
        minimal = {proof.tactics: proof.minimal for proof in self.verified_proofs}
        return Counter(minimal[a.tactics] for a in self.attempts if a.tactics in minimal)

    @property
    def status_counts(self) -> Counter[str]:
        """Number of `attempts` by status."""
        return Counter(attempt.status for attempt in self.attempts)
