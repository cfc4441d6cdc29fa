"""Where a suggestion goes in a text, and how it is written there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ntp.envs.coq.syntax import CoqSyntaxError, sentences

_ADMIT = re.compile(r"admit\s*\.")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text, in character offsets: a suggestion is run at `begin` and replaces what is up to `end`."""

    begin: int
    end: int

    def typed(self, text: str) -> str:
        """What the suggestion replaces."""
        return text[self.begin : self.end]

    def written(self, text: str, suggestion: str) -> str:
        """A suggestion as it is put here: apart from the sentence before, further lines indented like this one."""
        line_begin = text.rfind("\n", 0, self.begin) + 1
        before = text[line_begin : self.begin]
        indent = before[: len(before) - len(before.lstrip())]
        apart = " " if before[-1:].strip() else ""
        return apart + f"\n{indent}".join(suggestion.splitlines())


def place_at(text: str, offset: int) -> Place:
    """The place of a suggestion that is asked for at an offset.

    Between sentences it is that offset; within one it is what has been typed of it, and of an `admit.` all.
    """
    for begin, end in _spans(text):
        if begin <= offset <= end and _ADMIT.fullmatch(text, begin, end):
            return Place(begin, end)
        if begin < offset < end:
            return Place(begin, offset)
        if begin >= offset:
            break
    return Place(offset, offset)


def admits(text: str) -> list[Place]:
    """Every `admit.` of a text."""
    return [Place(begin, end) for begin, end in _spans(text) if _ADMIT.fullmatch(text, begin, end)]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of the sentences; one that is not closed ends beyond the text."""
    try:
        for sentence in sentences(text):
            yield sentence.span.begin, sentence.span.end
    except CoqSyntaxError as error:
        # What is not closed may be a comment, where nothing is suggested; then no place is within it.
        if not text.startswith("(*", error.offset):
            yield error.offset, len(text) + 1
