"""Parses Lean's printed proof states into goals."""

from __future__ import annotations

import re
from dataclasses import replace

from ntp.types import Goal

NO_GOALS = "no goals"

_TURNSTILE = "⊢ "
_CONV = "| "
# A hypothesis continues if the next line is indented or blank.
_HYPOTHESIS_END = re.compile(r"\n(?![ \n]|\Z)")


def parse_goals(state: str) -> tuple[Goal, ...]:
    """The goals of a state as Lean prints it; none for `no goals`.

    A header (`case inl`) counts as the first hypothesis, and a hypothesis continues over indented or blank
    lines. So printing the goals with a blank line between them gives the same text. The one exception is a
    goal of `conv`, which has a bar instead of the turnstile: the bar is kept in its conclusion, after the
    turnstile that every goal gets.
    """
    if state.strip() in (NO_GOALS, ""):
        return ()
    goals: list[Goal] = []
    block: str | None = None
    for part in state.split("\n\n"):
        # A blank line may also follow a header or be part of a string: a goal ends after its conclusion.
        block = part if block is None else f"{block}\n\n{part}"
        if _find(block, _TURNSTILE) is not None:
            goals.append(_parse_goal(block, _TURNSTILE))
            block = None
    if block is not None and goals:
        goals[-1] = replace(goals[-1], conclusion=f"{goals[-1].conclusion}\n\n{block}")
    elif block is not None:
        goals.append(_parse_goal(block, _CONV))
    return tuple(goals)


def split_goals(printed: str) -> tuple[str, ...]:
    """The goals of a state that Lean prints without blank lines between them; none for `no goals`.

    A conclusion continues over indented or blank lines, and the next goal begins with the first other line.
    """
    if printed.strip() in (NO_GOALS, ""):
        return ()
    goals: list[list[str]] = [[]]
    is_concluded = False
    for line in printed.split("\n"):
        if is_concluded and line and not line[0].isspace():
            goals.append([])
            is_concluded = False
        goals[-1].append(line)
        is_concluded = is_concluded or line.startswith((_TURNSTILE, _CONV))
    return tuple("\n".join(lines).rstrip() for lines in goals)


def _find(text: str, mark: str) -> int | None:
    """Offset of the first line that begins with the mark."""
    if text.startswith(mark):
        return 0
    found = text.find(f"\n{mark}")
    return None if found < 0 else found + 1


def _parse_goal(text: str, mark: str) -> Goal:
    begin = _find(text, mark) or 0
    conclusion = text[begin:].removeprefix(_TURNSTILE)
    return Goal(_hypotheses(text[: begin - 1]) if begin else (), conclusion)


def _hypotheses(text: str) -> tuple[str, ...]:
    if "\n " in text or "\n\n" in text or text.endswith("\n"):
        return tuple(_HYPOTHESIS_END.split(text))
    return tuple(text.split("\n"))
