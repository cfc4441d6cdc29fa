"""Prompts of instruction data at search time: the same templates and context as in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ntp.data.formats.prompts import KINDS, Background, Template, fill
from ntp.policy.causal import CausalPolicy
from ntp.policy.prompt import SampleRequest
from ntp.retrieval.background import BackgroundFinder
from ntp.types import Tactic, Theorem


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
        background = Background()
        if KINDS[self.kind][1] and self.finder is not None:
            (background,) = self.finder.find(theorem.id, [state])
        return fill(self.template, self.prover, "", state, theorem.statement, "", background)[0]

    def answer(self, completion: str) -> str:
        """The tactic or proof in what a model wrote: all of it if the closing tag is missing."""
        before, after = (part.strip() for part in self.template.completion.split("{target}", 1))
        text = completion.strip()
        text = text.removeprefix(before).lstrip()
        end = text.find(after) if after else -1
        return (text if end < 0 else text[:end]).strip()


class InstructedProposer:
    """A model fine-tuned on instruction data, as a proposer.

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
