"""The corpus of a LeanDojo Benchmark: files, their import graph, and the premises in them."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import msgspec

from ntp.data.lean.format import (
    CORPUS,
    CorpusFile,
    CorpusPremise,
    Provenance,
    decode,
    packed_span,
    read_bytes,
)
from ntp.data.records import PremiseRecord, PremiseUse
from ntp.errors import DataError


class Corpus:
    """The files and premises of a corpus, and the premise at a position.

    Args:
        files: The files, in any order.
        source: Beginning of error messages.

    Raises:
        DataError: A file occurs twice, imports a missing one, or imports itself indirectly.
    """

    def __init__(self, files: list[CorpusFile], source: str = CORPUS) -> None:
        self._source = source
        self.files = {file.path: file for file in files}
        if len(self.files) < len(files):
            seen: set[str] = set()
            twice = next(f.path for f in files if f.path in seen or seen.add(f.path))
            raise DataError(f"{source}: {twice} occurs twice")
        _check_imports(files, source)
        self._named = {file.path: _by_name(file) for file in files}
        self._located: dict[tuple[str, str], PremiseUse | None] = {}

    @staticmethod
    def read(path: Path) -> Corpus:
        """Read `corpus.jsonl`.

        Raises:
            DataError: A line is damaged, or the files are inconsistent (see the class).
        """
        decoder = msgspec.json.Decoder(CorpusFile)
        lines = read_bytes(path).splitlines()
        files = [decode(line, decoder, f"{path}:{number}") for number, line in enumerate(lines, start=1)]
        return Corpus(files, str(path))

    def premises(self) -> Iterator[PremiseRecord]:
        """Premise records in order of file and position. Premises without a name are left out.

        Raises:
            DataError: A position is outside its file.
        """
        for path in sorted(self.files):
            for premise in sorted(self._named[path].values(), key=lambda p: (p.start, p.end)):
                name = premise.full_name or ""
                span = packed_span(premise.start, premise.end, f"{self._source}: {path}: {name}")
                yield PremiseRecord(name, premise.kind, premise.code, path, span)

    def statement(self, path: str, full_name: str) -> str:
        """The code of a premise, which is the statement of a theorem; empty if the corpus has none."""
        premise = self._named.get(path, {}).get(full_name)
        return "" if premise is None else premise.code

    def locate(self, use: Provenance) -> PremiseUse | None:
        """The premise that a tactic's annotation refers to; None if the corpus has none.

        As in ReProver, constructors, fields and generated names are not premises of their own: they refer to
        the declaration that contains them.
        """
        key = (use.def_path, use.full_name)
        if key not in self._located:
            name = self._enclosing(use)
            self._located[key] = None if name is None else PremiseUse(name, use.def_path)
        return self._located[key]

    def _enclosing(self, use: Provenance) -> str | None:
        named = self._named.get(use.def_path, {})
        if use.full_name in named:
            return use.full_name
        if use.def_pos is None:
            return None
        return next((name for name, p in named.items() if p.start <= use.def_pos <= p.end), None)


def _by_name(file: CorpusFile) -> dict[str, CorpusPremise]:
    named: dict[str, CorpusPremise] = {}
    for premise in file.premises:
        if premise.full_name:
            named.setdefault(premise.full_name, premise)
    return named


def _check_imports(files: list[CorpusFile], source: str) -> None:
    graph = {file.path: file.imports for file in files}
    for file in files:
        for other in file.imports:
            if other not in graph:
                raise DataError(f"{source}: {file.path} imports {other}, which is not in it")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise DataError(f"{source}: the imports form a cycle: {cycle}") from None
