"""What servers on stdin and stdout share."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Generic, TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def private_stdout() -> Iterator[BinaryIO]:
    """Stdout for a protocol alone: whatever else is printed meanwhile, by any library, goes to stderr."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(private, "wb", closefd=False) as stdout:
            yield stdout
    finally:
        sys.stdout.flush()
        os.dup2(private, 1)
        os.close(private)


class Later(Generic[T]):
    """A value that takes long to make: whoever needs it first makes it, others wait.

    Args:
        make: Makes it; what it raises is raised for each who asks.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[T] = []

    def __call__(self) -> T:
        """The value."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    @property
    def is_made(self) -> bool:
        """Whether it has been made."""
        return bool(self._made)
