"""What was asked, written, repaired and refused on the way to whole proofs, and how often repairs help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ntp.types import Message

SAMPLE, SECOND_TRY, BACKTRACKING = "sample", "second_try", "backtracking"


@dataclass(frozen=True, slots=True)
class RepairLog:
    """A repair that was tried on one error.

    Attributes:
        kind: Its class.
        error: The prover's message.
        before: The sentence that failed; empty where the script ended too early.
        after: What stands in its place, if the prover accepted anything.
        num_candidates: Candidates that the prover was shown.
        accepted: Whether it accepted one.
        closed: Whether the script then became a proof.
        seconds: Time that it took.
    """

    kind: str
    error: str
    before: str
    after: str
    num_candidates: int
    accepted: bool
    closed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class ScriptLog:
    """A script, from the question to the verdict.

    Attributes:
        origin: `sample`, `second_try` or `backtracking`.
        chat: The conversation that it answers.
        answer: The answer as it was given.
        script: The script that was read in it.
        final: The script after repairs.
        proved: Whether the final script is a proof.
        error: Why it is none.
        repairs: Repairs, in order.
        num_prompt_tokens: Tokens that the model read.
        num_tokens: Tokens that it wrote.
        cost: What they cost.
        write_s: Seconds in which it was written.
        check_s: Seconds in which it was checked and repaired.
    """

    origin: str
    chat: tuple[Message, ...]
    answer: str
    script: str
    final: str
    proved: bool
    error: str
    repairs: tuple[RepairLog, ...]
    num_prompt_tokens: int
    num_tokens: int
    cost: float
    write_s: float
    check_s: float


@dataclass(frozen=True, slots=True)
class ProofLog:
    """Everything that was tried on a theorem.

    Attributes:
        theorem: Id of the theorem.
        file: Its file.
        proved: Whether a script is a proof, before it is checked again.
        seconds: Wall time, from opening the theorem to the last verdict.
        scripts: The scripts, in order.
    """

    theorem: str
    file: str
    proved: bool
    seconds: float
    scripts: tuple[ScriptLog, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a class of repairs was tried, and with what success."""

    tried: int = 0
    accepted: int = 0
    closed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.tried + other.tried, self.accepted + other.accepted, self.closed + other.closed)


def tallies(logs: Iterable[ProofLog]) -> dict[str, Tally]:
    """By class of repair, second tries and backtracking among them.

    A second try or a backtracking counts as accepted if the whole script is.
    """
    found: dict[str, Tally] = {}
    for script in (script for log in logs for script in log.scripts):
        counts = [(r.kind, Tally(1, int(r.accepted), int(r.closed))) for r in script.repairs]
        if script.origin != SAMPLE:
            counts.append((script.origin, Tally(1, int(script.proved), int(script.proved))))
        for kind, tally in counts:
            found[kind] = found.get(kind, Tally()) + tally
    return found


def repair_rows(logs: Mapping[str, Sequence[ProofLog]]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of repairs: one row for each method and class."""
    header = ["method", "repair", "tried", "accepted by the prover", "closed the proof", "closed of tried"]
    rows = []
    for method, of_method in logs.items():
        for kind, tally in sorted(tallies(of_method).items()):
            counts = [f"{n:,}" for n in (tally.tried, tally.accepted, tally.closed)]
            rows.append([method, kind, *counts, f"{tally.closed / tally.tried:.1%}"])
    return header, rows


def usage_rows(logs: Mapping[str, Sequence[ProofLog]]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of what was written: one row for each method."""
    header = ["method", "scripts", "tokens read", "tokens written", "cost", "writing s", "checking s"]
    rows = []
    for method, of_method in logs.items():
        flat = flat_log(method, of_method)
        numbers = [flat[f"{method}/{name}"] for name in _USAGE]
        rows.append([method, *(f"{n:,.0f}" for n in numbers[:3]), *(f"{n:,.2f}" for n in numbers[3:])])
    return header, rows


_USAGE = ("num_scripts", "num_prompt_tokens", "num_tokens", "cost", "write_s", "check_s")


def flat_log(method: str, logs: Sequence[ProofLog]) -> dict[str, float]:
    """Metric name to number, `METHOD/...`."""
    scripts = [script for log in logs for script in log.scripts]
    flat: dict[str, float] = {f"{method}/num_scripts": len(scripts)}
    for name in _USAGE[1:]:
        flat[f"{method}/{name}"] = sum(getattr(script, name) for script in scripts)
    for kind, tally in tallies(logs).items():
        flat[f"{method}/repair/{kind}/tried"] = tally.tried
        flat[f"{method}/repair/{kind}/accepted"] = tally.accepted
        flat[f"{method}/repair/{kind}/closed"] = tally.closed
    return flat
