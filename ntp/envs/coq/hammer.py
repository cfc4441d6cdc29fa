"""CoqHammer: its programs, and how what it found is read from its messages."""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from ntp.errors import EnvError
from ntp.sandbox.sysroot import find_program

INSTALL_COMMAND = "apt-get install libcoq-hammer eprover cvc4"
# Where Debian puts the programs that the plugin calls. With opam they are on PATH.
HELPERS_DIRECTORY = "/usr/libexec/coq-hammer"
_HELPERS = ("predict", "htimeout")
# The plugin looks for these four, and needs one.
_PROVERS = ("eprover", "cvc4", "vampire", "z3_tptp")
_LOADS = re.compile(
    r"(?:From\s+Hammer\s+Require\b.*\bHammer\b|Require\b.*\bHammer\.(?:Plugin\.)?Hammer\b)", re.DOTALL
)
_TACTIC = re.compile(r"(?:1\s*:\s*)?hammer\s*\.")
_NAME = re.compile(r"(?<![\w'.])(?:hammer|hammer_hook|hammer_print|hammer_transl|predict)(?![\w'])")
_FOUND = re.compile(r"Replace the hammer tactic with:\s*(.*?)\s*\.?\s*", re.DOTALL)


def loads_hammer(commands: Sequence[str]) -> bool:
    """Whether commands load the tactic `hammer`, and not only `sauto` and its relatives."""
    return any(_LOADS.match(command) for command in commands)


def is_hammer(command: str) -> bool:
    """Whether a guarded tactic is `hammer` alone."""
    return _TACTIC.fullmatch(command.strip()) is not None


def holds_hammer(command: str) -> bool:
    """Whether a guarded tactic calls programs outside Coq, alone or as a part."""
    return _NAME.search(command) is not None


def found_tactic(messages: Sequence[str]) -> str:
    """The tactic that stands for a successful `hammer`, from Coq's messages; empty if they name none."""
    for message in reversed(messages):
        match = _FOUND.fullmatch(message.strip())
        if match and match[1]:
            return f"{' '.join(match[1].split())}."
    return ""


@functools.cache
def require_hammer(sysroot: Path | None = None) -> None:
    """Raise `EnvError` if a program is missing that `hammer` calls, here or below another root."""
    missing = [name for name in _HELPERS if not _find(name, sysroot)]
    if not any(_find(name, sysroot) for name in _PROVERS):
        missing.append(f"a prover ({' or '.join(_PROVERS)})")
    if missing:
        where = f"in {sysroot}" if sysroot else "on PATH"
        raise EnvError(
            f"env.preamble loads hammer, which needs {', '.join(missing)} {where}: `{INSTALL_COMMAND}`"
        )


def _find(name: str, sysroot: Path | None) -> bool:
    if sysroot is None:
        path = f"{os.environ.get('PATH', os.defpath)}:{HELPERS_DIRECTORY}"
        return shutil.which(name, path=path) is not None
    return bool(find_program(sysroot, name)) or (sysroot / HELPERS_DIRECTORY.lstrip("/") / name).exists()
