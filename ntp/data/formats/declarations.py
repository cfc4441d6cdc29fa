"""ntp-toolkit's outputs about declarations: Declarations and Premises."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ntp.data.coq.declarations import read_command
from ntp.data.coq.scopes import Scopes
from ntp.data.formats.signatures import read_signature
from ntp.data.formats.source_file import SourceFile, position_of
from ntp.data.formats.uses import Uses
from ntp.data.records import PremiseRecord, TheoremRecord
from ntp.envs.coq.syntax import CoqSyntaxError, sentences
from ntp.envs.coq.tokens import flatten

_DOC = re.compile(r"\(\*\*(?!\*)((?:(?!\(\*|\*\)).)*)\*\)\s*\Z", re.S)
_LEAN_DOC = re.compile(r"/--((?:(?!-/).)*)-/\s*\Z", re.S)
# Commands whose effect lasts to the end of the section, module or file in which they stand.
_IN_SCOPE = frozenset(
    {
        "Require", "From", "Import", "Export", "Open", "Section", "Module", "Variable", "Variables",
        "Hypothesis", "Hypotheses", "Context", "Set", "Unset", "Implicit", "Generalizable", "Universe",
        "Universes",
    }
)  # fmt: skip


def declarations(file: SourceFile, premises: Sequence[PremiseRecord], uses: Uses) -> Iterator[dict[str, Any]]:
    """A row for each declaration of a file, in order of position.

    The type is the one that the source gives; it is null where none is written.

    Args:
        file: The file, with its text.
        premises: What it declares, with offsets as spans.
        uses: Tells proofs from other constants.
    """
    text = file.text
    if text is None:
        return
    proofs = {record.theorem.declaration.begin: record.theorem.proof.end for record in file.theorems}
    scopes = _scopes(text, file.record.module) if file.prover == "coq" else []
    for premise in premises:
        if premise.span is None:
            continue
        begin = premise.span.begin
        line, column = position_of(text, begin)
        signature = read_signature(premise.statement, file.prover)
        is_prop = uses.is_proof(premise.full_name)
        doc = (_DOC if file.prover == "coq" else _LEAN_DOC).search(text, max(0, begin - 4000), begin)
        yield {
            "name": premise.full_name,
            "kind": premise.kind,
            "type": signature.type,
            "typeArgs": list(signature.arguments),
            "typeBody": signature.body,
            "doc": doc[1].strip() if doc else None,
            "signature": signature.text,
            "module": file.record.module,
            "line": line,
            "column": column,
            "isProp": is_prop,
            "isHumanTheorem": is_prop,
            "scope": _scope_at(scopes, begin),
            "src": text[begin : proofs.get(begin, premise.span.end)],
        }


def premises_used(
    file: SourceFile, premises: Sequence[PremiseRecord], uses: Uses
) -> Iterator[dict[str, Any]]:
    """A row for each declaration with what it depends on.

    A dependent is `direct` if the kernel has it in the term or the type, and `explicit` if a tactic or the
    statement names it; `direct` is null where no term was read.
    """
    named = {record.theorem.id: _named(record) for record in file.theorems}
    names = dict.fromkeys([p.full_name for p in premises] or named)
    for name in names:
        known = uses.by_name.get(name)
        has_term = known is not None and known.term is not None
        direct = dict.fromkeys((*known.term, *(known.type or ()))) if known and known.term is not None else {}
        direct.pop(name, None)
        explicit = named.get(name, {})
        if not (has_term or name in named):
            continue
        yield {
            "name": name,
            "dependents": [
                {
                    "name": other,
                    "explicit": other in explicit,
                    "direct": (other in direct) if has_term else None,
                }
                for other in dict.fromkeys((*direct, *explicit))
            ],
        }


def _named(record: TheoremRecord) -> dict[str, None]:
    return dict.fromkeys(use.full_name for step in record.steps for use in step.premises)


def _scopes(text: str, module: str) -> list[tuple[int, tuple[str, ...]]]:
    """For each place where it changes, the sentences that are in effect after it."""
    scopes, stack = Scopes(module), [list[str]()]
    changes: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    try:
        for sentence in sentences(text):
            command = read_command(sentence.text)
            if command.keyword not in _IN_SCOPE and command.keyword != "End":
                continue
            depth = len(scopes.open)
            scopes.follow(command)
            if len(scopes.open) > depth:
                stack.append([])
            if len(scopes.open) < depth:
                stack.pop()
            elif command.keyword != "End":
                stack[-1].append(flatten(sentence.text))
            changes.append((sentence.span.end, tuple(line for lines in stack for line in lines)))
    except CoqSyntaxError:
        pass
    return changes


def _scope_at(changes: Sequence[tuple[int, tuple[str, ...]]], offset: int) -> str:
    index = bisect.bisect_right(changes, offset, key=lambda change: change[0])
    return "\n".join(changes[index - 1][1]) if index else ""
