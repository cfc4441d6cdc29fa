"""Records tactics of an elaborated Lean file: each is run again where it stands, as the environment does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from ntp.data.lean.constants import declared_name, named_constants
from ntp.data.lean.left_out import LeftOut
from ntp.data.records import PremiseUse, StepRecord
from ntp.envs.lean.client import LeanServer
from ntp.envs.lean.goals import parse_goals, split_goals
from ntp.envs.lean.guard import guard, held
from ntp.envs.lean.positions import Lines
from ntp.envs.lean.protocol import ElaboratedTactic
from ntp.types import Goal, Rejected, Span

_CONV = "| "


@dataclass(frozen=True)
class Place:
    """A tactic and its place in the file.

    Attributes:
        span: Offsets.
        tactic: What the REPL says of it.
    """

    span: Span
    tactic: ElaboratedTactic

    @cached_property
    def constants(self) -> tuple[str, ...]:
        """The constants that it uses, under the names that sources give them, sorted."""
        return tuple(sorted({declared_name(name) for name in self.tactic.used_constants} - {""}))


class StepRecorder:
    """Records the tactics of one file.

    Args:
        server: The REPL that has elaborated it.
        text: The file.
        lines: Its lines.
        remaining_s: Says how many seconds are left for the file.
        left_out: Counts what is dropped.
    """

    def __init__(
        self,
        server: LeanServer,
        text: str,
        lines: Lines,
        remaining_s: Callable[[], float],
        left_out: LeftOut,
    ) -> None:
        self._server, self._text, self._lines = server, text, lines
        self._remaining_s, self._left_out = remaining_s, left_out

    def record(self, place: Place) -> tuple[StepRecord, tuple[str, ...]] | None:
        """A tactic with the constants that it uses; None if it is dropped.

        Raises:
            DeadlineExceededError: No time is left for the file.
            ProcessDiedError: The REPL died.
        """
        before = [goal for printed in split_goals(place.tactic.goals) for goal in parse_goals(printed)]
        # Parts of `rw`, `calc` and `conv` are reported like tactics, but are none.
        if not before or place.tactic.proof_state is None or before[0].conclusion.startswith(_CONV):
            self._left_out.num_tactics_failed += 1
            return None
        text = guard(dedented(self._text, place.span))
        if isinstance(text, Rejected):
            self._left_out.num_tactics_refused += 1
            return None
        after = self._run(text, place.tactic.proof_state)
        if after is None:
            self._left_out.num_tactics_failed += 1
            return None
        uses = tuple(PremiseUse(name, "") for name in named_constants(text, place.constants, before))
        step = StepRecord(
            tactic=text,
            span=Span(self._lines.pack(place.span.begin), self._lines.pack(place.span.end)),
            before=before[0],
            num_other_goals=len(before) - 1,
            after=after[0] if after else None,
            num_goals_after=len(after),
            premises=uses,
            other_goals=tuple(map(str, before[1:])),
        )
        return step, place.constants

    def _run(self, tactic: str, state: int) -> list[Goal] | None:
        """The goals after a tactic; None if it does not run."""
        reply = self._server.tactic(held(tactic), state, self._remaining_s())
        if reply.error or reply.uses_sorry or reply.proof_state is None:
            return None
        return [goal for printed in reply.goals for goal in parse_goals(printed)]


def dedented(text: str, span: Span) -> str:
    """A part of a text without the indentation of its first line, as far as its other lines have it."""
    column = span.begin - (text.rfind("\n", 0, span.begin) + 1)
    first, *others = text[span.begin : span.end].replace("\r\n", "\n").split("\n")
    indents = [len(line) - len(line.lstrip(" ")) for line in others if line.strip()]
    removed = min([column, *indents])
    return "\n".join([first, *(line[removed:] for line in others)])
