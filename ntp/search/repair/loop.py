"""Repairs one script: error by error, each by the first candidate that the prover accepts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ntp.envs.script import ScriptSyntax
from ntp.evaluation.proof_log import RepairLog
from ntp.search.repair.base import Candidate, Failure, Repair
from ntp.types import ProofState, Reached, ScriptResult

TRUNCATED = "truncated"
_UNREADABLE = "not whole sentences"
# The last place at which a sentence may end.
_LAST_END = re.compile(r"\A(.*\.)\s", re.S)
_MAX_MESSAGE = 600

Check = Callable[[str], ScriptResult]


class OutOfTimeError(Exception):
    """The time for a theorem is over."""


@dataclass(frozen=True)
class RepairLoop:
    """Repairs scripts of one theorem.

    Attributes:
        repairs: The classes, in the order in which they are asked.
        syntax: Spelling of scripts.
        check: Runs a script; raises `OutOfTimeError` when the theorem's time is over.
        names: Names that the proof may use, in full.
        max_repairs: Most errors that are repaired in a script.
        max_candidates: Most candidates for an error, of each class.
    """

    repairs: Sequence[Repair]
    syntax: ScriptSyntax
    check: Check
    names: Sequence[str]
    max_repairs: int
    max_candidates: int

    def run(self, text: str, result: ScriptResult, log: list[RepairLog]) -> tuple[str, ScriptResult]:
        """Repair a script that failed as far as possible.

        Args:
            text: The script.
            result: How far it went.
            log: What is tried is appended here, at once, so that it is known when time runs out.

        Returns:
            The script that went furthest, and how far.
        """
        if not self.repairs:
            return text, result
        text, result = self._readable(text, result, log)
        sentences = self._sentences(text, result)
        for _ in range(self.max_repairs):
            failure = self._failure(sentences, result)
            if result.verdict.accepted or failure is None:
                break
            better = self._repaired(failure, result, log)
            if better is None:
                break
            sentences, result = better
            text = "\n".join(sentences)
        return text, result

    def _readable(self, text: str, result: ScriptResult, log: list[RepairLog]) -> tuple[str, ScriptResult]:
        """An answer that was cut off loses its last sentence."""
        reason = result.verdict.reason
        cut = _LAST_END.match(f"{text} ") if reason.startswith(_UNREADABLE) else None
        while cut and cut[1] != text:
            text, begun = cut[1], time.perf_counter()
            result = self.check(text)
            read = not result.verdict.reason.startswith(_UNREADABLE)
            if read or (cut := _LAST_END.match(text[:-1] + " ")) is None:
                seconds = time.perf_counter() - begun
                log.append(RepairLog(TRUNCATED, reason[:_MAX_MESSAGE], "", "", 1, read, False, seconds))
                break
        return text, result

    def _sentences(self, text: str, result: ScriptResult) -> list[str]:
        """The sentences of a script from the first one that was run."""
        found = self.syntax.sentences(text)
        run = [transition.tactic.text for transition in result.transitions]
        begin = next((i for i in (0, 1) if found[i : i + len(run)] == run), 0)
        return found[begin:]

    def _failure(self, sentences: Sequence[str], result: ScriptResult) -> Failure | None:
        """Where a script fails; None if that is not at a sentence or at its end."""
        message = " ".join(result.verdict.reason.split())
        num_done = len(result.accepted)
        if result.failed is not None:
            return Failure(
                sentences[num_done] if num_done < len(sentences) else result.failed.tactic.text,
                tuple(sentences[num_done + 1 :]),
                result.failed.state,
                message,
                self.names,
            )
        state = _last_state(result)
        return None if state is None else Failure("", (), state, message, self.names)

    def _repaired(
        self, failure: Failure, result: ScriptResult, log: list[RepairLog]
    ) -> tuple[list[str], ScriptResult] | None:
        """The script with the first candidate that is accepted, and how far it goes."""
        for repair in self.repairs:
            begun, num_tried, found = time.perf_counter(), 0, None
            candidate = Candidate((), ())
            try:
                for candidate in islice(repair.candidates(failure), self.max_candidates):
                    num_tried += 1
                    sentences = [*result.accepted, *candidate.sentences, *candidate.rest]
                    if not sentences:
                        continue
                    after = self.check("\n".join(sentences))
                    if _is_better(after, result, candidate):
                        found = sentences, after
                        break
            finally:
                if num_tried:
                    log.append(
                        RepairLog(
                            repair.name,
                            failure.message[:_MAX_MESSAGE],
                            failure.sentence,
                            " ".join(candidate.sentences) if found else "",
                            num_tried,
                            found is not None,
                            False,
                            time.perf_counter() - begun,
                        )
                    )
            if found is not None:
                return found
        return None


def closing(log: Sequence[RepairLog]) -> list[RepairLog]:
    """The repairs of a script that became a proof: the accepted ones have closed it."""
    return [replace(repair, closed=repair.accepted) for repair in log]


def _is_better(after: ScriptResult, before: ScriptResult, candidate: Candidate) -> bool:
    """Whether the prover accepts a candidate, or what follows a sentence that was left out.

    The sentence that failed is gone in any case, so every repair brings the end nearer.
    """
    if after.verdict.accepted:
        return True
    num_new = len(after.accepted) - len(before.accepted)
    if not candidate.sentences:
        return num_new > 0 or after.failed is None
    if num_new < len(candidate.sentences):
        return False
    if before.failed is not None or not candidate.sentences[0].strip("-+*{}"):
        return True
    return _num_goals(after) < _num_goals(before)  # goals were left: there must be fewer


def _last_state(result: ScriptResult) -> ProofState | None:
    if result.transitions and isinstance(reached := result.transitions[-1].outcome, Reached):
        return reached.state
    return None


def _num_goals(result: ScriptResult) -> int:
    """Goals at the end of what was accepted."""
    num = len(result.accepted)
    if not num or not isinstance(reached := result.transitions[num - 1].outcome, Reached):
        return 0
    return len(reached.state.other_goals) + bool(reached.state.goal.conclusion)
