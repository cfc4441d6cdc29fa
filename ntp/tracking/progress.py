"""Progress of long work, with rate and remaining time."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ntp.tracking.processes import is_main


class ProgressReporter:
    """A progress bar on a terminal, otherwise a plain line every few seconds.

    Args:
        title: Name of the work.
        total: Number of items.
        unit: Name of an item, in the plural.
        console: Where to report; by default standard error, from the main process only.
        line_every_s: Seconds between plain lines.
        num_before: Items done in an earlier run, which do not count for the rate.
    """

    def __init__(
        self,
        title: str,
        total: int,
        unit: str,
        console: Console | None = None,
        line_every_s: float = 10.0,
        num_before: int = 0,
    ) -> None:
        self.title = title
        self.total = total
        self.unit = unit
        self._console = console or Console(stderr=True, quiet=not is_main())
        self._line_every_s = line_every_s
        self._done = self._num_before = num_before
        self._note = ""
        self._started = self._last_line = time.monotonic()
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> ProgressReporter:
        self._started = self._last_line = time.monotonic()
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[status]}"),
                TimeElapsedColumn(),
                console=self._console,
            )
            self._task = self._bar.add_task(self.title, total=self.total, status="")
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        else:
            self._print_line()

    def advance(self, num_items: int = 1, note: str = "") -> None:
        """Report that `num_items` more are done; `note` is shown next to the rate."""
        self._done += num_items
        self._note = note
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, status=self._status())
        elif time.monotonic() - self._last_line >= self._line_every_s:
            self._print_line()

    def _print_line(self) -> None:
        self._last_line = time.monotonic()
        line = f"{self.title}: {self._done}/{self.total} {self._status()}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _status(self) -> str:
        elapsed = time.monotonic() - self._started
        rate = (self._done - self._num_before) / elapsed if elapsed > 0 else 0.0
        left = (
            f", {format_seconds((self.total - self._done) / rate)} left"
            if rate and self._done < self.total
            else ""
        )
        return f"{rate:.3g} {self.unit}/s{left}" + (f", {self._note}" if self._note else "")


def format_seconds(seconds: float) -> str:
    """Seconds as `42 s`, `3 min 05 s` or `1 h 02 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
