"""One child process over pipes: deadlines, bounded answers, resource limits, nothing left behind.

Nothing here knows which prover runs. A request is bytes, an answer ends with a known terminator.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A larger buffer is mapped anew for every read, which costs more than the few reads it saves.
_READ_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20
_STDERR_NAME = "stderr.log"


class ProcessDiedError(Exception):
    """The child has ended, or was ended because the exchange could not be completed.

    Attributes:
        killed: Whether somebody else killed it (SIGKILL), so that another child may well fare better.
    """

    def __init__(self, message: str, killed: bool = False) -> None:
        super().__init__(message)
        self.killed = killed


class AnswerTooLongError(ProcessDiedError):
    """The child wrote more than the limit; it has been killed."""


class DeadlineExceededError(Exception):
    """No complete answer yet. The child still runs: interrupt it and `resume`, or kill it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use.

    Attributes:
        memory_mb: Address space (RLIMIT_AS) in MiB.
        file_mb: Largest file that may be written (RLIMIT_FSIZE) in MiB.
        answer_mb: Largest answer that is read in MiB; a longer one kills the child.
    """

    memory_mb: int = 4096
    file_mb: int = 16
    answer_mb: int = 64


@dataclass(slots=True)
class Patience:
    """How often one piece of work is tried again after its process died.

    Attributes:
        killed: Deaths by a kill from outside still tolerated; they say nothing about the work.
        died: Deaths of its own still tolerated.
    """

    killed: int = 20
    died: int = 1

    def tolerates(self, death: ProcessDiedError) -> bool:
        """Count a death; whether to try again."""
        if death.killed:
            self.killed -= 1
        else:
            self.died -= 1
        return self.killed >= 0 and self.died >= 0


class ChildProcess:
    """A child in its own process group and its own temporary working directory.

    On Linux the child also dies with the thread that started it, so a killed parent leaves no orphan.

    Args:
        argv: Program and arguments.
        limits: Resource limits, set before the first request.
        env: Variables added to the parent's environment.
        directory: Where it works, for programs that read their project there; None for its own temporary one.

    Attributes:
        cwd: Its own temporary directory; gone after `close`.

    Raises:
        OSError: The program cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        limits: Limits | None = None,
        env: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._max_answer = self._limits.answer_mb << 20
        self._directory = tempfile.TemporaryDirectory(prefix="ntp-", ignore_cleanup_errors=True)
        self.cwd = Path(self._directory.name)
        try:
            with (self.cwd / _STDERR_NAME).open("wb") as stderr:
                self._child = subprocess.Popen(
                    [*_die_with_parent(), *argv],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    cwd=directory or self.cwd,
                    env={**os.environ, "TMPDIR": str(self.cwd), **(env or {})},
                    start_new_session=True,
                    bufsize=0,
                )
        except BaseException:
            self._directory.cleanup()
            raise
        assert self._child.stdin is not None and self._child.stdout is not None
        self._stdin, self._stdout = self._child.stdin.fileno(), self._child.stdout.fileno()
        self._set_limits()
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

    @property
    def pid(self) -> int:
        """Process id, which is also the process group's."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._child.poll() is None

    @property
    def memory_mb(self) -> float:
        """Resident memory of the child and of what it has started, in MiB; 0 when it has ended."""
        num_pages, processes = 0, [str(self.pid)]
        while processes:
            process = processes.pop()
            with contextlib.suppress(OSError, IndexError):
                num_pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
                processes += Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return num_pages * resource.getpagesize() / 2**20

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
            raise AnswerTooLongError(f"the answer passed {self._limits.answer_mb} MiB")
        return False

    def interrupt(self) -> None:
        """Send SIGINT to the group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the group at once. Safe to call twice."""
        # While the child is not reaped its id cannot be reused, so this never hits a stranger.
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._child.wait()

    def close(self) -> None:
        """Kill the group, close the pipes and remove the working directory. Safe to call twice."""
        self.kill()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        self._directory.cleanup()

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _set_limits(self) -> None:
        limits = {
            resource.RLIMIT_AS: self._limits.memory_mb << 20,
            resource.RLIMIT_FSIZE: self._limits.file_mb << 20,
            resource.RLIMIT_CORE: 0,
        }
        # From outside: a preexec_fn may deadlock when other threads hold locks at the fork.
        for kind, value in limits.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(self.pid, kind, (value, value))

    def _death(self) -> ProcessDiedError:
        self.kill()
        code = self._child.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        message = ": ".join([f"the process ended ({how})", *self.stderr.splitlines()[-1:]])
        # A program that starts the prover (lake, a shell) says by its status which signal ended it.
        return ProcessDiedError(message, killed=code in (-signal.SIGKILL, 128 + signal.SIGKILL))


def _die_with_parent() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _widen_pipe(fd: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
