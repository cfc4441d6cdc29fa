"""Records of an evaluation: one JSON line per theorem and method, from which every number is recomputed."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ntp.errors import DataError
from ntp.evaluation.tree import ProofTree, TreeNode

SCHEMA = 1


class TheoremOutcome(StrEnum):
    """What became of a theorem that was asked for. Exactly one holds.

    PROVED: the kernel accepted a proof in a fresh replay. REJECTED: proofs were found and none of them
    survived that replay. INIT_ERROR: the theorem could not be opened. CRASHED, TIMEOUT: unproved, and
    at least one tactic crashed the prover, or else ran past its limit, so more resources might prove it.
    FAILED: the rest.
    """

    PROVED = "proved"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    INIT_ERROR = "init_error"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Attempt:
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
        irredundant: The proof with every tactic dropped that can be; empty unless verified.
    """

    tactics: tuple[str, ...]
    states: tuple[str, ...]
    log_prob: float
    index: int
    verified: bool
    reason: str = ""
    irredundant: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TheoremResult:
    """What one method made of one theorem.

    Attributes:
        theorem: Theorem id.
        file: Source file, relative to the project's root.
        statement: Source text of the statement.
        method: Name of the method.
        independent: Whether the attempts are independent samples of one policy, which pass@k asks for.
        outcome: The theorem's one outcome.
        attempts: Every attempt; for a tree search only the proof it found.
        proofs: Distinct proofs in the order in which they were found, those the re-check refused included.
        num_samples: Tactics sampled.
        num_env_steps: Tactics sent to the prover.
        wall_s: Share of the method's wall time, in seconds. Theorems are searched concurrently, and the
            shares sum to the method's wall time.
        message: Why the theorem could not be opened; empty otherwise.
        tree: What was tried.
    """

    theorem: str
    file: str
    statement: str
    method: str
    independent: bool
    outcome: TheoremOutcome
    attempts: tuple[Attempt, ...]
    proofs: tuple[Proof, ...]
    num_samples: int
    num_env_steps: int
    wall_s: float
    message: str = ""
    tree: ProofTree = field(default_factory=ProofTree)

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


def write_results(path: Path, results: Iterable[TheoremResult]) -> None:
    """Write one line per result; the file appears complete or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # backslashreplace turns a lone surrogate, which a policy may write, into its JSON escape.
    with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for result in results:
            file.write(json.dumps({"schema": SCHEMA, **asdict(result)}, ensure_ascii=False) + "\n")
    temporary.replace(path)


def read_results(path: Path) -> list[TheoremResult]:
    """Read what `write_results` wrote.

    Raises:
        DataError: The file cannot be read, or a line is corrupt or of another schema version.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return list(_parse_lines(path, file))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read evaluation results: {error}") from error


def _parse_lines(path: Path, lines: Iterable[str]) -> Iterator[TheoremResult]:
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            schema = record.pop("schema")
            if schema == SCHEMA:
                yield _result_from(record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}:{number}: corrupt result line: {error!r}") from error
        if schema != SCHEMA:
            raise DataError(f"{path}:{number}: schema {schema}, expected {SCHEMA}: evaluate again")


def _result_from(record: dict[str, Any]) -> TheoremResult:
    tree = record["tree"]
    nodes = tuple(TreeNode(**node) for node in tree["nodes"])
    return TheoremResult(
        **record
        | {
            "outcome": TheoremOutcome(record["outcome"]),
            "attempts": tuple(Attempt(**_with_tuples(attempt)) for attempt in record["attempts"]),
            "proofs": tuple(Proof(**_with_tuples(proof)) for proof in record["proofs"]),
            "tree": ProofTree(nodes, tree["num_left_out"]),
        }
    )


def _with_tuples(record: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}
