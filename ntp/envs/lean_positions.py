"""Positions of Lean's data as integers: LeanDojo gives lines and columns, a `Span` holds offsets."""

from __future__ import annotations

_LINE = 1 << 16


def pack_position(line: int, column: int) -> int:
    """A 1-based line and column as one integer; greater means later in the file."""
    return (line - 1) * _LINE + (column - 1)


def unpack_position(offset: int) -> tuple[int, int]:
    """The 1-based line and column of a packed position."""
    line, column = divmod(offset, _LINE)
    return line + 1, column + 1
