"""Where a suggestion goes in a text, and how it is written there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ntp.envs.coq.syntax import CoqSyntaxError, is_structure, sentences

_ADMIT = re.compile(r"admit\s*\.")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text: a suggestion is run where it begins, and replaces it.

    Attributes:
        begin: Character offset of its begin.
        end: Character offset of its end.
        is_admit: Whether an `admit.` is there.
    """

    begin: int
    end: int
    is_admit: bool = False

    def typed(self, text: str) -> str:
        """What the suggestion replaces."""
        return text[self.begin : self.end]

    def written(self, text: str, suggestion: str) -> str:
        """A suggestion as it is put here: apart from what is before it, with further lines indented alike."""
        line_begin = text.rfind("\n", 0, self.begin) + 1
        before = text[line_begin : self.begin]
        indent = before[: len(before) - len(before.lstrip())]
        apart = " " if before[-1:].strip() else ""
        return apart + f"\n{indent}".join(_with_bullets(suggestion.splitlines()))


def place_at(text: str, offset: int) -> Place:
    """The place of a suggestion that is asked for at an offset.

    Between sentences it is that offset; within one it is what has been typed of it, and of an `admit.` all.
    """
    for begin, end in _spans(text):
        if begin <= offset <= end and _ADMIT.fullmatch(text, begin, end):
            return Place(begin, end, True)
        if begin < offset < end:
            return Place(begin, offset)
        if begin >= offset:
            break
    return Place(offset, offset)


def admits(text: str) -> list[Place]:
    """Every `admit.` of a text."""
    return [Place(begin, end, True) for begin, end in _spans(text) if _ADMIT.fullmatch(text, begin, end)]


def _with_bullets(lines: list[str]) -> Iterator[str]:
    """The lines with each bullet or brace in front of the sentence that follows it."""
    waiting = ""
    for line in lines:
        if is_structure(line):
            waiting += f"{line} "
        else:
            yield waiting + line
            waiting = ""
    if waiting:
        yield waiting.rstrip()


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of the sentences; one that is not closed ends beyond the text."""
    try:
        for sentence in sentences(text):
            yield sentence.span.begin, sentence.span.end
    except CoqSyntaxError as error:
        # What is not closed may be a comment, where nothing is suggested; then no place is within it.
        if not text.startswith("(*", error.offset):
            yield error.offset, len(text) + 1
