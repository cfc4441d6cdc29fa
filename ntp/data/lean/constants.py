"""The constants that tactics use: their names, which of them a text names, and what Lean says of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ntp.envs.lean.protocol import Message, Reply
from ntp.envs.lean.syntax import LeanSyntaxError, Token, tokens
from ntp.types import Goal

_PRIVATE = re.compile(r"_private\.(?:.*?\.)?\d+\.")
# What Lean generates beside a declaration: its matchers, its equations, proofs and closed terms in it.
_GENERATED = re.compile(r"_.*|(?:match|proof|eq|fun|instance)_\d+(?:_\d+)?|eq_def|eq_unfold")
_PARTS = re.compile(r"«[^»]*»|[^.«»]+")
# After these a tactic begins, whose first word is its name and no constant's.
_BEFORE_A_TACTIC = frozenset({";", ">", "·", "by"})


@dataclass(frozen=True, slots=True)
class Constant:
    """What Lean says of a constant.

    Attributes:
        full_name: Fully qualified name.
        type: Its type, printed; empty if Lean does not know the name.
        is_prop: Whether it is a proof: whether its type is a proposition.
    """

    full_name: str
    type: str
    is_prop: bool


def declared_name(constant: str) -> str:
    """The name in a source that a constant comes from; empty for one that comes from none.

    What Lean generates beside a declaration counts as that, and private names lose their prefix.
    """
    parts = _PARTS.findall(_PRIVATE.sub("", constant, count=1))
    end = next((index for index, part in enumerate(parts) if _GENERATED.fullmatch(part)), len(parts))
    return ".".join(parts[:end])


def named_constants(tactic: str, constants: Iterable[str], goals: Sequence[Goal]) -> list[str]:
    """The constants that a tactic names, in order of first occurrence, each once.

    A name may leave out namespaces, and a name of a hypothesis is none of a constant. The first word of a
    tactic is its own name.
    """
    by_suffix: dict[str, list[str]] = defaultdict(list)
    for constant in sorted(set(constants)):
        parts = _PARTS.findall(constant)
        for begin in range(len(parts)):
            by_suffix[".".join(parts[begin:])].append(constant)
    hypotheses = {name for goal in goals for name in _hypothesis_names(goal)}
    found: dict[str, None] = {}
    for word in _words(tactic):
        if word.partition(".")[0] not in hypotheses:
            found.update(dict.fromkeys(by_suffix.get(word.removeprefix("_root_."), ())))
    return list(found)


def ask_lean(names: Collection[str], command: Callable[[str], Reply]) -> list[Constant]:
    """Types of constants, and whether they are proofs, by one command.

    Args:
        names: Full names.
        command: Elaborates a text where the names are known.
    """
    askable = [name for name in names if _is_identifier(name)]
    # A conjunction has proofs on both sides, so the second line is an error unless the constant is one.
    lines = [
        line
        for name in askable
        for line in (f"#check @_root_.{name}", f"#check And.intro @_root_.{name} trivial")
    ]
    answers: dict[int, Message] = {}
    for message in command("\n".join(lines)).messages if lines else ():
        if message.pos is not None and message.severity in ("info", "error"):
            answers.setdefault(message.pos.line, message)
    return [
        Constant(name, _type(answers.get(2 * number + 1)), _succeeds(answers.get(2 * number + 2)))
        for number, name in enumerate(askable)
    ]


def _type(answer: Message | None) -> str:
    return answer.data.partition(" : ")[2].strip() if answer is not None and _succeeds(answer) else ""


def _succeeds(answer: Message | None) -> bool:
    return answer is not None and answer.severity == "info"


def _is_identifier(name: str) -> bool:
    try:
        found = list(tokens(name))
    except LeanSyntaxError:
        return False
    return len(found) == 1 and found[0].kind == "word"


def _words(tactic: str) -> Iterator[str]:
    """The identifiers in a tactic, without names of tactics; none if it cannot be cut into tokens."""
    try:
        found = [token for token in tokens(tactic) if token.kind != "comment"]
    except LeanSyntaxError:
        return
    before: Token | None = None
    for token in found:
        begins_tactic = before is None or before.text in _BEFORE_A_TACTIC
        if token.kind == "word" and not (begins_tactic and "." not in token.text):
            yield token.text
        before = token


def _hypothesis_names(goal: Goal) -> Iterator[str]:
    for hypothesis in goal.hypotheses:
        names, colon, _ = hypothesis.partition(" :")
        if colon:
            yield from names.split()
