"""Texts that are installed with Python and with Debian: programs, mathematics, documentation, licences."""

from __future__ import annotations

import ast
import importlib.util
import pydoc_data.topics
import re
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from ntp.errors import DataError
from ntp.formalization.alignment.sources.documents import MAX_CHARS, Document, pieces
from ntp.formalization.readers import read_pairs
from ntp.seeding import derive_seed

_MIN_CHARS = 40
_DOCTEST = re.compile(r"^\s*(>>>|\.\.\.).*$", re.M)
_LICENCES = Path("/usr/share/doc")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def python(documented: bool) -> Iterator[Document]:
    """Functions of Python's standard library, without comments.

    Args:
        documented: Whether those with a docstring, and with it, from one half of the modules; or all of the
            other half, without docstrings.
    """
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        inner = path.relative_to(root)
        if {"site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3"} & set(inner.parts):
            continue
        if derive_seed("documented", str(inner)) % 2 != documented:
            continue
        for function in _functions(path):
            docstring = ast.get_docstring(function)
            if documented and not docstring:
                continue
            if not documented and docstring:
                function.body = function.body[1:] or [ast.Pass()]
            yield from _cut(ast.unparse(function), str(inner))


def mathematics() -> Iterator[Document]:
    """Prose of SymPy's docstrings, without its examples.

    Raises:
        DataError: SymPy is not installed.
    """
    found = importlib.util.find_spec("sympy")
    if found is None or found.origin is None:
        raise DataError("mathematical texts are SymPy's docstrings: `pip install sympy`")
    root = Path(found.origin).parent
    for path in sorted(root.rglob("*.py")):
        if "tests" in path.parts:
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, _Function | ast.ClassDef | ast.Module):
                docstring = ast.get_docstring(node) or ""
                yield from _cut(_prose(docstring), str(path.relative_to(root)))


def documentation() -> Iterator[Document]:
    """The reference of the Python language, as `pydoc` shows it."""
    for name, text in sorted(pydoc_data.topics.topics.items()):
        yield from _cut(text, name)


def irrelevant() -> Iterator[Document]:
    """Copyright notices and licences of installed Debian packages.

    Raises:
        DataError: There are none.
    """
    paths = sorted(_LICENCES.glob("*/copyright"))
    if not paths:
        raise DataError(f"{_LICENCES}: no copyright files here; leave the source `irrelevant` out")
    for path in paths:
        if path.is_file():
            yield from _cut(path.read_text(encoding="utf-8", errors="replace"), path.parent.name)


def lean() -> Iterator[Document]:
    """Lean programs that are installed with LeanDojo.

    Raises:
        DataError: LeanDojo is not installed.
    """
    found = importlib.util.find_spec("lean_dojo")
    if found is None or found.origin is None:
        raise DataError("Lean texts are those of LeanDojo: `pip install lean-dojo`, or give files")
    yield from files([str(path) for path in sorted(Path(found.origin).parent.rglob("*.lean"))])


def files(paths: Sequence[str]) -> Iterator[Document]:
    """Text files, cut at blank lines, and the formal statements of files of pairs (`.jsonl`).

    Raises:
        DataError: A file cannot be read.
    """
    for path in map(Path, paths):
        if path.suffix == ".jsonl":
            yield from (Document(pair.formal, path.name) for pair in read_pairs(path))
            continue
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None
        for block in re.split(r"\n\s*\n", text):
            yield from _cut(block, path.name)


def _cut(text: str, origin: str) -> Iterator[Document]:
    for piece in pieces(text, MAX_CHARS):
        if len(piece) >= _MIN_CHARS:
            yield Document(piece, origin)


def _prose(docstring: str) -> str:
    """A docstring without the inputs of its examples; their outputs are formulas."""
    return re.sub(r"\n\s*\n+", "\n\n", _DOCTEST.sub("", docstring))


def _functions(path: Path) -> Iterator[_Function]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, _Function):
            yield node


def _tree(path: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # sources that a test of Python wants to be wrong
            return ast.Module(body=[], type_ignores=[])
