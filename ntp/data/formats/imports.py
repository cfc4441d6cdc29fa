"""ntp-toolkit's outputs about modules: Imports, and WithImports, sources with further imports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ntp.data.formats.source_file import SourceFile
from ntp.data.records import FileRecord


def imports(file: FileRecord, by_path: Mapping[str, FileRecord]) -> Iterator[dict[str, Any]]:
    """A row for each module that a file imports, also by way of others, sorted by name.

    What libraries outside the data set import in turn is unknown.

    Args:
        file: The file.
        by_path: All files of the data set.
    """
    direct = {_module(name, by_path) for name in file.imports}
    found: set[str] = set()
    waiting = list(file.imports)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += by_path[name].imports if name in by_path else ()
    for module in sorted({_module(name, by_path) for name in found}):
        yield {"name": module, "isDirect": module in direct}


def with_imports(file: SourceFile, lines: Sequence[str]) -> str | None:
    """The source with lines before it that are not in it; None without the text."""
    if file.text is None:
        return None
    return "".join(f"{line}\n" for line in lines if line not in file.text) + file.text


def _module(name: str, by_path: Mapping[str, FileRecord]) -> str:
    return by_path[name].module if name in by_path else name
