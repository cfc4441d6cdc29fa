"""A client of one REPL process that remembers which headers it has loaded."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from pathlib import Path
from typing import Any

import msgspec

from ntp.envs.lean.project import LeanProject
from ntp.envs.lean.protocol import END, Reply, UnreadableReplyError, parse_reply
from ntp.envs.lean.syntax import split_imports
from ntp.errors import EnvError, InitError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.sandbox.limits import Limits
from ntp.sandbox.process import ChildProcess

SETUP_COMMAND = "make lean"

_OTHER_TOOLCHAIN = (
    r"incompatible header|built (?:by|with|for) (?:a )?(?:different|another)|different (?:Lean )?version|"
    r"toolchain '.*' is not installed"
)
# Patterns in the output of Lake, elan and the REPL when they fail, and how to fix the cause.
_TROUBLES = (
    (
        r"failed to execute|command not found",
        "Lean is missing: `make lean` installs it",
    ),
    (
        _OTHER_TOOLCHAIN,
        "the REPL and the project use different Lean toolchains: "
        "`cp {project}/lean-toolchain REPL/ && (cd REPL && lake build)`",
    ),
    (
        r"unknown executable|unknown target|no such file or directory.*bin/repl|unknown command 'repl'",
        "the project has no REPL: `make lean` builds one; then "
        "env.command=[lake,env,/path/to/repl/.lake/build/bin/repl]",
    ),
    (
        r"read-only file system",
        "Lake must write, which the sandbox forbids: `cd {project} && lake build`, or env.isolation=limits",
    ),
    (
        r"no configuration file|lakefile|manifest",
        "env.project={project} is not a Lake project that builds: `cd {project} && lake build`",
    ),
    (
        r"unknown module prefix|object file '.*' .*does not exist|unknown package|failed to read file",
        "its imports are not built: `cd {project} && lake exe cache get; lake build`",
    ),
    (
        r"out of memory|cannot allocate|failed to map|bad_alloc|failed to create thread",
        "more memory is needed: raise env.max_memory_mb",
    ),
)
_NO_HEADER = "-- no header"


class LeanServer:
    """A REPL, started when first needed. After it died or was stopped, the next request starts another.

    Every request raises `ProcessDiedError` if the process ends during it, and `DeadlineExceededError` if the
    answer does not arrive in time. The process is then killed, because a late answer would be mistaken for
    the next one.

    Args:
        project: Gives the command line.
        limits: Resource limits of the process.
        header_timeout_s: Seconds to load a header, including its imports.
        max_requests: `recycle` replaces the process after this many requests, since it never frees a state.

    Attributes:
        generation: Increases whenever earlier ids of environments and states become invalid.
    """

    def __init__(
        self, project: LeanProject, limits: Limits, header_timeout_s: float, max_requests: int
    ) -> None:
        self.generation = 0
        self._project, self._limits = project, limits
        self._header_timeout_s, self._max_requests = header_timeout_s, max_requests
        self._child: ChildProcess | None = None
        self._ended_cpu_s = 0.0
        self._headers: dict[str, int] = {}
        self._num_requests = 0

    @property
    def pid(self) -> int:
        """Process id; 0 if none runs."""
        return self._child.pid if self._child else 0

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process in MiB; 0 if none runs."""
        return self._child.memory_mb if self._child else 0.0

    @property
    def cpu_s(self) -> float:
        """CPU time of all its processes so far, in seconds."""
        return self._ended_cpu_s + (self._child.cpu_s if self._child else 0.0)

    def command(self, text: str, env: int | None, timeout_s: float, *, all_tactics: bool = False) -> Reply:
        """Elaborate commands in an environment; None is the empty one, the only one that allows imports.

        With `all_tactics`, the answer has every tactic and keeps the state before each.
        """
        request: dict[str, Any] = {"cmd": text} if env is None else {"cmd": text, "env": env}
        if all_tactics:
            request["allTactics"] = True
        return self._request(request, timeout_s)

    def tactic(self, text: str, state: int, timeout_s: float) -> Reply:
        """Run a tactic in a proof state."""
        return self._request({"tactic": text, "proofState": state}, timeout_s)

    def header(self, text: str) -> int:
        """The environment after a header, which is loaded at most once per process.

        Raises:
            InitError: The header does not elaborate, or not in time.
            EnvError: The REPL is missing or does not work.
        """
        if text not in self._headers:
            try:
                self._headers[text] = self._load(text)
            except DeadlineExceededError:
                raise InitError(
                    f"the header did not load within {self._header_timeout_s:g} s: raise env.header_timeout_s"
                ) from None
        return self._headers[text]

    def recycle(self) -> None:
        """Replace the process after `max_requests`, or if it uses over half of its memory limit."""
        if self._num_requests >= self._max_requests or self.memory_mb > self._limits.memory_mb / 2:
            self.stop()

    def stop(self) -> None:
        """End the process. Safe to call twice."""
        self.generation += 1
        self._headers, self._num_requests = {}, 0
        if self._child is not None:
            self._ended_cpu_s += self._child.cpu_s
            self._child.close()
            self._child = None

    def _load(self, text: str) -> int:
        pickled = self._pickle_path(text)
        if pickled is not None and pickled.is_file():
            reply = self._request({"unpickleEnvFrom": str(pickled)}, self._header_timeout_s)
            if reply.env is not None and not reply.error:
                return reply.env
        imports, rest = split_imports(text)
        env = None
        if imports and rest:
            # Theorems of a file or benchmark share their imports, which take the longest to load.
            env = self._headers.get(imports)
            if env is None:
                env = self._headers[imports] = self._elaborate(imports, None)
        env = self._elaborate(rest or imports or _NO_HEADER, env)
        if pickled is not None:
            self._pickle(env, pickled)
        return env

    def _elaborate(self, text: str, env: int | None) -> int:
        reply = self.command(text, env, self._header_timeout_s)
        if reply.error or reply.env is None:
            message = " ".join(reply.error.split())
            fix = self._fix(message)
            if re.search(_OTHER_TOOLCHAIN, message):
                raise EnvError(f"{message}: {fix}")
            raise InitError(": ".join(filter(None, ["the header does not elaborate", message, fix])))
        return reply.env

    def _request(self, request: dict[str, Any], timeout_s: float) -> Reply:
        child = self._child or self._start()
        fresh = self._num_requests == 0
        self._num_requests += 1
        try:
            return self._exchange(child, msgspec.json.encode(request) + END, timeout_s)
        except DeadlineExceededError:
            self.stop()
            raise
        except ProcessDiedError as death:
            if fresh and not death.killed:
                raise self._broken(child, death) from None
            raise
        except UnreadableReplyError as error:
            child.kill()
            if fresh:
                raise self._broken(child, ProcessDiedError(str(error))) from None
            raise ProcessDiedError(str(error)) from None

    def _exchange(self, child: ChildProcess, request: bytes, timeout_s: float) -> Reply:
        deadline = time.monotonic() + timeout_s
        answer = child.exchange(request, END, 1, timeout_s)
        # Other output before an answer may contain blank lines, which end no answer.
        while (reply := parse_reply(answer)) is None:
            answer = child.resume(END, answer.count(END) + 1, deadline - time.monotonic())
        return reply

    def _start(self) -> ChildProcess:
        directory = self._project.directory
        if directory is not None and not directory.is_dir():
            raise EnvError(
                f"env.project={directory} is not a directory: give the directory of a Lake project"
            )
        pickles = self._project.pickle_directory
        if pickles is not None:
            pickles.mkdir(parents=True, exist_ok=True)
        writable = () if pickles is None else (pickles,)
        try:
            self._child = ChildProcess(
                self._project.command, self._limits, directory=directory, writable=writable
            )
        except OSError as error:
            raise EnvError(
                f"{self._project.command[0]} cannot be started ({error}): `{SETUP_COMMAND}`"
            ) from None
        return self._child

    def _broken(self, child: ChildProcess, death: ProcessDiedError) -> EnvError:
        """The error for a process that never answered, with its cause and how to fix it."""
        lines = [line for line in child.stderr.splitlines() if line.strip()]
        cause = next((line for line in lines if "error" in line), lines[-1] if lines else "")
        self.stop()
        command = " ".join(" ".join(self._project.command).split())
        fix = self._fix("\n".join([str(death), *lines])) or f"`{SETUP_COMMAND}`, then `{command}` by hand"
        return EnvError(f"{command}: no REPL answers ({cause or death}): {fix}")

    def _fix(self, output: str) -> str:
        project = self._project.directory or Path()
        found = (fix for trouble, fix in _TROUBLES if re.search(trouble, output, re.IGNORECASE))
        return next(found, "").format(project=project)

    def _pickle_path(self, header: str) -> Path | None:
        directory = self._project.pickle_directory
        if directory is None:
            return None
        toolchain = b""
        if self._project.directory is not None:
            with contextlib.suppress(OSError):
                toolchain = (self._project.directory / "lean-toolchain").read_bytes()
        key = [
            *self._project.command,
            str(self._project.directory),
            toolchain.decode(errors="replace"),
            header,
        ]
        return directory / f"{hashlib.sha256(msgspec.json.encode(key)).hexdigest()[:16]}.olean"

    def _pickle(self, env: int, path: Path) -> None:
        # Written to a temporary name first: another process may be reading or writing the same file.
        draft = path.with_suffix(f".{self.pid}")
        reply = self._request({"pickleTo": str(draft), "env": env}, self._header_timeout_s)
        if not reply.error and draft.is_file():
            draft.replace(path)
