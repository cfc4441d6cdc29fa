"""ntp-toolkit's outputs with an example for each proof: FullProof, and FullProofWithStates with comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ntp.data.formats.source_file import SourceFile
from ntp.data.formats.state_comments import comment_states


def full_proofs(file: SourceFile) -> Iterator[dict[str, Any]]:
    """A row for each theorem whose proof's text is known."""
    for proof in file.proofs():
        if proof.proof is not None:
            yield {
                "file": file.record.path,
                "module": file.record.module,
                "declName": proof.id,
                "decl": proof.decl,
                "proof": proof.proof,
                "srcUpToDecl": proof.src_up_to_decl,
            }


def full_proofs_with_states(file: SourceFile) -> Iterator[dict[str, Any]]:
    """The same rows, of the file with the state before each tactic as a comment."""
    return full_proofs(comment_states(file))
