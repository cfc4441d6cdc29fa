"""The import graph of a project: which files a file can see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from ntp.data.records import FileRecord
from ntp.errors import DataError

# Loaded by Coq before every file, except the files that it consists of.
_PRELUDE = "Coq.Init.Prelude"


class ImportGraph:
    """Transitive imports as one bit set per file: 5,000 files take about 3 MB.

    Imported files outside the data set are leaves: their own imports are unknown.

    Args:
        files: The files of a data set.

    Raises:
        DataError: The imports contain a cycle.
    """

    def __init__(self, files: Sequence[FileRecord]) -> None:
        imports = _with_prelude(files)
        names = dict.fromkeys(imports)
        names.update(dict.fromkeys(other for others in imports.values() for other in others))
        self.files = tuple(names)
        self._number = {file: number for number, file in enumerate(self.files)}
        self._modules = {record.module: record.path for record in files}
        self._visible = [0] * len(self.files)
        for file in _imports_first(imports):
            for other in imports.get(file, ()):
                number = self._number[other]
                self._visible[self._number[file]] |= self._visible[number] | 1 << number

    def __contains__(self, file: str) -> bool:
        return file in self._number

    def visible(self, file: str) -> list[str]:
        """Files that `file` imports, directly or not, without itself."""
        bits = self._visible[self._number[file]]
        return [other for number, other in enumerate(self.files) if bits >> number & 1]

    def visible_from_modules(self, modules: Iterable[str]) -> list[str]:
        """Files visible to a text that imports modules: the modules' files and their imports.

        A module without a file stands for all modules below it, like `Mathlib`. A module with no file in the
        data set, at it or below it, is ignored.

        Raises:
            DataError: None of the modules has a file.
        """
        asked = list(modules)
        direct = [file for module in asked for file in self._files_of(module)]
        if not direct:
            names = " or ".join(asked)
            raise DataError(f"the data set has no module {names}, which a theorem's context imports")
        seen: dict[str, None] = {}
        for file in direct:
            seen.update(dict.fromkeys((*self.visible(file), file)))
        return list(seen)

    def _files_of(self, module: str) -> list[str]:
        if module in self._modules:
            return [self._modules[module]]
        return [file for name, file in self._modules.items() if name.startswith(module + ".")]


def _with_prelude(files: Sequence[FileRecord]) -> dict[str, tuple[str, ...]]:
    """Direct imports by file, Coq's implicit import included."""
    imports = {record.path: record.imports for record in files}
    prelude = next((record.path for record in files if record.module == _PRELUDE), None)
    if prelude is None:
        return imports
    below, pending = {prelude}, [prelude]
    while pending:
        new = set(imports.get(pending.pop(), ())) - below
        below |= new
        pending += new
    return {file: others if file in below else (prelude, *others) for file, others in imports.items()}


def _imports_first(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """All files, each after those that it imports.

    Raises:
        DataError: There is no such order.
    """
    try:
        return list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise DataError(f"the imports contain a cycle: {circle}; correct the import graph") from None
