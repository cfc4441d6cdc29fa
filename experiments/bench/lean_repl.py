"""What our client of the Lean REPL costs over a bare pipe, and beside lean-interact's, on one stand-in.

Every side sends the same tactics, each in the state that the one before reached, to a process of its own
that speaks the REPL's protocol (`tests/standin`), so that the process's own time is the same for all. Ours is
`LeanSession.step`: guard, request, deadline, typed reply, goals read, state kept. Bare is a `Popen`, a
write, lines read up to a blank one, `json.loads`. Theirs is `LeanServer.run(ProofStep(...))`. The sides
take turns.

    vs_pipe             ours / bare, per call
    vs_lean_interact    theirs / ours, per call

    python experiments/bench/lean_repl.py
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from ntp.envs.lean.factory import LeanReplFactory
from ntp.envs.lean.guard import held
from ntp.types import Reached, Span, Theorem

STANDIN = [sys.executable, "-S", "-E", str(Path(__file__).parents[2] / "tests" / "standin")]
NUM_ROUNDS = 60
NUM_CALLS = 40
STATEMENT = "theorem bench (p q r : Prop) (h : p ∧ q) (f : q → r) : (p ∧ r) ∧ (r ∧ p)"
# None of them ends the proof, and each is asked once per session: nothing comes from memory.
TACTICS = [f"have h{i} : {'p ∧ q' if i % 2 else 'q'} := {'h' if i % 2 else 'h.2'}" for i in range(NUM_CALLS)]


class Side(Protocol):
    """A client: states the theorem, then runs tactics, each in the state that the one before reached."""

    def open(self) -> None: ...
    def step(self, tactic: str) -> None: ...
    def close(self) -> None: ...


class Ours:
    """A session of `env=lean_repl`."""

    def __init__(self) -> None:
        self.env = LeanReplFactory(command=STANDIN)()
        self.theorem = Theorem("bench", "bench.lean", STATEMENT, Span(0, 0), Span(0, 0), "open Nat")

    def open(self) -> None:
        self.session = self.env.open(self.theorem)
        self.state = self.session.root

    def step(self, tactic: str) -> None:
        outcome = self.session.step(self.state, tactic)
        assert isinstance(outcome, Reached), outcome
        self.state = outcome.state

    def close(self) -> None:
        self.env.close()


class Bare:
    """The least that speaks the protocol."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(STANDIN, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.input, self.output = self.process.stdin, self.process.stdout

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.input.write(json.dumps(request).encode() + b"\n\n")
        self.input.flush()
        lines = []
        while (line := self.output.readline()).strip():
            lines.append(line)
        return json.loads(b"".join(lines))

    def open(self) -> None:
        self.state = self.ask({"cmd": f"{STATEMENT} := by sorry"})["sorries"][0]["proofState"]

    def step(self, tactic: str) -> None:
        reply = self.ask({"tactic": held(tactic), "proofState": self.state})
        assert reply["goals"], reply
        self.state = reply["proofState"]

    def close(self) -> None:
        self.input.close()
        self.process.wait()


class Theirs:
    """lean-interact's server, which starts `lake env REPL` and so gets a `lake` that starts the stand-in."""

    def __init__(self, directory: Path) -> None:
        interact = import_without_writing(directory)
        lake = directory / "lake"
        lake.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in STANDIN) + "\n")
        lake.chmod(0o755)
        (directory / "lean-toolchain").write_text("leanprover/lean4:v4.20.0\n")
        config = interact.LeanREPLConfig(
            local_repl_path=directory, build_repl=False, lake_path=lake, cache_dir=directory / "cache"
        )
        self.interact, self.server = interact, interact.LeanServer(config)

    def open(self) -> None:
        reply = self.server.run(self.interact.Command(cmd=f"{STATEMENT} := by sorry"))
        self.state = reply.sorries[0].proof_state

    def step(self, tactic: str) -> None:
        reply = self.server.run(
            self.interact.ProofStep(tactic=held(tactic), proof_state=self.state), timeout=10
        )
        assert reply.goals, reply
        self.state = reply.proof_state

    def close(self) -> None:
        self.server.kill()


def import_without_writing(directory: Path) -> Any:
    """lean_interact, whose import makes a cache folder beside its own files, here kept from doing so."""
    make = os.makedirs
    spec = importlib.util.find_spec("lean_interact")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent

    def elsewhere(path: Any, *args: Any, **kwargs: Any) -> None:
        inside = Path(path).is_relative_to(package)
        make(directory / "cache" if inside else path, *args, **kwargs)

    os.makedirs = elsewhere
    try:
        import lean_interact
    finally:
        os.makedirs = make
    return lean_interact


def round_of(side: Side) -> list[float]:
    """Seconds of each call of one proof; stating the theorem is not counted."""
    side.open()
    seconds = []
    for tactic in TACTICS:
        started = time.perf_counter()
        side.step(tactic)
        seconds.append(time.perf_counter() - started)
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        sides: dict[str, Side] = {"ours": Ours(), "bare": Bare(), "lean_interact": Theirs(Path(directory))}
        try:
            calls = take_turns(sides)
        finally:
            for side in sides.values():
                side.close()
    us = {name: 1e6 * median(seconds) for name, seconds in calls.items()}
    ratios = {"vs_pipe": us["ours"] / us["bare"], "vs_lean_interact": us["lean_interact"] / us["ours"]}
    figures = {f"{name}_us": value for name, value in us.items()}
    figures["start_ms"] = 1000 * median(start_seconds() for _ in range(7))
    print(json.dumps({"bench": "lean_repl", "ratios": ratios, "figures": figures}))


def take_turns(sides: dict[str, Side]) -> dict[str, list[float]]:
    """Seconds of every call of every side, round by round, after one round to warm up."""
    calls: dict[str, list[float]] = {name: [] for name in sides}
    for index in range(NUM_ROUNDS + 1):
        for name, side in sides.items():
            seconds = round_of(side)
            if index:
                calls[name] += seconds
    return calls


def start_seconds() -> float:
    """From nothing to a theorem stated in a fresh process, and its end."""
    started = time.perf_counter()
    ours = Ours()
    ours.open()
    ours.close()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
