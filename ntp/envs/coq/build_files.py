"""Load paths and options that a project's build files declare: `_CoqProject`, or `dune` files."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ntp.errors import ConfigError

# Directories of build systems and tools, which hold copies of sources and other projects.
_SKIPPED = {"_build", "_opam"}
_OPTIONS = {
    "-impredicative-set", "-indices-matter", "-type-in-type", "-noinit", "-allow-sprop", "-disallow-sprop",
    "-allow-rewrite-rules",
}  # fmt: skip
_OPTIONS_WITH_VALUE = {"-w", "-I", "-set", "-unset", "-ri", "-require-import", "-re", "-require-export"}
# They say how coqc compiles, not what it accepts.
_IGNORED = {"-q", "-quiet", "-emacs", "-vos", "-vok", "-noglob", "-time", "-async-proofs-cache"}
_IGNORED_WITH_VALUE = {"-native-compiler", "-bytecode-compiler", "-async-proofs", "-async-proofs-j", "-color"}
_SEXP = re.compile(r';[^\n]*|"(?:[^"\\]|\\.)*"|[()]|[^\s()";]+')


@dataclass(frozen=True, slots=True)
class LoadPath:
    """A directory and its logical name: `flag` is -R or -Q."""

    flag: str
    directory: str
    name: str


@dataclass(slots=True)
class BuildFile:
    """What a build file declares.

    Attributes:
        load_paths: Directories are relative to the project's root.
        options: Options of coqc.
    """

    load_paths: list[LoadPath] = field(default_factory=list)
    options: list[str] = field(default_factory=list)


def is_skipped(parts: Sequence[str]) -> bool:
    """Whether a file is in a directory of a build system or a hidden one, given its path's parts."""
    return any(part in _SKIPPED or part.startswith(".") for part in parts[:-1])


def find_build_file(root: Path) -> BuildFile:
    """What `_CoqProject` declares, else what the dune files below the root declare; nothing without either.

    Raises:
        ConfigError: A build file cannot be read.
    """
    for name in ("_CoqProject", "_RocqProject"):
        if (root / name).is_file():
            return _read_coq_project(root / name)
    found = BuildFile()
    for path in sorted(_dune_files(root)):
        directory = path.parent.relative_to(root).as_posix()
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror}); give env.load_paths") from None
        for name, flags in _theories(text):
            found.load_paths.append(LoadPath("-R", directory, name))
            found.options += [option for option in flags if option not in found.options]
    return found


def read_options(options: Sequence[str], source: str) -> list[str]:
    """Options of coqc that change what a file means, without those that only say how it is compiled.

    Args:
        options: As on coqc's command line.
        source: Where they stand, for errors.

    Raises:
        ConfigError: An option is unknown, or lacks its value.
    """
    kept: list[str] = []
    words = iter(options)
    for word in words:
        if word in _IGNORED:
            continue
        if word in _OPTIONS:
            kept.append(word)
            continue
        if word not in _OPTIONS_WITH_VALUE | _IGNORED_WITH_VALUE:
            known = ", ".join(sorted(_OPTIONS | _OPTIONS_WITH_VALUE))
            raise ConfigError(f"{source}: the option {word} cannot be used; known are {known}")
        value = next(words, None)
        if value is None:
            raise ConfigError(f"{source}: the option {word} lacks its value")
        if word in _OPTIONS_WITH_VALUE:
            kept += [word, value]
    return kept


def _read_coq_project(path: Path) -> BuildFile:
    try:
        words = shlex.split(path.read_text(encoding="utf-8", errors="replace"), comments=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}; give env.load_paths and env.options") from None
    found, options = BuildFile(), list[str]()
    position = 0
    while position < len(words):
        word, values = words[position], words[position + 1 : position + 3]
        if word in ("-R", "-Q") and len(values) == 2:
            found.load_paths.append(LoadPath(word, values[0], values[1]))
        elif word == "-I" and values:
            options += [word, values[0]]
        elif word == "-arg" and values:
            options += shlex.split(values[0])
        # The rest is files, variables and coq_makefile's own options.
        position += {"-R": 3, "-Q": 3, "-I": 2, "-arg": 2}.get(word, 1)
    found.options = read_options(options, str(path))
    return found


def _dune_files(root: Path) -> Iterator[Path]:
    for directory, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not is_skipped((name, "")))
        if "dune" in files:
            yield Path(directory, "dune")


def _theories(text: str) -> Iterator[tuple[str, list[str]]]:
    """Name and flags of every `coq.theory` of a dune file."""
    for stanza in _expressions(_SEXP.findall(text)):
        if isinstance(stanza, list) and stanza[:1] in (["coq.theory"], ["rocq.theory"]):
            fields = {item[0]: item[1:] for item in stanza if isinstance(item, list) and item}
            name = fields.get("name", [None])[0]
            flags = [flag for flag in _flatten(fields.get("flags", [])) if not flag.startswith(":")]
            if isinstance(name, str):
                yield name, read_options(flags, "flags of a dune file")


def _expressions(tokens: Sequence[str]) -> list:
    stack: list[list] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")" and len(stack) > 1:
            inner = stack.pop()
            stack[-1].append(inner)
        elif token != ")" and not token.startswith(";"):
            stack[-1].append(token.strip('"'))
    return stack[0]


def _flatten(items: Sequence) -> Iterator[str]:
    for item in items:
        if isinstance(item, list):
            yield from _flatten(item)
        else:
            yield item
