"""Writers of whole proofs: what is asked, what was answered, and earlier tries that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ntp.policy.generators.base import Answer, ChatRequest, Generator
from ntp.policy.prompt import SampleRequest, SamplingParams
from ntp.types import Goal, Message, ScriptResult, Tactic, Theorem

_MAX_ERROR = 600


@dataclass(frozen=True, slots=True)
class Written:
    """A script, and how it came about.

    Attributes:
        script: The script, with its log-probability.
        messages: The conversation that it is the answer to.
        answer: The answer as it was given.
    """

    script: Tactic
    messages: tuple[Message, ...]
    answer: Answer


class Prompts(Protocol):
    """How a theorem is shown to a model, and how its answer is read."""

    def question(self, theorem: Theorem, state: str) -> tuple[Message, ...]:
        """The conversation that a model continues, for a state as policies read it."""
        ...

    def answer(self, completion: str) -> str:
        """The tactic or proof in what a model wrote."""
        ...


class Writer(Protocol):
    """Writes whole proofs."""

    def write(
        self,
        theorem: Theorem,
        state: str,
        draws: Sequence[SamplingParams],
        tries: Sequence[tuple[Written, ScriptResult]] = (),
    ) -> list[Written]:
        """Scripts for a theorem, one per draw.

        Args:
            theorem: The theorem.
            state: Its initial state, as policies read it.
            draws: Seed and temperature of each script.
            tries: Scripts that failed, in order, which the new ones are to be better than.

        Returns:
            Empty where the writer cannot learn from `tries`.
        """
        ...


class ChatWriter:
    """A generator that is asked for tactics, or for whole proofs.

    Args:
        generator: The model.
        prompts: How a theorem is shown.
    """

    def __init__(self, generator: Generator, prompts: Prompts) -> None:
        self._generator, self._prompts = generator, prompts

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """See `Proposer.sample`. Without replacement, repeated answers are left out.

        Raises:
            ValueError: A request does not name its theorem.
        """
        asked = []
        for request in requests:
            if request.theorem is None:
                raise ValueError("a request without its theorem: what to show is unknown")
            asked.append(ChatRequest(self._prompts.question(request.theorem, request.state), request.draws))
        rows = []
        for request, answers in zip(requests, self._generator.generate(asked), strict=True):
            tactics = [self._tactic(answer) for answer in answers]
            if request.exclude is not None:
                excluded = {tactic.text for tactic in request.exclude}
                tactics = list({t.text: t for t in tactics if t.text not in excluded}.values())
            rows.append(tactics)
        return rows

    def write(
        self,
        theorem: Theorem,
        state: str,
        draws: Sequence[SamplingParams],
        tries: Sequence[tuple[Written, ScriptResult]] = (),
    ) -> list[Written]:
        """See `Writer.write`: each try is an answer of the assistant, and the error the user's reply."""
        messages = self._prompts.question(theorem, state)
        for written, result in tries:
            messages += (Message("assistant", written.answer.text), Message("user", complaint(result)))
        (answers,) = self._generator.generate([ChatRequest(messages, tuple(draws))])
        return [Written(self._tactic(answer), messages, answer) for answer in answers]

    def _tactic(self, answer: Answer) -> Tactic:
        return Tactic(self._prompts.answer(answer.text), answer.token_ids, answer.log_prob)


def complaint(result: ScriptResult) -> str:
    """What a model is told about a script that failed: how far it went, the error, the goal there."""
    failed = result.failed
    if failed is None:
        last = result.transitions[-1].outcome if result.transitions else None
        goal = getattr(getattr(last, "state", None), "key", "")
        told = f"The proof is not accepted: {_short(result.verdict.reason)}"
    else:
        goal = failed.state.key
        told = f"`{_short(failed.tactic.text)}` fails: {_short(result.verdict.reason)}"
    prefix = " ".join(result.accepted)
    told += f"\n\nAccepted before it:\n{prefix[-4 * _MAX_ERROR :] or '(nothing)'}"
    told += f"\n\nGoals there:\n{goal[: 4 * _MAX_ERROR]}" if goal else ""
    return f"{told}\n\nWrite the whole proof again, in one block of code."


def goal_of(state: str) -> Goal:
    """The goal that a state was printed from (`str(Goal)`)."""
    before, _, conclusion = f"\n{state}".partition("\n⊢ ")
    return Goal(tuple(before[1:].split("\n")) if before else (), conclusion)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_ERROR else f"{text[:_MAX_ERROR]} …"
