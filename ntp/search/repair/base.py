"""The interface of repairs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ntp.types import ProofState

_WORD = re.compile(r"[^\W\d][\w']*")
_NAMES = re.compile(r"[^\W\d][\w']*(?:, *[^\W\d][\w']*)*(?= *:)")

# Tactics that close a goal or fail, cheap ones first.
CLOSERS = (
    *("easy.", "solve [auto].", "solve [eauto].", "lia.", "congruence."),
    *("solve [intuition].", "solve [firstorder]."),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a script fails.

    Attributes:
        sentence: The sentence that failed; empty where the script ends and goals are left.
        rest: The sentences after it.
        state: The state before it.
        message: The prover's message, in one line.
        names: Names that the proof may use, in full.
    """

    sentence: str
    rest: tuple[str, ...]
    state: ProofState
    message: str
    names: Sequence[str]

    @property
    def hypotheses(self) -> list[str]:
        """Names of the first goal's hypotheses."""
        found = (_NAMES.match(line) for line in self.state.goal.hypotheses)
        return [name.strip() for match in found if match for name in match[0].split(",")]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may stand in place of the sentence that failed, and in place of the rest."""

    sentences: tuple[str, ...]
    rest: tuple[str, ...]


class Repair(Protocol):
    """Repairs one class of error.

    Attributes:
        name: Name of the class, in options and reports.
    """

    name: ClassVar[str]

    def candidates(self, failure: Failure) -> Iterator[Candidate]:
        """What may be tried, best first; nothing if the error is of another class.

        A candidate counts only if the prover accepts its sentences, so it may be a guess.
        """
        ...


def words(text: str) -> list[str]:
    """The identifiers of a text, without what qualifies them."""
    return _WORD.findall(text)


def renamed(text: str, old: str, new: str) -> str:
    """A text with one identifier, qualified or not, replaced wherever it stands alone."""
    return re.sub(rf"(?<![\w'.]){re.escape(old)}(?![\w'])", lambda _: new, text)


def head(sentence: str) -> str:
    """The first word of a sentence: its tactic."""
    found = _WORD.search(sentence)
    return found[0] if found else ""
