"""The tools that agents have over the Model Context Protocol: text in, what the prover says out."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from ntp.envs.live import View
from ntp.errors import NtpError
from ntp.serve.buffer import Attempt, Buffer, Position
from ntp.serve.copilot import Copilot
from ntp.serve.premises import PremiseSearch
from ntp.serve.stdio import Later
from ntp.serve.suggestions import printed_goals, rank
from ntp.types import Goal, Outcome, Proved, Reached, TacticError, Timeout

MAX_TEXT = 1024 * 1024
MAX_TACTICS = 32
MAX_PREMISES = 64
_INSTRUCTIONS = (
    "Tools over a running prover. Each takes the whole text of a file and looks at its end, or at a line and "
    "a character in it, both from 0. No file is read or written. What is called a proof was accepted by the "
    "kernel, without goals that were given up and without axioms that the text does not assume."
)
T = TypeVar("T")

Text = Annotated[str, Field(max_length=MAX_TEXT, description="Text of a file, at least up to the place")]
Line = Annotated[int | None, Field(ge=0, description="Line, from 0; else the end of the text")]
Character = Annotated[int, Field(ge=0, description="Character in the line, from 0")]
TacticText = Annotated[str, Field(max_length=16384)]


@dataclass(frozen=True)
class State:
    """A proof state.

    Attributes:
        goals: The goals, printed, the one that a tactic acts on first; empty if none is left.
        statement: What is proved; empty if no proof is open.
        num_admitted: Goals that were given up.
        problem: The first sentence before the place that is refused, and why; empty if none is.
    """

    goals: list[str]
    statement: str
    num_admitted: int
    problem: str


@dataclass(frozen=True)
class Trial:
    """What became of a tactic.

    Attributes:
        tactic: Its text.
        outcome: `progress`, `proof`, `refused` or `timeout`.
        goals: The goals after it.
        message: The prover's message if it was refused.
    """

    tactic: str
    outcome: str
    goals: list[str]
    message: str = ""


@dataclass(frozen=True)
class Premise:
    """A lemma or definition that the text has loaded: its full name, its statement, its file."""

    name: str
    statement: str
    file: str


@dataclass(frozen=True)
class Found:
    """What a search for a proof has found.

    Attributes:
        proved: Whether it found a proof.
        proof: What finishes the proof from the place on, one sentence a line; empty if nothing was found.
        tactics: Otherwise, single steps that the prover accepts there, the most promising first.
        seconds: How long it took.
    """

    proved: bool
    proof: str
    tactics: list[str]
    seconds: float


def agent_server(copilot: Later[Copilot], premises: Later[PremiseSearch] | None, version: str) -> MCPServer:
    """The server with its tools; `run("stdio")` serves one agent.

    Args:
        copilot: The prover's documents and what suggests, made for the first call.
        premises: What is searched, made for the first search; None for a server without.
        version: Version that is told to clients.
    """
    server = MCPServer("ntp", version=version, instructions=_INSTRUCTIONS, log_level="WARNING")
    tools = _Tools(copilot, premises)
    server.add_tool(tools.proof_state)
    server.add_tool(tools.try_tactics)
    server.add_tool(tools.prove)
    if premises is not None:
        server.add_tool(tools.search_premises)
    return server


class _Tools:
    """The tools, one method each: their docstrings and annotations are what agents read."""

    def __init__(self, copilot: Later[Copilot], premises: Later[PremiseSearch] | None) -> None:
        self._copilot, self._premises = copilot, premises
        self._session = ""
        self._document = asyncio.Lock()  # calls may overlap, and share one prover

    async def proof_state(self, text: Text, line: Line = None, character: Character = 0) -> State:
        """The goals at a place in a text, and what is wrong with the text before it."""

        def look(buffer: Buffer, _: threading.Event) -> State:
            view = buffer.goals(_position(buffer, line, character))
            problem = ""
            if view.problem is not None:
                begin = buffer.position(view.problem.span.begin)
                problem = f"line {begin.line}, character {begin.character}: {view.problem.message}"
            return State(_printed(view), view.statement, view.num_admitted, problem)

        return await self._use(text, look)

    async def try_tactics(
        self,
        text: Text,
        tactics: Annotated[list[TacticText], Field(min_length=1, max_length=MAX_TACTICS)],
        line: Line = None,
        character: Character = 0,
    ) -> list[Trial]:
        """Run each of several tactics at a place in a text, all from the same state. Each is one sentence."""

        def attempt(buffer: Buffer, cancel: threading.Event) -> list[Trial]:
            attempt = buffer.begin(_position(buffer, line, character))
            found = []
            for tactic in tactics:
                if cancel.is_set():
                    break
                found.append(_trial(attempt, tactic))
            return found

        return await self._use(text, attempt)

    async def prove(
        self,
        text: Text,
        line: Line = None,
        character: Character = 0,
        deadline_s: Annotated[float, Field(gt=0, description="Seconds to search")] = 20.0,
    ) -> Found:
        """Search for the rest of the proof that is open at a place in a text."""

        def search(buffer: Buffer, cancel: threading.Event) -> Found:
            began = time.monotonic()
            position = _position(buffer, line, character)
            suggester = self._copilot().suggester
            found = rank(list(suggester.suggest(buffer, position, None, deadline_s, cancel)))
            proof = next((s.text for s in found if s.kind == "proof"), "")
            tactics = [s.text for s in found if s.kind != "proof"]
            return Found(bool(proof), proof, tactics, round(time.monotonic() - began, 2))

        return await self._use(text, search)

    async def search_premises(
        self,
        text: Text,
        query: Annotated[str, Field(min_length=1, max_length=16384)],
        num: Annotated[int, Field(ge=1, le=MAX_PREMISES)] = 16,
    ) -> list[Premise]:
        """Lemmas and definitions that fit a goal or some words, among those that the text has loaded."""
        assert self._premises is not None  # else there is no such tool
        premises = self._premises

        def search() -> list[Premise]:
            found = premises().search(text, query, num)
            return [Premise(r.premise.full_name, r.premise.statement, r.premise.file) for r in found]

        try:
            return await asyncio.to_thread(search)
        except NtpError as error:
            raise ToolError(str(error)) from None

    async def _use(self, text: str, work: Callable[[Buffer, threading.Event], T]) -> T:
        """Work on a text in a thread; the work is told to stop when the agent cancels its request."""
        cancel = threading.Event()
        async with self._document:
            try:
                return await asyncio.to_thread(self._with_buffer, text, lambda buffer: work(buffer, cancel))
            except NtpError as error:
                raise ToolError(str(error)) from None
            finally:
                cancel.set()

    def _with_buffer(self, text: str, work: Callable[[Buffer], T]) -> T:
        with self._copilot().sessions.use_or_open(self._session, text) as session:
            self._session = session.id
            return work(session.buffer)


def _position(buffer: Buffer, line: int | None, character: int) -> Position:
    return buffer.position(len(buffer.text)) if line is None else Position(line, character)


def _trial(attempt: Attempt, tactic: str) -> Trial:
    outcome = attempt.step(attempt.root, tactic)
    match outcome:
        case Reached(state):
            return Trial(tactic, "progress", list(printed_goals(state)))
        case Proved():
            return Trial(tactic, "proof", [])
        case Timeout():
            return Trial(tactic, "timeout", [], "it ran past the time limit")
        case _:
            return Trial(tactic, "refused", [], " ".join(_message(outcome).split()))


def _message(outcome: Outcome) -> str:
    return outcome.message if isinstance(outcome, TacticError) else getattr(outcome, "reason", str(outcome))


def _printed(view: View) -> list[str]:
    goals: tuple[Goal, ...] = (*view.goals, *view.unfocused)
    return [str(goal) for goal in goals]
