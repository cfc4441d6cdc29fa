"""Stop signals: recorded when they arrive, handled between two training steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

# SLURM sends SIGTERM before it takes a job's nodes; submitit makes it send SIGUSR2 some time before.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR2)


class StopSignals:
    """Replaces the handlers of `STOP_SIGNALS` from `open` to `close`.

    Attributes:
        received: The signal that arrived, if any.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def open(self) -> None:
        """Start recording signals. Does nothing outside the main thread, which alone receives signals."""
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}

    def obey(self) -> signal.Signals | None:
        """The signal that arrived, which the caller must handle; None if none did."""
        received, self.received = self.received, None
        return received

    def close(self) -> None:
        """Restore the handlers and pass on a signal that nobody handled. Safe to call twice."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
        if (received := self.obey()) is not None:
            signal.raise_signal(received)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's signature
        self.received = signal.Signals(number)
