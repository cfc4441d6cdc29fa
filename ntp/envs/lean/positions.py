"""Positions in Lean sources as single numbers.

`Span` holds offsets into a file. LeanDojo gives line and column without the files, so the spans of Lean
records hold packed positions instead: they are ordered like places in the file and can be unpacked again.
Where a file's text is known, `Lines` converts them to offsets.
"""

from __future__ import annotations

from bisect import bisect_right

_COLUMN_BITS = 16
MAX_COLUMN = 1 << _COLUMN_BITS


def pack_position(line: int, column: int) -> int:
    """A line and a column, both counted from 1, as one number; a column is at most `MAX_COLUMN`."""
    return ((line - 1) << _COLUMN_BITS) + (column - 1)


def unpack_position(offset: int) -> tuple[int, int]:
    """Line and column, both counted from 1, of a packed position."""
    line, column = divmod(offset, MAX_COLUMN)
    return line + 1, column + 1


class Lines:
    """The lines of a text, to convert between offsets and packed positions.

    Args:
        text: The whole text of a file. Only a line feed ends a line, as in Lean.
    """

    def __init__(self, text: str) -> None:
        self._begins = [0]
        while found := text.find("\n", self._begins[-1]) + 1:
            self._begins.append(found)
        self._length = len(text)

    def find(self, line: int, column: int) -> int | None:
        """The offset of a line and a column, both counted from 1; None if the text has no such place."""
        if 1 <= line <= len(self._begins):
            end = self._begins[line] if line < len(self._begins) else self._length + 1
            found = self._begins[line - 1] + column - 1
            if column >= 1 and found < end:
                return found
        return None

    def offset(self, packed: int) -> int:
        """The offset of a packed position.

        Raises:
            ValueError: The text has no such place.
        """
        line, column = unpack_position(packed)
        found = self.find(line, column)
        if found is None:
            raise ValueError(f"no line {line}, column {column}")
        return found

    def pack(self, offset: int) -> int:
        """The packed position of an offset; columns beyond `MAX_COLUMN` count as that."""
        line = bisect_right(self._begins, offset)
        return pack_position(line, min(offset - self._begins[line - 1] + 1, MAX_COLUMN))
