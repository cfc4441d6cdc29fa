"""Places in Lean sources as single numbers, for tools that count lines and columns and give no source.

`Span` holds offsets into a file. LeanDojo says line and column and comes without the files, so the spans of
Lean's records hold packed positions: they compare as places in a file do, and say where to look.
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
