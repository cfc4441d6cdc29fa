"""Candidates for pairs: what a comment has to be like, and how files are divided."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ntp.formalization.records import TEST, TRAIN, VALID
from ntp.seeding import derive_seed

MIN_WORDS, MAX_CHARACTERS = 3, 1000
_WORD = re.compile(r"[A-Za-z]{2,}")
# What a comment is that says something of a group of statements, of the file, or to the tools.
_OTHER_USE = re.compile(
    r"(?:printing\b|begin\s|end\s|TODO|FIXME|XXX|NB\b|Remark on\b|See also\b)"
    r"|(?:Compat|Deprecated|Same as\b|Idem\b)",
    re.IGNORECASE,
)
_OF_GROUP = re.compile(
    r"(?:the |some |basic |other |more |further |main |useful |specific |additional |derived )*"
    r"(?:properties|lemmas|theorems|results|facts|specifications?|definitions|rules|variants)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A comment and the statement after it.

    Attributes:
        name: The statement's own name.
        file: Its file.
        line: The line that it begins in.
        informal: The comment's text.
        formal: The statement without its proof.
        header: What it needs before it.
    """

    name: str
    file: str
    line: int
    informal: str
    formal: str
    header: str


def why_left_out(informal: str) -> str:
    """Why a comment is not taken for the meaning of the statement after it; empty if it is."""
    if _OTHER_USE.match(informal):
        return "a note"
    if _OF_GROUP.match(informal):
        return "of a group"
    if len(informal) > MAX_CHARACTERS:
        return "too long"
    if len(_WORD.findall(informal)) < MIN_WORDS:
        return "too short"
    return ""


def part_of_file(file: str, seed: int, valid: float, test: float) -> str:
    """The part that all pairs of a file are in: a function of the seed and its path.

    Args:
        file: The path.
        seed: The seed.
        valid: Share of files in the validation part.
        test: Share of files in the test part.
    """
    place = derive_seed(seed, "formalization", file) / 2**63
    return TEST if place < test else VALID if place < test + valid else TRAIN


def summary_of(counts: Mapping[str, int]) -> dict[str, float]:
    """Counts as metrics, `left_out/REASON`."""
    return {f"left_out/{reason.replace(' ', '_')}": number for reason, number in sorted(counts.items())}
