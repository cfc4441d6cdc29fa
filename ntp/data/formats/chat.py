"""Chat data: the user shows a proof state, the assistant answers with the whole proof in a fenced block.

A row is `{"messages": [{"role", "content"}, ...]}`, as TRL and xtuner read it, and `metadata`.
`ChatLayout` writes the user's message, for training and when a model is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ntp.data.formats.prompts import KINDS, Background, Tokens
from ntp.data.formats.source_file import Proof
from ntp.types import Goal, Message

# What each kind of chat shows after the goal, in this order.
CHAT_KINDS: Mapping[str, tuple[str, ...]] = {
    "chat": (),
    "chat_premises": ("premises",),
    "chat_context": ("definitions", "premises", "proofs"),
}
_FENCES = {"coq": "coq", "lean": "lean", "lean3": "lean"}
_TASK = {
    "coq": "Prove this goal in Coq. Answer with the proof, from `Proof.` to `Qed.`, in one block of code.",
    "lean": "Prove this goal in Lean 4. Answer with the proof in one block of code.",
    "lean3": "Prove this goal in Lean 3. Answer with the proof in one block of code.",
}
# The title of each part, and what stands between its items.
_PARTS = {
    "definitions": ("Definitions", "\n"),
    "premises": ("Premises", "\n"),
    "proofs": ("Similar proofs", "\n\n"),
}


def shown_by(kind: str) -> tuple[str, ...]:
    """What prompts of a kind show in addition to the theorem: fields of `Background`, or `context`."""
    if kind in CHAT_KINDS:
        return CHAT_KINDS[kind]
    return (KINDS[kind][1],) if KINDS[kind][1] else ()


@dataclass(frozen=True)
class ChatLayout:
    """How a theorem is shown in a conversation.

    Attributes:
        kind: One of `CHAT_KINDS`.
        prover: `coq`, `lean` or `lean3`.
        max_tokens: Most tokens of each part (`definitions`, `premises`, `proofs`); 0 for no limit.
        tokens: Counts them.
    """

    kind: str
    prover: str
    max_tokens: Mapping[str, int]
    tokens: Tokens

    def question(self, goal: Goal, background: Background) -> tuple[Message, ...]:
        """The user's message about a goal. A part without items is shown with its title, as in training."""
        hypotheses = "\n".join(goal.hypotheses) or "(none)"
        parts = [_TASK[self.prover], f"Hypotheses:\n{hypotheses}", f"Goal:\n{goal.conclusion}"]
        for name in CHAT_KINDS[self.kind]:
            title, between = _PARTS[name]
            items = self._within(getattr(background, name), self.max_tokens.get(name, 0))
            parts.append(f"{title}:\n{between.join(items)}")
        return (Message("user", "\n\n".join(parts)),)

    def _within(self, items: Sequence[str], max_tokens: int) -> list[str]:
        """The first items that fit in a budget; of a first one that is too long, its beginning."""
        if not max_tokens:
            return list(items)
        encode, decode = self.tokens
        kept: list[str] = []
        left = max_tokens
        for item in items:
            ids = encode(item)
            if len(ids) > left:
                return kept or [decode(ids[:left])]
            kept.append(item)
            left -= len(ids)
        return kept


def chat_example(
    proof: Proof, layout: ChatLayout, background: Background, project: str, split: str
) -> dict[str, Any] | None:
    """The conversation about a theorem.

    Args:
        proof: The theorem.
        layout: How it is shown.
        background: What is shown with it.
        project: Name of the repository.
        split: Part of the split that the theorem is in.

    Returns:
        None where the proof's text is unknown, ends otherwise than by `Qed`, or has no tactics.
    """
    record = proof.record
    if proof.proof is None or not record.steps or (record.prover == "coq" and record.closing != "Qed"):
        return None
    answer = (
        proof.proof if record.prover != "coq" or proof.proof.startswith("Proof") else f"Proof.\n{proof.proof}"
    )
    said = (
        *layout.question(record.steps[0].before, background),
        Message("assistant", f"```{_FENCES[record.prover]}\n{answer}\n```"),
    )
    return {
        "messages": [{"role": message.role, "content": message.content} for message in said],
        "metadata": {"project": project, "file": record.theorem.file, "declId": proof.id, "split": split},
    }
