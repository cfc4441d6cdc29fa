"""What has been asked and answered, line by line: a crawl that is killed loses one answer at most."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ntp.errors import DataError


class Journal:
    """Answers by key, appended to a file.

    A last line that was not written whole is dropped.

    Args:
        path: The file; it need not exist.

    Raises:
        DataError: The file cannot be written, or a line but the last is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values, whole = _read(path) if path.exists() else ({}, 0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = path.open("ab")
            self._stream.truncate(whole)
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror})") from None

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def put(self, key: str, value: Any) -> None:
        """Keep an answer, on disk before this returns.

        Raises:
            DataError: The disk is full, or otherwise cannot be written.
        """
        line = json.dumps([key, value], ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            self._stream.write(line.encode())
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise DataError(
                f"{self._path}: cannot be written ({error.strerror}); nothing before is lost"
            ) from None
        self._values[key] = value

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._stream.close()


def read_journal(path: Path) -> dict[str, Any]:
    """The answers in a file, by key.

    Raises:
        DataError: A line but the last is damaged.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Any], int]:
    """The answers in a file, and the length of its whole lines."""
    values: dict[str, Any] = {}
    whole = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                key, value = json.loads(line)
                if not line.endswith(b"\n"):
                    raise ValueError("not whole")
            except ValueError:
                if stream.read(1):
                    raise DataError(f"{path}:{number}: is damaged; delete it to crawl again") from None
                break
            values[key] = value
            whole += len(line)
    return values, whole
