"""Types of numeric options that say which values are allowed; `ntp.config.bounds` checks them.

A type checker reads them as plain numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, get_args


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval of finite numbers.

    Attributes:
        low: Least value.
        high: Greatest value.
        above: Whether the least value itself is excluded.
    """

    low: float
    high: float = math.inf
    above: bool = False

    def allow(self, value: float) -> bool:
        """Whether a number is in the interval."""
        inside = self.low < value if self.above else self.low <= value
        return inside and value <= self.high and math.isfinite(value)

    def __str__(self) -> str:
        """As in "at least 1"."""
        low = f"{'above' if self.above else 'at least'} {self.low:g}"
        return low if self.high == math.inf else f"{low} and at most {self.high:g}"


PositiveInt = Annotated[int, Bounds(1)]
NonNegativeInt = Annotated[int, Bounds(0)]
PositiveFloat = Annotated[float, Bounds(0, above=True)]
NonNegativeFloat = Annotated[float, Bounds(0)]
Share = Annotated[float, Bounds(0, 1)]

# By the name that a declaration is written with: the number's type, and its bounds.
NUMBERS: dict[str, tuple[type, Bounds]] = {
    name: get_args(alias)
    for name, alias in (
        ("PositiveInt", PositiveInt),
        ("NonNegativeInt", NonNegativeInt),
        ("PositiveFloat", PositiveFloat),
        ("NonNegativeFloat", NonNegativeFloat),
        ("Share", Share),
    )
}
