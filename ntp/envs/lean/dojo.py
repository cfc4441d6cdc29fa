"""Lean 4 through lean-dojo's Dojo, for the toolchains that it supports (Lean below 4.12).

The Dojo runs in a worker process (`ntp.envs.lean.dojo_worker`). A finished proof must pass the Dojo's own
kernel check, then lean-dojo's `check_proof` compiles the theorem's file with it, and the axioms that Lean
prints are checked here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ntp.envs.lean.env import Goals
from ntp.envs.lean.guard import assemble
from ntp.envs.lean.protocol import is_out_of_time, parse_axioms
from ntp.errors import EnvError, InitError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.sandbox.limits import Limits
from ntp.sandbox.process import ChildProcess
from ntp.types import Rejected, TacticError, Theorem, Timeout

WORKER_COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("dojo_worker.py")))

# With a token, lean-dojo calls GitHub when it is imported. It reads unset variables from `.env` files, so the
# token is set, to nothing.
_CLEANED = {"GITHUB_ACCESS_TOKEN": ""}
_AXIOMS_OF = "'{}' (?:depends on axioms: \\[[^]]*\\]|does not depend on any axioms)"
_NUMBER = re.compile(r"#\d+$")
_GRACE_S = 2.0
_CHECK_FACTOR = 4
_MEND = (
    "lean-dojo traces Lean below 4.12 only, with git, elan and the network; for newer Lean use env=lean_repl"
)


class DojoBackend:
    """See `LeanBackend`.

    Args:
        url: Repository that contains the theorems.
        commit: Its commit.
        tactic_timeout_s: Seconds for one tactic.
        open_timeout_s: Seconds to open a theorem, including tracing the repository.
        limits: Resource limits of the worker.
        axioms: Axioms that a proof may use.
        command: The command that starts the worker.
    """

    def __init__(
        self,
        url: str,
        commit: str,
        tactic_timeout_s: float,
        open_timeout_s: float,
        limits: Limits,
        axioms: Iterable[str],
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        self.url, self.commit = url, commit
        self.tactic_timeout_s, self.open_timeout_s = tactic_timeout_s, open_timeout_s
        self.axioms = frozenset(axioms)
        self.generation = 0
        self._limits, self._command = limits, tuple(command)
        self._child: ChildProcess | None = None
        self._ended_cpu_s = 0.0

    @property
    def pid(self) -> int:
        """See `LeanBackend.pid`."""
        return self._child.pid if self._child else 0

    @property
    def memory_mb(self) -> float:
        """See `LeanBackend.memory_mb`."""
        return self._child.memory_mb if self._child else 0.0

    @property
    def cpu_s(self) -> float:
        """See `LeanBackend.cpu_s`."""
        return self._ended_cpu_s + (self._child.cpu_s if self._child else 0.0)

    def proof(self, theorem: Theorem) -> DojoProof:
        """See `LeanBackend.proof`."""
        return DojoProof(self, theorem)

    def stop(self) -> None:
        """See `LeanBackend.stop`."""
        self.generation += 1
        if self._child is not None:
            self._ended_cpu_s += self._child.cpu_s
            self._child.close()
            self._child = None

    def request(self, limit_s: float, **request: Any) -> dict[str, Any]:
        """Send a request to the worker and return its answer.

        Raises:
            DeadlineExceededError: No answer within `limit_s` seconds; the worker has been killed.
            ProcessDiedError: The worker died, or its answer is not JSON.
            EnvError: lean-dojo does not work here.
        """
        try:
            if self._child is None:
                self._child = ChildProcess(self._command, self._limits, _CLEANED)
            answer = self._child.exchange(msgspec.json.encode(request) + b"\n", b"\n", 1, limit_s)
            found = msgspec.json.decode(answer, type=dict[str, Any])
        except OSError as error:
            raise EnvError(f"{self._command[0]} cannot be started: {error}") from None
        except DeadlineExceededError:
            self.stop()
            raise
        except msgspec.DecodeError as error:
            self.stop()
            raise ProcessDiedError(f"the worker's answer is not JSON: {error}") from None
        if "env_error" in found:
            self.stop()
            raise EnvError(f"lean-dojo: {' '.join(found['env_error'].split())}: {_MEND}")
        return found


class DojoProof:
    """See `LeanProof`."""

    def __init__(self, backend: DojoBackend, theorem: Theorem) -> None:
        self.theorem, self._backend = theorem, backend
        # Ids of theorems with the same name are distinguished by a number at the end.
        self._name = _NUMBER.sub("", theorem.id)

    @property
    def generation(self) -> int:
        """See `LeanProof.generation`."""
        return self._backend.generation

    def begin(self) -> Goals:
        """See `LeanProof.begin`."""
        backend = self._backend
        # Opening a theorem invalidates the states of the previous one.
        backend.generation += 1
        try:
            found = backend.request(
                backend.open_timeout_s,
                op="open",
                url=backend.url,
                commit=backend.commit,
                file=self.theorem.file,
                name=self._name,
                timeout_s=int(max(1, backend.tactic_timeout_s)),
            )
        except DeadlineExceededError as error:
            raise InitError(
                f"{self.theorem.file}: opening {self.theorem.id}: {error}: raise env.open_timeout_s"
            ) from None
        if "init_error" in found:
            raise InitError(f"{self.theorem.file}: {self.theorem.id}: {found['init_error']}")
        return Goals(found["state"], tuple(found["goals"].split("\n\n")))

    def execute(self, tactic: str, state: int) -> Goals | TacticError | Timeout | Rejected:
        """See `LeanProof.execute`."""
        limit_s = self._backend.tactic_timeout_s + _GRACE_S
        try:
            found = self._backend.request(limit_s, op="step", state=state, tactic=tactic)
        except DeadlineExceededError:
            return Timeout("killed")
        if "timeout" in found:
            self._backend.stop()
            return Timeout()
        if "given_up" in found:
            return Rejected("leaves a sorry")
        if "error" in found:
            error = found["error"]
            return Timeout(error) if is_out_of_time(error) else TacticError(error)
        if "proved" in found:
            return Goals(-1, ())
        return Goals(found["state"], tuple(found["goals"].split("\n\n")))

    def conclude(self, tactics: Sequence[str]) -> tuple[str, ...] | Timeout | Rejected:
        """See `LeanProof.conclude`."""
        backend = self._backend
        proof = assemble("", tactics).removeprefix(" := ")
        limit_s = backend.open_timeout_s + backend.tactic_timeout_s * (_CHECK_FACTOR + len(tactics))
        try:
            if backend.pid == 0:
                self.begin()
            found = backend.request(limit_s, op="check", name=self._name, proof=proof)
        except DeadlineExceededError:
            return Timeout("re-check")
        said = found["said"]
        if not found["accepted"]:
            return Rejected(f"on re-check: {' '.join(said.split())[:500] or 'Lean refused the file'}")
        answers = re.findall(_AXIOMS_OF.format(re.escape(self._name)), said)
        # A tactic can make Lean print the same text: then it is unknown which one is the answer.
        axioms = parse_axioms(answers[0], self._name.rpartition(".")[2]) if len(answers) == 1 else None
        if axioms is None:
            return Rejected(f"#print axioms gave {said[-200:]!r}")
        extra = sorted(set(axioms) - backend.axioms)
        return Rejected(f"rests on {', '.join(extra)}") if extra else axioms

    def stop(self) -> None:
        """See `LeanProof.stop`."""
        self._backend.stop()
