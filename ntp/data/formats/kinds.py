"""The nine outputs of ntp-toolkit and miniCTX by name, and how each is written for one file."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ntp.data.dataset import Dataset
from ntp.data.formats.declarations import declarations, premises_used
from ntp.data.formats.imports import imports, with_imports
from ntp.data.formats.minictx import minictx
from ntp.data.formats.proofs import full_proofs, full_proofs_with_states
from ntp.data.formats.source_file import SourceFile
from ntp.data.formats.state_comments import comment_states
from ntp.data.formats.tactics import tactic_predictions, tactics_with_premises
from ntp.data.formats.uses import Uses
from ntp.data.history import Creations
from ntp.data.records import FileRecord, PremiseRecord
from ntp.jsonl import atomic_write

SUFFIXES = {"coq": ".v", "lean": ".lean", "lean3": ".lean"}


@dataclass(frozen=True)
class Exporter:
    """Everything that the outputs of a data set's files need.

    Attributes:
        dataset: The data set.
        uses: What its tactics and declarations use.
        import_lines: What WithImports puts before sources.
        created: When files and theorems were created, for miniCTX.
    """

    dataset: Dataset
    uses: Uses
    import_lines: Sequence[str] = ()
    created: Creations = field(default_factory=Creations)

    @cached_property
    def premises(self) -> Mapping[str, Sequence[PremiseRecord]]:
        """What each file declares."""
        found: dict[str, list[PremiseRecord]] = defaultdict(list)
        for premise in self.dataset.premises:
            found[premise.file].append(premise)
        return found

    @cached_property
    def files(self) -> Mapping[str, FileRecord]:
        """Files by path."""
        return {file.path: file for file in self.dataset.files}

    @cached_property
    def names(self) -> frozenset[str]:
        """Everything that the data set's files declare."""
        return frozenset(p.full_name for file in self.files for p in self.premises.get(file, ()))

    def of_file(self, file: SourceFile) -> Sequence[PremiseRecord]:
        """What a file declares."""
        return self.premises.get(file.record.path, ())

    def write(self, file: SourceFile, kinds: Iterable[str], directory: Path) -> dict[str, int]:
        """Write a file's outputs.

        Returns:
            The number of rows of each kind, 1 for a source.

        Raises:
            DataError: The directory cannot be written.
        """
        return {kind: self._write(file, KINDS[kind], directory) for kind in kinds}

    def _write(self, file: SourceFile, kind: Kind, directory: Path) -> int:
        made = kind.make(self, file)
        if made is None:
            return 0
        suffix = SUFFIXES[file.prover] if isinstance(made, str) else ".jsonl"
        num_rows = 0
        with atomic_write(directory / kind.folder / f"{file.record.module}{suffix}") as stream:
            if isinstance(made, str):
                stream.write(made)
                return 1
            for row in made:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
                num_rows += 1
        return num_rows


@dataclass(frozen=True)
class Kind:
    """An output.

    Attributes:
        folder: As ntp-toolkit calls it.
        make: The rows of a file, or a source; None without the file's text.
        needs_terms: Whether proof terms add to it.
    """

    folder: str
    make: Callable[[Exporter, SourceFile], Iterable[Mapping[str, Any]] | str | None]
    needs_terms: bool = False


def _minictx(exporter: Exporter, file: SourceFile) -> Iterable[Mapping[str, Any]]:
    own = {premise.full_name for premise in exporter.of_file(file)}
    return minictx(file, own, exporter.names, exporter.uses, exporter.created)


KINDS: Mapping[str, Kind] = {
    "tactic_prediction": Kind("TacticPrediction", lambda _, file: tactic_predictions(file)),
    "full_proof": Kind("FullProof", lambda _, file: full_proofs(file)),
    "full_proof_with_states": Kind("FullProofWithStates", lambda _, file: full_proofs_with_states(file)),
    "state_comments": Kind("StateComments", lambda _, file: comment_states(file).text),
    "premises": Kind(
        "Premises",
        lambda e, file: premises_used(file, e.of_file(file), e.uses),
        needs_terms=True,
    ),
    "training_data_with_premises": Kind(
        "TrainingDataWithPremises", lambda e, file: tactics_with_premises(file, e.uses), needs_terms=True
    ),
    "declarations": Kind(
        "Declarations",
        lambda e, file: declarations(file, file.placed(e.of_file(file)), e.uses),
        needs_terms=True,
    ),
    "imports": Kind("Imports", lambda e, file: imports(file.record, e.files)),
    "with_imports": Kind("WithImports", lambda e, file: with_imports(file, e.import_lines)),
    "minictx": Kind("MiniCTX", _minictx, needs_terms=True),
}
