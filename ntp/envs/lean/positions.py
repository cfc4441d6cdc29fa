"""Positions in Lean sources as single numbers, for data that gives lines and columns but no sources.

`Span` holds offsets into a file. LeanDojo gives line and column without the files, so the spans of Lean
records hold packed positions instead: they are ordered like places in the file and can be unpacked again.
"""

from __future__ import annotations

_COLUMN_BITS = 16
MAX_COLUMN = 1 << _COLUMN_BITS


def pack_position(line: int, column: int) -> int:
    """A line and a column, both counted from 1, as one number; a column is at most `MAX_COLUMN`."""
    return ((line - 1) << _COLUMN_BITS) + (column - 1)


def unpack_position(offset: int) -> tuple[int, int]:
    """Line and column, both counted from 1, of a packed position."""
    line, column = divmod(offset, MAX_COLUMN)
    return line + 1, column + 1
