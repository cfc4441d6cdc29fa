"""Reduce proofs to irredundant scripts, from which no tactic can be dropped.

Raw counts of distinct proofs reward padding (`idtac; auto.`, or `symmetry. symmetry. auto.`), so proofs are
reduced before they are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ntp.types import Theorem

Script = tuple[str, ...]
Candidate = tuple[Theorem, Script]


def minimize(proofs: Sequence[Candidate], accepts: Callable[[list[Candidate]], list[bool]]) -> list[Script]:
    """Drop runs of consecutive tactics from accepted proofs until none can be dropped.

    Runs and not only single tactics are tried, because padding that undoes itself can only be dropped as a
    whole. Each round keeps the shortest accepted remainder of every proof (on a tie, the one whose run starts
    first), so the result depends on `accepts` only. The remainders of all proofs are checked in one call per
    round, and no candidate is checked twice.

    Args:
        proofs: Accepted proofs.
        accepts: Whether the kernel accepts each candidate in a fresh replay.

    Returns:
        For each proof, in order, an accepted subsequence of at least one tactic, from which no run of tactics
        can be dropped.
    """
    current = [tuple(script) for _, script in proofs]
    known: dict[tuple[str, Script], bool] = {}
    unfinished = set(range(len(proofs)))
    while unfinished:
        remainders = {i: shorter_by_one_run(current[i]) for i in sorted(unfinished)}
        unknown = {
            (proofs[i][0].id, script): (proofs[i][0], script)
            for i, scripts in remainders.items()
            for script in scripts
            if (proofs[i][0].id, script) not in known
        }
        known.update(zip(unknown, accepts(list(unknown.values())) if unknown else [], strict=True))
        for i, scripts in remainders.items():
            reduced = next((script for script in scripts if known[proofs[i][0].id, script]), None)
            if reduced is None:
                unfinished.remove(i)
            else:
                current[i] = reduced
    return current


def shorter_by_one_run(script: Script) -> list[Script]:
    """The non-empty remainders of `script` without one run of consecutive tactics, shortest first."""
    length = len(script)
    remainders = [
        script[:start] + script[start + size :]
        for size in range(length - 1, 0, -1)
        for start in range(length - size + 1)
    ]
    return list(dict.fromkeys(remainders))
