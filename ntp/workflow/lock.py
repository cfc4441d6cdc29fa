"""Lets only one process at a time run a stage, since jobs of a sweep that start together share stages.

The lock is a file next to the stage's directory, created exclusively, which is atomic on all file systems of
clusters (NFS, Lustre, GPFS); flock works on some of them within one node only, or not at all. Its holder
touches it every few seconds. A waiting process takes over if the holder is known to be dead (on the same
machine, or before the same SLURM job was requeued), or if it is on another machine and has not touched the
file for minutes by the waiting process's own clock: the clocks of two nodes are never compared.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ntp.errors import ConfigError, DataError
from ntp.jsonl import dump_record, load_record
from ntp.tracking.owner import Owner

_BEAT_S = 15.0
_DEAD_AFTER_S = 120.0
_POLL_S = 0.5
_FORGOTTEN_AFTER_S = 3600.0  # more than the clocks of two machines differ: an older file need not be watched


@dataclass(frozen=True)
class _Claim:
    """Contents of the file: the holder of the lock, and a unique token."""

    owner: Owner
    token: str


class StageLock:
    """Context manager, held while a stage runs.

    If this process was stopped (suspended, cut off from the file server) for so long that another took over,
    it ends at once when it notices: all further writes, also to MLflow, would interfere with the other's.

    Args:
        directory: The stage's output directory, which need not exist and may be moved while the lock is held.
        say: Called with a line for the user when this process has to wait, and when it takes over.
        beat_s: Seconds between touches of the file.
        dead_after_s: Seconds without a touch after which a holder on another machine counts as dead.

    Raises:
        ConfigError: The lock cannot be written next to the directory.
    """

    def __init__(
        self,
        directory: Path,
        say: Callable[[str], None],
        beat_s: float = _BEAT_S,
        dead_after_s: float = _DEAD_AFTER_S,
    ) -> None:
        self.path = directory.with_name(f".{directory.name}.lock")
        self._name = directory.name
        self._say = say
        self._beat_s = beat_s
        self._dead_after_s = dead_after_s
        self._text = dump_record(_Claim(Owner.current(), uuid.uuid4().hex)) + "\n"
        self._released = threading.Event()

    def __enter__(self) -> StageLock:
        with suppress(OSError):  # creating the file reports it
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._acquire()
        threading.Thread(target=self._beat, daemon=True, name=f"lock of {self._name}").start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._released.set()
        if self._is_mine():
            self.path.unlink(missing_ok=True)

    def await_leader(self, is_made: Callable[[], bool]) -> bool:
        """In a process of a distributed run, wait until the main process has the lock or is done.

        The lock is not acquired: a process that acquired it while its main process waits would deadlock.

        Returns:
            Whether the main process is running the stage; otherwise the stage is complete.

        Raises:
            SystemExit: The parent process has ended.
        """
        parent = os.getppid()
        while (owner := self._owner()) is None or not owner.leads_this():
            if is_made():
                return False
            if os.getppid() != parent:
                raise SystemExit(1)
            time.sleep(_POLL_S)
        return True

    def _acquire(self) -> None:
        waits_for, touched, silent_s, looked = "", 0, 0.0, time.monotonic()
        while not self._create():
            found = self._read()
            if found is None:
                continue
            text, touched_now = found
            owner = self._owner()
            if text and text != waits_for:
                self._say(f"{self._name} is being made by {owner or 'another process'}; waiting for it")
            # Time in which this process was suspended itself does not count as silence of the holder.
            now = time.monotonic()
            silent_s, looked = silent_s + min(now - looked, 2 * _POLL_S), now
            if (text, touched_now) != (waits_for, touched):
                waits_for, touched, silent_s = text, touched_now, 0.0
            if self._is_dead(owner, touched_now, silent_s):
                if self._remove(text):
                    self._say(f"{self._name}: {owner or 'the other process'} has died; taking over")
            else:
                time.sleep(_POLL_S)

    def _is_dead(self, owner: Owner | None, touched: int, silent_s: float) -> bool:
        alive = owner.is_alive() if owner is not None else None
        if alive is not None:
            return not alive
        forgotten = time.time() - touched / 1e9 > _FORGOTTEN_AFTER_S
        return forgotten or silent_s > self._dead_after_s

    def _create(self) -> bool:
        """Create the file; False when it exists."""
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        except OSError as error:
            place = f"output directory {self.path.parent}"
            raise ConfigError(f"{place} cannot be written ({error.strerror}); choose another one") from None
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(self._text)
        return True

    def _read(self) -> tuple[str, int] | None:
        """The file's contents, and when it was touched (ns); None if it does not exist."""
        try:
            return self.path.read_text(encoding="utf-8"), self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def _owner(self) -> Owner | None:
        """The holder of the lock; None while the file is being written."""
        try:
            return load_record(self.path, _Claim).owner
        except DataError:
            return None

    def _remove(self, text: str) -> bool:
        """Remove a dead process's lock with the contents `text`; returns whether it was still there.

        Only one waiting process at a time checks and removes: otherwise a second one could remove the new
        lock of the first.
        """
        turn = self.path.with_name(f"{self.path.name}.turn")
        try:
            os.close(os.open(turn, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError:
            time.sleep(_POLL_S)
            with suppress(FileNotFoundError):
                if time.time() - turn.stat().st_mtime > _FORGOTTEN_AFTER_S:  # its owner died within its turn
                    turn.unlink()
            return False
        try:
            found = self._read()
            if found is None or found[0] != text:
                return False
            self.path.unlink()
            return True
        finally:
            turn.unlink()

    def _beat(self) -> None:
        while not self._released.wait(self._beat_s):
            if not self._is_mine() and not self._released.is_set():
                self._say(
                    f"error: {self._name} was taken over by another process, because this one was suspended"
                )
                os._exit(1)
            with suppress(OSError):
                os.utime(self.path)

    def _is_mine(self) -> bool:
        try:
            found = self._read()
        except OSError:  # the file server is unavailable: no other process can see the file either
            return True
        return found is not None and found[0] == self._text
