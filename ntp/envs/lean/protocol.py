"""Answers of leanprover-community/repl, from bytes to typed values.

Two shapes answer a request: `{"message": ...}` when it could not be run at all, else an object with an id
and, only where there are any, messages, sorries, goals and the proof's status. A tactic that fails comes in
either shape: Lean recovers from some errors by closing the goal with a `sorry`, and the answer then has an
error among its messages and no goals.
"""

from __future__ import annotations

import contextlib
import re

import msgspec
from msgspec import Struct

END = b"\n\n"

# The quoting of the warning changed with Lean 4.18 or so; both are about.
_USES_SORRY = re.compile(r"declaration uses [`']sorry[`']")
# Heartbeats are Lean's own deadline, the same on every machine.
_OUT_OF_TIME = re.compile(r"\(deterministic\) timeout|maximum number of heartbeats")
_AXIOMS = re.compile(
    r"'(?P<name>.+)' (?:depends on axioms: \[(?P<axioms>[^]]*)\]|does not depend on any axioms)"
)
_BEGINS_OBJECT = re.compile(rb"(?:\A|\n)\{")


class UnreadableReplyError(ValueError):
    """The bytes are no answer of the REPL."""


class Message(Struct, frozen=True):
    """What Lean says about a command or tactic; `severity` is trace, info, warning or error."""

    severity: str
    data: str

    @property
    def uses_sorry(self) -> bool:
        """Whether it is the warning about a declaration with a `sorry`."""
        return _USES_SORRY.search(self.data) is not None


class Sorry(Struct, frozen=True, rename="camel"):
    """A `sorry` left open: its goal, and the state in which tactics can be run on it."""

    goal: str
    proof_state: int | None = None


class Reply(Struct, frozen=True, rename="camel"):
    """Any answer; what it has no word on is empty or None.

    Attributes:
        message: Why the request could not be run; empty when it was.
        env: Id of the environment after a command.
        proof_state: Id of the state after a tactic.
        goals: All goals of that state, as Lean prints them.
        messages: What Lean says.
        sorries: Where a `sorry` stands.
        proof_status: `Completed`, or why the proof is not; empty from older REPLs.
    """

    message: str = ""
    env: int | None = None
    proof_state: int | None = None
    goals: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    sorries: tuple[Sorry, ...] = ()
    proof_status: str = ""

    @property
    def error(self) -> str:
        """The first error in either shape; empty when there is none."""
        if self.message:
            return self.message.removeprefix("Lean error:\n")
        return next((message.data for message in self.messages if message.severity == "error"), "")

    @property
    def uses_sorry(self) -> bool:
        """Whether anything in the answer tells of a `sorry`."""
        return (
            bool(self.sorries)
            or "contains sorry" in self.proof_status
            or any(message.uses_sorry for message in self.messages)
        )


_DECODER = msgspec.json.Decoder(Reply)


def parse_reply(answer: bytes) -> Reply | None:
    """The answer that some output ends with; None when it holds no answer yet, but other text.

    Raises:
        UnreadableReplyError: There is an object that is no answer.
    """
    try:
        reply = _DECODER.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        reply = _after_noise(answer)
    if reply is not None and not (reply.message or reply.env is not None or reply.proof_state is not None):
        raise UnreadableReplyError(f"neither message, env nor proofState: {_excerpt(answer)}")
    return reply


def parse_axioms(message: str, name: str) -> tuple[str, ...] | None:
    """The axioms that `#print axioms` names for a declaration; None when the message is of something else."""
    found = _AXIOMS.fullmatch(message.strip())
    if found is None or found["name"].rpartition(".")[2] != name:
        return None
    return tuple(filter(None, (axiom.strip() for axiom in (found["axioms"] or "").split(","))))


def is_out_of_time(error: str) -> bool:
    """Whether an error is Lean's own time limit."""
    return _OUT_OF_TIME.search(error) is not None


def _after_noise(answer: bytes) -> Reply | None:
    # Lake and plugins print lines of their own before an answer, which begins a line.
    begins = [match.end() - 1 for match in _BEGINS_OBJECT.finditer(answer)]
    for begin in begins:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            return _DECODER.decode(answer[begin:])
    if begins:
        raise UnreadableReplyError(f"no answer of the REPL: {_excerpt(answer[begins[0] :])}")
    return None


def _excerpt(answer: bytes) -> str:
    return repr(answer[:200].decode(errors="replace"))
