"""One child process over pipes: deadlines, bounded answers, a sandbox, and complete cleanup.

A request is bytes, and an answer ends with a known terminator.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ntp.sandbox.deaths import AnswerTooLongError, DeadlineExceededError, ProcessDiedError
from ntp.sandbox.isolation import SCRATCH, announce, broken_limit, environment, sandbox_for
from ntp.sandbox.limits import Limits
from ntp.sandbox.proc import descendants, resident_mb
from ntp.sandbox.sandboxed import WATCH, SandboxedProcess

# A larger buffer is newly mapped for every read, which costs more than the few reads that it saves.
_READ_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20
_STDERR_NAME = "stderr.log"
# Environment variable, inherited by all processes that a child starts, by which they are found.
_MARK = "NTP_PROVER"
_NUM_LAST_LINES = 4
# How long to wait for a child to exit after it closed its output: a large program needs some time. Polls are
# counted instead of measuring time, so that a suspended machine does not use the wait up.
_NUM_EXIT_POLLS, _EXIT_POLL_S = 2000, 0.001
# Error messages of a process whose allocation was refused.
_OUT_OF_MEMORY = re.compile(r"out of memory|cannot allocate|bad_alloc|MemoryError", re.IGNORECASE)
# Printed by `unshare` when SIGKILL ended the first process of its namespace: it tries to end by that signal.
_UNSHARE_WAS_KILLED = "unshare: sigprocmask unblock failed"
_PREFIX = "ntp-"
# Marks the directory as ours, and as used on this machine: locks of other machines may be invisible here.
_LOCK_NAME = f".ntp-prover-{os.uname().nodename}.lock"
# A younger directory may be one that is being created and is not locked yet.
_MIN_AGE_S = 60.0


class ChildProcess:
    """A child in a sandbox, with its own process group and its own temporary directory.

    On Linux the child also dies with the thread that started it, and the processes that it started die if
    this process is killed (see `ntp.sandbox.guardian`).

    Args:
        argv: Program and arguments.
        limits: Resource limits and isolation.
        env: Variables added to the environment of this process.
        directory: Working directory, for programs that read their project there; None for the temporary one.
        writable: Existing directories that it may write to, in every sandbox.

    Attributes:
        cwd: Its temporary directory on this machine; removed by `close`. In a sandbox the child may see a
            different one.

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
        self._sandbox = sandbox_for(self._limits)
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
                    env={
                        **environment(self._limits),
                        "TMPDIR": str(tmpdir),
                        **(env or {}),
                        _MARK: str(self.cwd),
                    },
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
        """Id of the program's process, which is a descendant of the processes that set up its sandbox."""
        return self._sandboxed.program

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._sandboxed.alive

    @property
    def memory_mb(self) -> float:
        """Resident memory of the child and the processes it started, in MiB; 0 if it has ended."""
        return resident_mb(descendants(self.pid))

    @property
    def cpu_s(self) -> float:
        """CPU time of the child and the processes it started, ended ones included, in seconds."""
        return self._sandboxed.cpu_s

    @property
    def stderr(self) -> str:
        """The last 4096 characters that the child wrote to stderr, stripped."""
        try:
            return (self.cwd / _STDERR_NAME).read_text(errors="replace")[-4096:].strip()
        except OSError:
            return ""

    def exchange(self, request: bytes, terminator: bytes, count: int, timeout_s: float) -> bytes:
        """Send a request and return everything up to the `count`-th terminator.

        Raises:
            DeadlineExceededError: `timeout_s` seconds passed; `resume` continues to wait for the same answer.
            AnswerTooLongError: The answer is longer than the limit.
            ProcessDiedError: The child ended first.
        """
        self._unsent = memoryview(request)
        self._answer = bytearray()
        self._found = self._searched = 0
        return self.resume(terminator, count, timeout_s)

    def resume(self, terminator: bytes, count: int, timeout_s: float) -> bytes:
        """Continue to wait for the answer to the last `exchange`. Raises the same errors as `exchange`."""
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
        # A terminator may span two chunks, so the search steps back by its length.
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
        """Send SIGINT to the program and all processes that it started."""
        for pid in descendants(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)

    def inspect(self) -> None:
        """End a child that exceeds a limit, or what an ended child has left; called by the watch."""
        if self._broken is None:
            self._sandboxed.kill_if(self._breaks_limit)

    def kill(self) -> None:
        """Kill the child and all processes that it started. Safe to call twice."""
        self._sandboxed.kill()

    def close(self) -> None:
        """Kill the child, close the pipes and remove the temporary directory. Safe to call twice."""
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
        # If it were killed while it exits by itself, it would look like a kill from outside.
        for _ in range(_NUM_EXIT_POLLS):
            if not self.alive:
                break
            time.sleep(_EXIT_POLL_S)
        code = self._sandboxed.kill()
        # Programs that start the prover (a sandbox, lake, a shell) report by their exit status, 128 + N, that
        # signal N ended it.
        stderr = self.stderr
        number = signal.SIGKILL if _UNSHARE_WAS_KILLED in stderr else -code if code < 0 else code - 128
        if self._broken is not None:
            limit, how = self._broken
        else:
            known = number in set(signal.Signals)
            how = f"signal {signal.Signals(number).name}" if known else f"exit status {code}"
            limit = "file" if number == signal.SIGXFSZ else "memory" if _OUT_OF_MEMORY.search(stderr) else ""
        # The cause may stand some lines before the last, which may ask for a bug report.
        said = " ".join(" ".join(stderr.splitlines()[-_NUM_LAST_LINES:]).split())
        message = ": ".join(filter(None, [f"the process ended ({how})", said]))
        killed = number == signal.SIGKILL and not limit
        return ProcessDiedError(message, killed, limit)


def _widen_pipe(fd: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class Scratch:
    """A temporary directory. The first one of a process removes those that killed processes have left.

    It contains a file that its owner keeps locked. The lock is released when the owner ends, in whatever way,
    so an unlocked file in an old directory means that no process will remove that directory.

    Attributes:
        path: The directory; removed by `close`.
    """

    def __init__(self) -> None:
        _remove_stale()
        self._directory = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._directory.name)
        try:
            self._lock = (self.path / _LOCK_NAME).open("wb")
            # Some file systems have no locks; stale directories are then not removed.
            with contextlib.suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            self._directory.cleanup()
            raise

    def close(self) -> None:
        """Remove the directory. Safe to call twice."""
        self._directory.cleanup()
        self._lock.close()


@functools.cache
def _remove_stale() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            _remove_if_stale(path)


def _remove_if_stale(path: Path) -> None:
    # Other users can write to the parent directory, so symbolic links are not followed.
    lock = os.open(path / _LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        directory, file = path.lstat(), os.fstat(lock)
        is_ours = stat.S_ISDIR(directory.st_mode) and directory.st_uid == os.geteuid()
        if is_ours and stat.S_ISREG(file.st_mode) and time.time() - file.st_mtime > _MIN_AGE_S:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
