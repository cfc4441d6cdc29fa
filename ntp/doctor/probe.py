"""Asks programs for their versions."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

ANSWER_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        name: What was checked.
        found: Its version or place; empty when it is missing.
        fix: The command that fixes it; empty when there is nothing to fix.
        detail: Further information, in one line.
        needed: Whether nothing works without it.
        trouble: What to call its state if it is not ok; empty for `missing` or, if something was found,
            `to fix`.
    """

    name: str
    found: str
    fix: str = ""
    detail: str = ""
    needed: bool = False
    trouble: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is installed and works."""
        return bool(self.found) and not self.fix

    @property
    def state(self) -> str:
        """One or two words: `ok`, `missing`, `to fix`, `not running`."""
        if self.ok:
            return "ok"
        return self.trouble or ("to fix" if self.found else "missing")


def version_of(name: str, command: Sequence[str], fix: str) -> Finding:
    """The first line that a program prints about its version, or why it printed none."""
    answer = ask(command)
    if isinstance(answer, str):
        return Finding(name, answer.splitlines()[0])
    return Finding(name, "", fix, answer.reason)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why a program did not answer, in one line."""

    reason: str


def ask(command: Sequence[str], timeout_s: float = ANSWER_TIMEOUT_S) -> str | NoAnswer:
    """A program's standard output, stripped, or its standard error if that is empty.

    A program that does not end in time is killed with its children: a surviving child would keep the pipes
    open and the caller waiting.
    """
    if shutil.which(command[0]) is None:
        return NoAnswer("not on PATH")
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return NoAnswer(f"does not start: {error.strerror}")
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return NoAnswer(f"no answer within {timeout_s:g} s")
    said = output.strip() or errors.strip()
    if process.returncode != 0 or not said:
        # The last line says what went wrong; those before it are warnings or a trace.
        last = said.splitlines()[-1] if said else f"exit status {process.returncode}"
        return NoAnswer(last[-200:])
    return said
