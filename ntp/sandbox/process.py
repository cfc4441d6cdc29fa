"""One child process over pipes: deadlines, bounded answers, a sandbox, nothing left behind.

Nothing here knows which prover runs. A request is bytes, an answer ends with a known terminator.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ntp.sandbox.isolation import SCRATCH, announce, broken_limit, find_sandbox
from ntp.sandbox.limits import Limits
from ntp.sandbox.proc import descendants, resident_mb
from ntp.sandbox.sandboxed import SandboxedProcess
from ntp.sandbox.scratch import Scratch
from ntp.sandbox.watchdog import WATCH

# A larger buffer is mapped anew for every read, which costs more than the few reads it saves.
_READ_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20
_STDERR_NAME = "stderr.log"
# By this variable, which it hands down, all that a prover has started is known.
_MARK = "NTP_PROVER"
# Between the end of its answers and its own: a large program takes a while to go. Counted, not timed: a
# machine that stands still meanwhile does not use it up.
_NUM_GOING_POLLS, _GOING_POLL_S = 2000, 0.001
# Last words of a process whose memory was refused.
_OUT_OF_MEMORY = re.compile(r"out of memory|cannot allocate|bad_alloc|MemoryError", re.IGNORECASE)
# Of `unshare` that wants to end by the signal which ended the first process of its namespace: SIGKILL.
_COULD_NOT_FOLLOW = "unshare: sigprocmask unblock failed"


class ProcessDiedError(Exception):
    """The child has ended, or was ended because the exchange could not be completed.

    Attributes:
        killed: Whether somebody else killed it (SIGKILL), so that another child may well fare better.
        limit: Which limit it broke: "processes", "memory", "scratch", "file" or "answer"; empty for none.
    """

    def __init__(self, message: str, killed: bool = False, limit: str = "") -> None:
        super().__init__(message)
        self.killed = killed
        self.limit = limit


class AnswerTooLongError(ProcessDiedError):
    """The child wrote more than the limit; it has been killed."""


class DeadlineExceededError(Exception):
    """No complete answer yet. The child still runs: interrupt it and `resume`, or kill it."""


@dataclass(slots=True)
class RetryBudget:
    """How often one piece of work is tried again after its process died.

    Attributes:
        killed: Deaths by a kill from outside still tolerated; they say nothing about the work.
        died: Deaths of its own still tolerated.
    """

    killed: int = 20
    died: int = 1

    def allows(self, death: ProcessDiedError) -> bool:
        """Count a death; whether to try again."""
        if death.killed:
            self.killed -= 1
        else:
            self.died -= 1
        return self.killed >= 0 and self.died >= 0


class ChildProcess:
    """A child in a sandbox, in its own process group and its own temporary working directory.

    On Linux the child also dies with the thread that started it, and what it has started dies with a killed
    parent (see `ntp.sandbox.guardian`).

    Args:
        argv: Program and arguments.
        limits: What it may use, and the sandbox.
        env: Variables added to the parent's environment.
        directory: Where it works, for programs that read their project there; None for its own temporary one.
        writable: Existing directories that it may write to, in every sandbox.

    Attributes:
        cwd: Its own temporary directory on this machine; gone after `close`. A sandbox may give the child
            another one in its place.

    Raises:
        OSError: The program cannot be started.
        EnvError: The sandbox does not work here.
    """

    def __init__(
        self,
        argv: Sequence[str],
        limits: Limits | None = None,
        env: Mapping[str, str] | None = None,
        directory: Path | None = None,
        writable: Sequence[Path] = (),
    ) -> None:
        self._limits = limits or Limits()
        self._sandbox = find_sandbox(self._limits.isolation)
        announce(self._limits)
        self._max_answer = self._limits.answer_mb << 20
        self._scratch = Scratch()
        self.cwd = self._scratch.path
        tmpdir = SCRATCH if self._sandbox.has_own_scratch else self.cwd
        mark = f"{_MARK}={self.cwd}"
        try:
            with (self.cwd / _STDERR_NAME).open("wb") as stderr:
                self._child = subprocess.Popen(
                    self._sandbox.command(argv, self._limits, directory, writable),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    cwd=directory or self.cwd,
                    env={**os.environ, "TMPDIR": str(tmpdir), **(env or {}), _MARK: str(self.cwd)},
                    start_new_session=True,
                    bufsize=0,
                )
        except BaseException:
            self._scratch.close()
            raise
        self._sandboxed = SandboxedProcess(self._child, self._sandbox.num_wrappers, mark)
        self._broken: tuple[str, str] | None = None
        assert self._child.stdin is not None and self._child.stdout is not None
        self._stdin, self._stdout = self._child.stdin.fileno(), self._child.stdout.fileno()
        for fd in (self._stdin, self._stdout):
            os.set_blocking(fd, False)
            _widen_pipe(fd)
        self._poll_out = select.poll()
        self._poll_out.register(self._stdout, select.POLLIN)
        self._poll_both = select.poll()
        self._poll_both.register(self._stdout, select.POLLIN)
        self._poll_both.register(self._stdin, select.POLLOUT)
        self._unsent = memoryview(b"")
        self._answer = bytearray()
        self._found = self._searched = 0
        WATCH.add(self)

    @property
    def pid(self) -> int:
        """Id of the program's process, below those that make its sandbox."""
        return self._sandboxed.program

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._sandboxed.alive

    @property
    def memory_mb(self) -> float:
        """Resident memory of the child and of what it has started, in MiB; 0 when it has ended."""
        return resident_mb(descendants(self.pid))

    @property
    def stderr(self) -> str:
        """The end of what the child wrote to stderr."""
        try:
            return (self.cwd / _STDERR_NAME).read_text(errors="replace")[-4096:].strip()
        except OSError:
            return ""

    def exchange(self, request: bytes, terminator: bytes, count: int, timeout_s: float) -> bytes:
        """Send a request and return everything up to the `count`-th terminator.

        Raises:
            DeadlineExceededError: `timeout_s` seconds passed; `resume` goes on waiting for the same answer.
            AnswerTooLongError: The answer passed the limit.
            ProcessDiedError: The child ended first.
        """
        self._unsent = memoryview(request)
        self._answer = bytearray()
        self._found = self._searched = 0
        return self.resume(terminator, count, timeout_s)

    def resume(self, terminator: bytes, count: int, timeout_s: float) -> bytes:
        """Wait on for the answer of the last `exchange`. Raises as `exchange` does."""
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                if self._unsent:
                    with contextlib.suppress(BlockingIOError):
                        self._unsent = self._unsent[os.write(self._stdin, self._unsent) :]
                poll = self._poll_both if self._unsent else self._poll_out
                remaining_s = deadline - time.monotonic()
                ready = poll.poll(remaining_s * 1000) if remaining_s > 0 else ()
                if not ready:
                    raise DeadlineExceededError(f"no answer within {timeout_s:g} s")
                if any(fd == self._stdout for fd, _ in ready) and self._receive(terminator, count):
                    return bytes(self._answer)
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None

    def _receive(self, terminator: bytes, count: int) -> bool:
        chunk = os.read(self._stdout, _READ_BYTES)
        if not chunk:
            raise self._death()
        answer = self._answer
        answer += chunk
        # A terminator may straddle two chunks, so the search steps back by its length.
        begin = max(self._searched - len(terminator) + 1, 0)
        self._found += answer.count(terminator, begin)
        self._searched = len(answer)
        if self._found >= count:
            return True
        if len(answer) > self._max_answer:
            self.kill()
            raise AnswerTooLongError(f"the answer passed {self._limits.answer_mb} MiB", limit="answer")
        return False

    def interrupt(self) -> None:
        """Send SIGINT to the program and to all that it has started."""
        for pid in descendants(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)

    def inspect(self) -> None:
        """End a child that uses more than it may, and what an ended one has left; the watch calls this."""
        if self._broken is None:
            self._sandboxed.kill_if(self._breaks_limit)

    def kill(self) -> None:
        """End the child and all that it has started, at once. Safe to call twice."""
        self._sandboxed.kill()

    def close(self) -> None:
        """Kill the group, close the pipes and remove the working directory. Safe to call twice."""
        WATCH.remove(self)
        self.kill()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        self._scratch.close()

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _breaks_limit(self) -> bool:
        cwd = None if self._sandbox.has_own_scratch else self.cwd
        self._broken = broken_limit(self._limits, self.pid, cwd)
        return self._broken is not None

    def _death(self) -> ProcessDiedError:
        # Killed while it ends by itself, it would look like one that was killed from outside.
        for _ in range(_NUM_GOING_POLLS):
            if not self.alive:
                break
            time.sleep(_GOING_POLL_S)
        code = self._sandboxed.kill()
        # What starts the prover (a sandbox, lake, a shell) says by its status which signal ended it.
        said = self.stderr
        number = signal.SIGKILL if _COULD_NOT_FOLLOW in said else -code if code < 0 else code - 128
        if self._broken is not None:
            limit, how = self._broken
        else:
            known = number in set(signal.Signals)
            how = f"signal {signal.Signals(number).name}" if known else f"exit status {code}"
            limit = "file" if number == signal.SIGXFSZ else "memory" if _OUT_OF_MEMORY.search(said) else ""
        message = ": ".join([f"the process ended ({how})", *said.splitlines()[-1:]])
        killed = number == signal.SIGKILL and not limit
        return ProcessDiedError(message, killed, limit)


def _widen_pipe(fd: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
