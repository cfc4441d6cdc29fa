"""miniCTX: a row for each theorem with its context and what its proof depends on (Hu et al. 2024).

Field names are those of ntp-toolkit's `convert_minictx.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

from ntp.data.formats.source_file import Proof, SourceFile
from ntp.data.formats.uses import Uses
from ntp.data.history import Creation, Creations

_UNKNOWN = Creation(None, None)


def minictx(
    file: SourceFile, own: Set[str], repository: Set[str], uses: Uses, created: Creations
) -> Iterator[dict[str, Any]]:
    """A row for each theorem whose proof's text is known.

    Args:
        file: The file.
        own: Names that it declares.
        repository: Names that any file of the data set declares.
        uses: What constants use.
        created: When files and theorems were created.
    """
    file_created = created.files.get(file.record.path, _UNKNOWN)
    for index, proof in enumerate(file.proofs()):
        if proof.proof is None or proof.src_up_to_decl is None:
            continue
        theorem_created = created.theorems.get(proof.id, _UNKNOWN)
        yield {
            "srcContext": proof.src_up_to_decl,
            "theoremStatement": proof.decl,
            "theoremName": proof.id,
            "fileCreated": {"commit": file_created.commit, "date": file_created.date},
            "theoremCreated": {"commit": theorem_created.commit, "date": theorem_created.date},
            "file": file.record.path,
            "module": file.record.module,
            "jsonFile": f"{file.record.module}.jsonl",
            "positionMetadata": {
                "lineInFile": 1 + proof.src_up_to_decl.count("\n"),
                "tokenPositionInFile": len(proof.src_up_to_decl),
                "theoremPositionInFile": index,
            },
            "dependencyMetadata": _dependencies(proof, own, repository, uses),
            "proofMetadata": {
                "hasProof": True,
                "proof": proof.proof,
                "proofType": "tactic" if proof.record.steps else "term",
                "proofLengthLines": proof.proof.count("\n"),
                "proofLengthTokens": len(proof.proof),
            },
        }


def _dependencies(proof: Proof, own: Set[str], repository: Set[str], uses: Uses) -> Mapping[str, Any]:
    names = uses.of_declaration(proof.record)
    in_file = None if names is None else len(names & own)
    in_repository = None if names is None else len(names & repository)
    return {
        "inFilePremises": None if in_file is None else in_file > 0,
        "numInFilePremises": in_file,
        "repositoryPremises": None if in_repository is None else in_repository > 0,
        "numRepositoryPremises": in_repository,
        "numPremises": None if names is None else len(names),
    }
