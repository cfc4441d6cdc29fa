"""Prompts of instruction and chat data at search time: the same templates and context as in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ntp.data.formats.chat import ChatLayout, shown_by
from ntp.data.formats.prompts import Background, Template, fill
from ntp.policy.causal import CausalPolicy
from ntp.policy.generators.base import Answer
from ntp.policy.prompt import SampleRequest, SamplingParams
from ntp.retrieval.background import BackgroundFinder
from ntp.search.answers import fenced, script_of
from ntp.search.writers import Written, goal_of
from ntp.types import Message, ScriptResult, Tactic, Theorem


@dataclass(frozen=True)
class InstructionPrompts:
    """The prompts of one kind of instruction data.

    Attributes:
        kind: The kind, one of `KINDS` that shows no text of the file.
        template: Its wording.
        prover: `coq` or `lean`.
        finder: Finds what is shown in addition; None for kinds that show nothing.
    """

    kind: str
    template: Template
    prover: str
    finder: BackgroundFinder | None

    def prompt(self, theorem: Theorem, state: str) -> str:
        """The prompt for a state of a theorem."""
        background = _background(self.kind, self.finder, theorem, state)
        return fill(self.template, self.prover, "", state, theorem.statement, "", background)[0]

    def question(self, theorem: Theorem, state: str) -> tuple[Message, ...]:
        """The same prompt as a user's message, for models that are only asked in conversations."""
        return (Message("user", self.prompt(theorem, state)),)

    def answer(self, completion: str) -> str:
        """The tactic or proof in what a model wrote: all of it if the closing tag is missing."""
        before, after = (part.strip() for part in self.template.completion.split("{target}", 1))
        text = completion.strip()
        text = text.removeprefix(before).lstrip()
        end = text.find(after) if after else -1
        text = (text if end < 0 else text[:end]).strip()
        return fenced(text) if "```" in text else text


@dataclass(frozen=True)
class ChatPrompts:
    """The conversations of one kind of chat data.

    Attributes:
        layout: How a theorem is shown.
        finder: Finds what is shown in addition; None for kinds that show nothing.
    """

    layout: ChatLayout
    finder: BackgroundFinder | None

    def question(self, theorem: Theorem, state: str) -> tuple[Message, ...]:
        """The conversation that asks for the proof of a state of a theorem."""
        background = _background(self.layout.kind, self.finder, theorem, state)
        return self.layout.question(goal_of(state), background)

    def answer(self, completion: str) -> str:
        """The proof in an answer."""
        return script_of(completion)


def _background(kind: str, finder: BackgroundFinder | None, theorem: Theorem, state: str) -> Background:
    if finder is None or not shown_by(kind):
        return Background()
    (background,) = finder.find(theorem.id, [state])
    return background


class InstructedProposer:
    """A model fine-tuned on instruction data, as a proposer and as a writer of whole proofs.

    Args:
        policy: The model.
        prompts: The prompts that it was trained on.
    """

    def __init__(self, policy: CausalPolicy, prompts: InstructionPrompts) -> None:
        self._policy = policy.with_plain_prompts()
        self._prompts = prompts

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """One tactic (for kinds of whole proofs, one script) per entry of `draws`, in order.

        Raises:
            ValueError: A request does not name its theorem.
        """
        shown = []
        for request in requests:
            if request.theorem is None:
                raise ValueError("a request without its theorem: what to show is unknown")
            shown.append(replace(request, state=self._prompts.prompt(request.theorem, request.state)))
        return [
            [replace(tactic, text=self._prompts.answer(tactic.text)) for tactic in row]
            for row in self._policy.sample(shown)
        ]

    def write(
        self,
        theorem: Theorem,
        state: str,
        draws: Sequence[SamplingParams],
        tries: Sequence[tuple[Written, ScriptResult]] = (),
    ) -> list[Written]:
        """See `Writer.write`. The model was trained on no conversations, so a second try is not asked for."""
        if tries:
            return []
        prompt = self._prompts.prompt(theorem, state)
        num_read = len(self._policy.encode_state(prompt))
        (row,) = self._policy.sample([SampleRequest(prompt, tuple(draws), theorem)])
        question = (Message("user", prompt),)
        return [
            Written(
                replace(tactic, text=self._prompts.answer(tactic.text)),
                question,
                Answer(tactic.text, tactic.log_prob, num_read, len(tactic.token_ids) + 1),
            )
            for tactic in row
        ]
