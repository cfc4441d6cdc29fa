"""Asks a critic about what a round of searches has reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ntp.search.base import Critic, StepResult
from ntp.types import Reached


def with_beliefs(
    states: Sequence[str], rows: Sequence[Sequence[StepResult]], critic: Critic
) -> list[list[StepResult]]:
    """Put the critic's belief on every tactic that reached a state; searches rank no others.

    Args:
        states: As the policy reads them; several may be equal.
        rows: What was attempted in each state.
        critic: Is asked at most once, and about a text in a state once.

    Returns:
        The same attempts, with `Tactic.log_correct` set where a state was reached.
    """
    asked: dict[str, dict[str, None]] = {}  # ordered sets, so that equal rounds ask equal questions
    for state, row in zip(states, rows, strict=True):
        for tactic, outcome in row:
            if isinstance(outcome, Reached):
                asked.setdefault(state, {})[tactic.text] = None
    answers = critic.log_correct(list(asked), [list(texts) for texts in asked.values()]) if asked else []
    beliefs = {
        (state, text): belief
        for (state, texts), answer in zip(asked.items(), answers, strict=True)
        for text, belief in zip(texts, answer, strict=True)
    }

    def judged(state: str, attempt: StepResult) -> StepResult:
        tactic, outcome = attempt
        if not isinstance(outcome, Reached):
            return attempt
        return replace(tactic, log_correct=beliefs[state, tactic.text]), outcome

    return [[judged(state, attempt) for attempt in row] for state, row in zip(states, rows, strict=True)]
