"""Answers of leanprover-community/repl, from bytes to typed values.

An answer has one of two shapes: `{"message": ...}` if the request could not be run at all, else an object
with an id and, if there are any, messages, sorries, goals and the proof's status. A failed tactic is answered
in either shape: Lean recovers from some errors by closing the goal with a `sorry`, and the answer then has an
error among its messages and no goals.
"""

from __future__ import annotations

import contextlib
import re

import msgspec
from msgspec import Struct

END = b"\n\n"

# The quotes in the warning changed around Lean 4.18.
_USES_SORRY = re.compile(r"declaration uses [`']sorry[`']")
# Heartbeats are Lean's own limit, which does not depend on the machine's speed.
_OUT_OF_TIME = re.compile(r"\(deterministic\) timeout|maximum number of heartbeats")
_AXIOMS = re.compile(
    r"'(?P<name>.+)' (?:depends on axioms: \[(?P<axioms>[^]]*)\]|does not depend on any axioms)"
)
_BEGINS_OBJECT = re.compile(rb"(?:\A|\n)\{")


class UnreadableReplyError(ValueError):
    """The bytes are not an answer of the REPL."""


class Position(Struct, frozen=True):
    """A place in a command: its line, from 1, and its column, from 0, in code points."""

    line: int = 0
    column: int = 0


class Message(Struct, frozen=True):
    """A message of Lean about a command or tactic; `severity` is trace, info, warning or error."""

    severity: str
    data: str
    pos: Position | None = None

    @property
    def uses_sorry(self) -> bool:
        """Whether it is the warning about a declaration with a `sorry`."""
        return _USES_SORRY.search(self.data) is not None


class Sorry(Struct, frozen=True, rename="camel"):
    """A `sorry`: its goal, the state in which tactics can be run on it, and its place in a command."""

    goal: str
    proof_state: int | None = None
    pos: Position | None = None


class ElaboratedTactic(Struct, frozen=True, rename="camel"):
    """A tactic of a command that was elaborated with `allTactics`.

    Attributes:
        tactic: The tactic, printed by Lean.
        goals: The goals before it as Lean prints them, each on lines of its own; `no goals` for none.
        pos: Where it begins; line 0 if the REPL does not say.
        end_pos: Where it ends.
        proof_state: Id of the state before it; None if it was not kept.
        used_constants: Constants in the terms that it gives to its goals, in no order.
    """

    tactic: str
    goals: str
    pos: Position = Position()
    end_pos: Position = Position()
    proof_state: int | None = None
    used_constants: tuple[str, ...] = ()


class Reply(Struct, frozen=True, rename="camel"):
    """Any answer; fields that it does not contain are empty or None.

    Attributes:
        message: Why the request could not be run; empty if it was run.
        env: Id of the environment after a command.
        proof_state: Id of the state after a tactic.
        goals: All goals of that state, as Lean prints them.
        messages: Lean's messages.
        sorries: Every `sorry` in the command.
        tactics: Every tactic in a command that was elaborated with `allTactics`, outer ones first; none of
            those that only combine others (`;`, `<;>`, `·`, parentheses).
        proof_status: `Completed`, or why the proof is incomplete; empty in answers of older REPLs.
    """

    message: str = ""
    env: int | None = None
    proof_state: int | None = None
    goals: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    sorries: tuple[Sorry, ...] = ()
    tactics: tuple[ElaboratedTactic, ...] = ()
    proof_status: str = ""

    @property
    def error(self) -> str:
        """The first error in either shape; empty if there is none."""
        if self.message:
            return self.message.removeprefix("Lean error:\n")
        return next((message.data for message in self.messages if message.severity == "error"), "")

    @property
    def uses_sorry(self) -> bool:
        """Whether anything in the answer indicates a `sorry`."""
        return (
            bool(self.sorries)
            or "contains sorry" in self.proof_status
            or any(message.uses_sorry for message in self.messages)
        )


_DECODER = msgspec.json.Decoder(Reply)


def parse_reply(answer: bytes) -> Reply | None:
    """The answer at the end of some output; None if the output is other text, without an answer so far.

    Raises:
        UnreadableReplyError: The output contains a JSON object that is not an answer.
    """
    try:
        reply = _DECODER.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        reply = _after_noise(answer)
    if reply is not None and not (reply.message or reply.env is not None or reply.proof_state is not None):
        raise UnreadableReplyError(f"neither message, env nor proofState: {_excerpt(answer)}")
    return reply


def parse_axioms(message: str, name: str) -> tuple[str, ...] | None:
    """The axioms in an answer to `#print axioms`; None if the message is not one about that declaration."""
    found = _AXIOMS.fullmatch(message.strip())
    if found is None or found["name"].rpartition(".")[2] != name:
        return None
    return tuple(filter(None, (axiom.strip() for axiom in (found["axioms"] or "").split(","))))


def is_out_of_time(error: str) -> bool:
    """Whether an error is Lean's own time limit."""
    return _OUT_OF_TIME.search(error) is not None


def _after_noise(answer: bytes) -> Reply | None:
    # Lake and plugins may print lines before the answer, which begins at the start of a line.
    begins = [match.end() - 1 for match in _BEGINS_OBJECT.finditer(answer)]
    for begin in begins:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            return _DECODER.decode(answer[begin:])
    if begins:
        raise UnreadableReplyError(f"not an answer of the REPL: {_excerpt(answer[begins[0] :])}")
    return None


def _excerpt(answer: bytes) -> str:
    return repr(answer[:200].decode(errors="replace"))
