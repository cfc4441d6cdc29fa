"""Sources with the proof state before each tactic as a comment."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ntp.data.formats.source_file import SourceFile
from ntp.data.records import StepRecord, TheoremRecord
from ntp.types import Span

MAX_LINE = 80
NO_GOALS = "🎉 no goals"


@dataclass(frozen=True)
class CommentStyle:
    """How a prover writes comments."""

    begin: str
    end: str


STYLES = {
    "coq": CommentStyle("(*", "*)"),
    "lean": CommentStyle("/-", "-/"),
    "lean3": CommentStyle("/-", "-/"),
}


def comment_states(file: SourceFile) -> SourceFile:
    """A file with the state before each tactic, and `no goals` where none is left.

    Its theorems' spans are into the new text. A file without text is returned as it is.
    """
    if file.text is None:
        return file
    style = STYLES[file.prover]
    insertions = sorted(
        insertion for record in file.theorems for insertion in _insertions(file.text, record.steps, style)
    )
    parts, begin = [], 0
    for offset, comment in insertions:
        parts += [file.text[begin:offset], comment]
        begin = offset
    parts.append(file.text[begin:])
    offsets = [offset for offset, _ in insertions]
    added = [0, *accumulate(len(comment) for _, comment in insertions)]

    def moved(span: Span) -> Span:
        return Span(
            *(offset + added[bisect.bisect_left(offsets, offset)] for offset in (span.begin, span.end))
        )

    return replace(file, text="".join(parts), theorems=tuple(_moved(r, moved) for r in file.theorems))


def _moved(record: TheoremRecord, moved: Callable[[Span], Span]) -> TheoremRecord:
    theorem = record.theorem
    spans = {"declaration": moved(theorem.declaration), "proof": moved(theorem.proof)}
    steps = tuple(replace(step, span=moved(step.span)) if step.span.end else step for step in record.steps)
    return replace(record, theorem=replace(theorem, **spans), steps=steps)


def _insertions(text: str, steps: Sequence[StepRecord], style: CommentStyle) -> Iterator[tuple[int, str]]:
    for step in steps:
        if step.span.end == 0:  # its place is unknown
            continue
        indent = " " * (step.span.begin - (text.rfind("\n", 0, step.span.begin) + 1))
        yield step.span.begin, f"{_comment(step.state, indent, style)}\n{indent}"
        if step.after is None:
            yield step.span.end, f"\n{indent}{_comment(NO_GOALS, indent, style)}"


def _comment(state: str, indent: str, style: CommentStyle) -> str:
    lines = (f"{indent}  {_cut(line, style)}" for line in state.splitlines())
    return "\n".join([style.begin, *lines, f"{indent}{style.end}"])


def _cut(line: str, style: CommentStyle) -> str:
    # Coq reads string literals in comments too, and comments are nested.
    for delimiter in (style.begin, style.end):
        line = line.replace(delimiter, " ".join(delimiter))
    line = line.replace('"', "''")
    return f"{line[: MAX_LINE - 2]} …" if len(line) > MAX_LINE else line
