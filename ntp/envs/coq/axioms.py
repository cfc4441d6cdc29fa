"""What a proof rests on, as `Print Assumptions` says it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_CLOSED = "Closed under the global context"
# Below an axiom that proves a contradiction: where it was used, which is no assumption.
_USE = "used in "
# Blocks that are no assumption: a section's variables are part of the statement.
_CONTEXT_BLOCKS = frozenset({"Section Variables:"})
_HEADERS = _CONTEXT_BLOCKS | {"Axioms:", "Opaque constants:", "Transparent constants:", "Theory:"}


class UnreadableAssumptionsError(ValueError):
    """The answer is not what `Print Assumptions` prints."""


def parse_assumptions(messages: Sequence[str]) -> frozenset[str]:
    """The assumptions of a constant, one string each with blanks collapsed.

    An axiom reads `name : type`; a switched-off check reads `name is assumed to be guarded.` and the like.

    Raises:
        UnreadableAssumptionsError: Nothing was printed, or something else was.
    """
    if len(messages) != 1:
        raise UnreadableAssumptionsError(f"Print Assumptions gave {len(messages)} messages")
    text = messages[0].strip()
    if text == _CLOSED:
        return frozenset()
    lines = text.splitlines()
    if not lines or lines[0] not in _HEADERS:
        raise UnreadableAssumptionsError(f"Print Assumptions gave {text[:200]!r}")
    return frozenset(
        entry
        for header, entry in _entries(lines)
        if header not in _CONTEXT_BLOCKS and not entry.startswith(_USE)
    )


def axiom_name(assumption: str) -> str:
    """The name that an assumption begins with."""
    return assumption.split(" ", 1)[0]


def _entries(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(header of the block, entry) pairs; a line that begins with a blank or a colon continues the last."""
    header, entry = "", ""
    for line in lines:
        if not line or line[0] in " :":
            entry = f"{entry} {line.strip()}"
            continue
        if entry:
            yield header, entry
        header, entry = (line, "") if line in _HEADERS else (header, line)
    if entry:
        yield header, entry
