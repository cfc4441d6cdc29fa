"""A Coq proof while it is being replayed, and the theorem record it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ntp.data.coq.declarations import Command
from ntp.data.coq.names import candidate_names, hypothesis_names
from ntp.data.coq.replay import closing_keyword
from ntp.data.records import PremiseRecord, PremiseUse, StepRecord, TheoremRecord
from ntp.envs.coq.protocol import Goals
from ntp.envs.coq.syntax import Sentence
from ntp.types import Goal, Span, Theorem


@dataclass(frozen=True)
class ReplayedTactic:
    """A tactic with the goals around it; `names` may be premises."""

    text: str
    span: Span
    before: Goals
    after: Goals

    @cached_property
    def names(self) -> list[str]:
        """Names in the text that neither goal shadows."""
        context = (self.before.focused[0], *self.after.focused)
        return candidate_names(self.text, hypothesis_names(context))


@dataclass(slots=True)
class ReplayedProof:
    """A proof from its opening sentence on.

    Attributes:
        opening: The sentence that states the theorem.
        command: The same, read.
        declares: What it declares once it is closed.
        name: As Coq calls the proof.
        tactics: So far.
        uses: Premises by the name they are written as.
    """

    opening: Sentence
    command: Command
    declares: list[PremiseRecord]
    name: str = ""
    tactics: list[ReplayedTactic] = field(default_factory=list)
    uses: dict[str, PremiseUse] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The declaring keyword: one word, or two as in `Next Obligation`."""
        if self.declares:
            return self.declares[0].kind
        return " ".join(self.command.words[: 2 if self.command.keyword == "Next" else 1])

    def go_back_to(self, goals: Goals) -> None:
        """Forget the tactics that `Undo` or `Restart` has undone, given the goals after it."""
        while self.tactics and self.tactics[-1].after != goals:
            self.tactics.pop()

    def record(self, full_name: str, file: str, module: str, closing: Sentence) -> TheoremRecord:
        """The theorem that the sentence `closing` completes."""
        theorem = Theorem(
            id=full_name,
            file=file,
            statement=self.opening.text,
            declaration=self.opening.span,
            proof=Span(self.opening.span.end, closing.span.end),
        )
        steps = tuple(_step_record(tactic, self.uses) for tactic in self.tactics)
        return TheoremRecord(theorem, "coq", module, self.kind, closing_keyword(closing.text), steps)


def _step_record(tactic: ReplayedTactic, uses: Mapping[str, PremiseUse]) -> StepRecord:
    remaining = _in_order(tactic.after)
    premises = dict.fromkeys(uses[name] for name in tactic.names if name in uses)
    return StepRecord(
        tactic=tactic.text,
        span=tactic.span,
        before=tactic.before.focused[0],
        num_other_goals=len(_in_order(tactic.before)) - 1,
        after=remaining[0] if remaining else None,
        num_goals_after=len(remaining),
        premises=tuple(premises),
    )


def _in_order(goals: Goals) -> Sequence[Goal]:
    """The goals as they stand without bullets and braces."""
    return (*goals.focused, *goals.background)
