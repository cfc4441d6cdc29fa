"""What clients put into prompts: a proof state, the text before it, and what an answer begins with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_CONTEXT = re.compile(r"\[CTX\](.*?)\[/CTX\]", re.DOTALL)
_STATES = (
    re.compile(r"\[STATE\](.*?)\[/STATE\]", re.DOTALL),
    re.compile(r"\[GOAL\](.*?)\[PROOFSTEP\]", re.DOTALL),
)
_FENCE = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)
_GOAL = re.compile(r"(?:⊢|\|-|={4,})\s*(.*)", re.DOTALL)
_HYPOTHESIS = re.compile(r"^([^\W\d][\w', ]*?)\s*(?::=.*?)?:\s*(.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a client asks for.

    Attributes:
        state: The proof state, as printed; empty if the client sent none.
        context: The text up to where an answer goes; empty if the client sent none.
        prefix: What the answer begins with.
    """

    state: str = ""
    context: str = ""
    prefix: str = ""


def read_prompt(text: str) -> Prompt:
    """The state and the text in a prompt: the last of each, as examples come before."""
    contexts = _CONTEXT.findall(text)
    states = [found for pattern in _STATES for found in pattern.findall(text)]
    if states or contexts:
        return Prompt(_clean(states[-1:]), _clean(contexts[-1:]))
    fences = _FENCE.findall(text)
    if fences:
        text = fences[-1]
    if "⊢" in text:
        return Prompt(state=text.strip())
    return Prompt(context=text.strip())


def read_conversation(messages: Sequence[tuple[str, str]]) -> Prompt:
    """As `read_prompt`, of a chat given as (role, content).

    Clients that show examples send statements as user, and their proofs as assistant: together they are then
    the text before the last statement.
    """
    said = [(role, content) for role, content in messages if role in ("user", "assistant")]
    if not said:
        return Prompt()
    last = read_prompt(said[-1][1])
    if last.state or len(said) == 1:
        return last
    parts = [_FENCE.sub(r"\1", content).strip() for _, content in said[:-1]]
    return Prompt(context="\n".join([*parts, last.context]))


def posed(state: str, header: str) -> str:
    """A text that poses the first goal of a printed Coq state; empty if it cannot be read.

    Hypotheses become binders, so what depends on the file the state comes from is refused by Coq.
    """
    block = state.strip().split("\n\n", 1)[0]
    goal = _GOAL.search(block)
    if goal is None:
        return ""
    binders = []
    for line in _whole_lines(block[: goal.start()]):
        hypothesis = _HYPOTHESIS.match(line)
        if hypothesis is None:
            return ""
        names = hypothesis[1].replace(",", " ")
        binders.append(f"({names} : {hypothesis[2]})")
    conclusion = goal[1].strip()
    quantified = f"forall {' '.join(binders)}, {conclusion}" if binders else conclusion
    introduced = " ".join(binder[1:].split(":")[0].strip() for binder in binders)
    opening = f"intros {introduced}." if binders else ""
    return f"{header}\nGoal {quantified}.\nProof.\n{opening}\n"


def _whole_lines(text: str) -> list[str]:
    """Lines, with those that continue another one joined to it."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        if lines and (line.startswith("    ") or _HYPOTHESIS.match(line.strip()) is None):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line.strip())
    return lines


def _clean(found: Sequence[str]) -> str:
    return found[0].strip() if found else ""
