"""The premises of a data set, and which of them the proof of a theorem may use.

A theorem may use what its file imports, directly or indirectly, and what precedes it in its own file (Yang et
al. 2023, LeanDojo, section 4.2). Premises without a place in a source file are treated like this:

    derived     In their own file: accessible from the end of the first recorded proof that names them, which
                is the only evidence that they exist there. In other files: like the rest of their file.
    external    Always accessible. The records do not tell which libraries outside the project a file has
                loaded, only those it requires by name; but none of them depends on the project.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from ntp.data.dataset import Dataset
from ntp.data.records import EXTERNAL, FileRecord, PremiseRecord, PremiseUse, TheoremRecord
from ntp.errors import DataError
from ntp.retrieval.imports import ImportGraph
from ntp.retrieval.text import marked_statement
from ntp.types import Theorem

_NOWHERE = 2**62
_IMPORT = re.compile(r"^\s*(?:public\s+)?import\s+(\S+)", re.MULTILINE)

Range = tuple[int, int]


class PremiseCorpus:
    """Premises sorted by file and position, so that the accessible ones are a few ranges of indices.

    Args:
        premises: All premises.
        files: All files with their imports.
        records: All theorems, which show where derived premises are first named.

    Raises:
        DataError: The imports contain a cycle, or there is no premise.
    """

    def __init__(
        self,
        premises: Iterable[PremiseRecord],
        files: Sequence[FileRecord],
        records: Iterable[TheoremRecord],
    ) -> None:
        self._graph = ImportGraph(files)
        first_named = _first_named(records)
        placed = sorted(((p.file, _place(p, first_named), p) for p in premises), key=lambda item: item[:2])
        if not placed:
            raise DataError(
                "the data set has no premises to retrieve: a LeanDojo Benchmark brings them in corpus.jsonl, "
                "statements alone have none"
            )
        self.premises = tuple(premise for *_, premise in placed)
        self._places = [place for _, place, _ in placed]
        self._range: dict[str, Range] = {}
        for number, (file, _, _) in enumerate(placed):
            begin, _ = self._range.setdefault(file, (number, number))
            self._range[file] = (begin, number + 1)
        self._number = {(p.full_name, p.file): number for number, p in enumerate(self.premises)}
        self._external = [(i, i + 1) for i, p in enumerate(self.premises) if p.kind == EXTERNAL]
        self.mask = lru_cache(maxsize=64)(self._mask)

    @staticmethod
    def of(dataset: Dataset) -> PremiseCorpus:
        """The corpus of a data set.

        Raises:
            DataError: As above, or a file of the data set is corrupt.
        """
        return PremiseCorpus(dataset.premises, dataset.files, dataset.iter_theorems())

    def __len__(self) -> int:
        return len(self.premises)

    @cached_property
    def documents(self) -> tuple[str, ...]:
        """The searched texts by index: statements with full names."""
        return tuple(map(marked_statement, self.premises))

    @cached_property
    def key(self) -> str:
        """Hash of the documents in order: 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.documents).encode()).hexdigest()[:16]

    def numbers(self, uses: Iterable[PremiseUse]) -> list[int]:
        """Indices of the named premises; those without a record are left out."""
        found = (self._number.get((use.full_name, use.file)) for use in uses)
        return [number for number in found if number is not None]

    def accessible(self, theorem: Theorem) -> list[Range]:
        """Half-open ranges of the premises that the theorem's proof may use, sorted and disjoint.

        A theorem outside the files of the data set (a benchmark's) may use what its context imports.

        Raises:
            DataError: Neither its file nor the modules that its context imports are in the data set.
        """
        if theorem.file in self._graph:
            begin, end = self.own(theorem)
            ranges = [self._range.get(file, (0, 0)) for file in self._graph.visible(theorem.file)]
            ranges.append((begin, end))
        else:
            modules = _IMPORT.findall(theorem.context)
            if not modules:
                raise DataError(
                    f"theorem {theorem.id}: its file {theorem.file!r} is not in the data set and its context "
                    "imports nothing, so its premises are unknown"
                )
            files = self._graph.visible_from_modules(modules)
            ranges = [self._range.get(file, (0, 0)) for file in files]
        return _merged([*ranges, *self._external])

    def own(self, theorem: Theorem) -> Range:
        """The range of the premises before a theorem in its own file."""
        begin, end = self._range.get(theorem.file, (0, 0))
        return begin, bisect_right(self._places, theorem.declaration.begin, begin, end)

    def _mask(self, theorem: Theorem) -> NDArray[np.bool_]:
        """Which premises the theorem's proof may use: one flag per premise. Must not be modified."""
        mask = np.zeros(len(self), dtype=bool)
        for begin, end in self.accessible(theorem):
            mask[begin:end] = True
        mask.flags.writeable = False
        return mask


def _first_named(records: Iterable[TheoremRecord]) -> dict[PremiseUse, int]:
    """The end of the first proof in a premise's own file that names it."""
    first: dict[PremiseUse, int] = {}
    for record in records:
        end = record.theorem.proof.end
        for use in {use for step in record.steps for use in step.premises}:
            if use.file == record.theorem.file:
                first[use] = min(first.get(use, _NOWHERE), end)
    return first


def _place(premise: PremiseRecord, first_named: dict[PremiseUse, int]) -> int:
    """Offset in its file from which a premise can be used there."""
    if premise.span is not None:
        return premise.span.end
    return first_named.get(PremiseUse(premise.full_name, premise.file), _NOWHERE)


def _merged(ranges: Iterable[Range]) -> list[Range]:
    merged: list[Range] = []
    for begin, end in sorted(ranges):
        if begin >= end:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
