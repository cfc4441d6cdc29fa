"""Signals that ask a run to end: noted when they come, obeyed between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

# SIGTERM is what SLURM sends before it takes a job's nodes, SIGUSR2 what submitit asks it to send in time.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR2)


class StopSignals:
    """Takes the place of the handlers of `STOP_SIGNALS` from `open` to `close`.

    Attributes:
        received: The signal that came, if one did.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def open(self) -> None:
        """Begin to note signals. Only the main thread receives signals; in others this does nothing."""
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}

    def obey(self) -> signal.Signals | None:
        """The signal that came, which the caller must handle; None if none came."""
        received, self.received = self.received, None
        return received

    def close(self) -> None:
        """Put the handlers back; one that has a signal to hear of hears of it now. Safe to call twice."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
        if (received := self.obey()) is not None:
            signal.raise_signal(received)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's signature
        self.received = signal.Signals(number)
