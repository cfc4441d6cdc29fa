"""Replays the sentences of a Coq file in stretches that leave the prover where a proof is about to close."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.protocol import Failure, Goals
from ntp.envs.coq.syntax import Sentence, is_structure
from ntp.envs.coq.tokens import flatten
from ntp.sandbox.process import DeadlineExceededError, ProcessDiedError

_CLOSING = re.compile(r"(?:Qed|Defined|Admitted|Abort|Save)\b")
_TIMED = re.compile(r"(?:Time|Timeout\s+\d+)\s+")
_FIRST_WORD = re.compile(r"\w+")
_COMMANDS_IN_PROOF = {
    "Abort", "About", "Add", "Admitted", "Arguments", "Check", "Close", "Compute", "Create", "Declare",
    "Defined", "Delimit", "Eval", "Existential", "Existing", "Export", "Fail", "Focus", "From",
    "Generalizable", "Global", "Grab", "Guarded", "Hint", "Implicit", "Import", "Infix", "Info", "Let",
    "Local", "Locate", "Ltac", "Notation", "Opaque", "Open", "Optimize", "Print", "Proof", "Qed",
    "Remove", "Require", "Reserved", "Restart", "Save", "Search", "SearchPattern", "SearchRewrite", "Set",
    "Show", "Strategy", "Succeed", "Tactic", "Test", "Transparent", "Typeclasses", "Undo", "Unfocus",
    "Unfocused", "Unset", "Unshelve", "Validate",
}  # fmt: skip

Replayed = tuple[Sentence, Goals | None]


class ReplayError(Exception):
    """The file does not replay.

    Attributes:
        offset: Where it stops, in characters from the start of the file.
    """

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


def replay(coq: CoqIdeTop, cut: Sequence[Sentence], timeout_s: float) -> Iterator[list[Replayed]]:
    """Execute sentences and yield each with the goals after it (None: no open proof), a stretch at a time.

    A stretch ends before a sentence that closes a proof, so while the consumer holds it, queries are answered
    inside that proof.

    Raises:
        ReplayError: A sentence fails, takes too long or kills the process.
    """
    for stretch in _stretches(cut):
        try:
            results = coq.run_all([sentence.text for sentence in stretch], timeout_s)
        except (DeadlineExceededError, ProcessDiedError) as error:
            raise ReplayError(stretch[0].span.begin, str(error)) from None
        done: list[Replayed] = []
        for sentence, result in zip(stretch, results, strict=False):
            if isinstance(result, Failure):
                begin = result.span[0] if result.span else 0
                raise ReplayError(sentence.span.begin + begin, flatten(result.message))
            done.append((sentence, result))
        yield done


def tactic_text(text: str) -> str | None:
    """The tactic in a sentence of a proof; None for structure and commands."""
    if is_structure(text):
        return None
    tactic = flatten(text)
    timed = _TIMED.match(tactic)
    tactic = tactic[timed.end() :] if timed else tactic
    word = _FIRST_WORD.match(tactic)
    return None if word and word[0] in _COMMANDS_IN_PROOF else tactic


def _stretches(cut: Sequence[Sentence]) -> Iterator[Sequence[Sentence]]:
    begin = 0
    for index, sentence in enumerate(cut):
        if index > begin and _CLOSING.match(sentence.text):
            yield cut[begin:index]
            begin = index
    if begin < len(cut):
        yield cut[begin:]
