"""Reduce proofs to minimal scripts, from which nothing can be dropped, in one spelling.

Raw counts of distinct proofs reward padding (`idtac; auto.`, or `symmetry. symmetry. auto.`) and spellings
(`(auto).`), so proofs are reduced before they are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ntp.envs.script import PlainSyntax, ScriptSyntax
from ntp.types import Theorem

Script = tuple[str, ...]
Candidate = tuple[Theorem, Script]
Accepts = Callable[[list[Candidate]], list[bool]]
# The components of each tactic, one or more.
Parts = tuple[Script, ...]

# Scripts with more components are first shortened by runs of at most _SHORT_RUN and by runs at either end.
_MAX_ALL_RUNS = 12
_SHORT_RUN = 3


def minimize(proofs: Sequence[Candidate], accepts: Accepts, syntax: ScriptSyntax) -> list[Script]:
    """Drop runs of consecutive components from accepted proofs until none can be dropped.

    The components are those of all tactics of a script in order: `intros; auto.` has two, and a tactic that
    loses all of its components is dropped. Runs and not only single components are tried, because padding
    that undoes itself can only be dropped as a whole. Each round keeps the shortest accepted remainder of
    every proof (on a tie, the one whose run starts first), so the result depends on `accepts` only. The
    remainders of all proofs are checked in one call per round, and no candidate is checked twice.

    Args:
        proofs: Accepted proofs.
        accepts: Whether the kernel accepts each candidate in a fresh replay.
        syntax: Spelling and components of tactics.

    Returns:
        For each proof, in order, an accepted script of a subsequence of its components, at least one, from
        which no run can be dropped (of scripts with more than 12 components: no run of at most 3, at the
        beginning, or at the end). Where the kernel refuses the canonical spelling, tactics stay as they are.
    """
    checked = _Checked(accepts)
    spelled = [
        (theorem, tuple(tuple(syntax.components(tactic)) for tactic in script)) for theorem, script in proofs
    ]
    changed = [
        (theorem, _text(parts, syntax))
        for (theorem, parts), (_, script) in zip(spelled, proofs, strict=True)
        if _text(parts, syntax) != script
    ]
    checked.check(changed)
    current: list[Parts] = []
    joins: list[ScriptSyntax] = []
    for (theorem, parts), (_, script) in zip(spelled, proofs, strict=True):
        text = _text(parts, syntax)
        is_same = text == script or checked.accepted(theorem, text)
        current.append(parts if is_same else tuple((tactic,) for tactic in script))
        joins.append(syntax if is_same else _AS_IT_IS)
    unfinished = set(range(len(proofs)))
    while unfinished:
        remainders = {
            i: [(parts, _text(parts, joins[i])) for parts in shorter_by_one_run(current[i])]
            for i in sorted(unfinished)
        }
        checked.check([(proofs[i][0], text) for i, found in remainders.items() for _, text in found])
        for i, found in remainders.items():
            reduced = next((p for p, text in found if checked.accepted(proofs[i][0], text)), None)
            if reduced is None:
                unfinished.remove(i)
            else:
                current[i] = reduced
    return [_text(parts, join) for parts, join in zip(current, joins, strict=True)]


def shorter_by_one_run(parts: Parts) -> list[Parts]:
    """The non-empty remainders of a script without one run of consecutive components, shortest first."""
    flat = [(index, component) for index, tactic in enumerate(parts) for component in tactic]
    length = len(flat)
    remainders = [
        _regrouped([*flat[:start], *flat[start + size :]])
        for size in range(length - 1, 0, -1)
        for start in range(length - size + 1)
        if length <= _MAX_ALL_RUNS or size <= _SHORT_RUN or start in (0, length - size)
    ]
    return list(dict.fromkeys(remainders))


class _Checked:
    """Verdicts on candidates, each asked for once."""

    def __init__(self, accepts: Accepts) -> None:
        self._accepts = accepts
        self._known: dict[tuple[str, Script], bool] = {}

    def check(self, candidates: Sequence[Candidate]) -> None:
        """Ask for those that are not known yet, in one call."""
        unknown = {
            (theorem.id, script): (theorem, script)
            for theorem, script in candidates
            if (theorem.id, script) not in self._known
        }
        if unknown:
            self._known.update(zip(unknown, self._accepts(list(unknown.values())), strict=True))

    def accepted(self, theorem: Theorem, script: Script) -> bool:
        """The verdict on a candidate that was checked."""
        return self._known[theorem.id, script]


class _Unchanged(PlainSyntax):
    """Tactics that are their only component, as they were written."""

    def components(self, tactic: str) -> list[str]:
        return [tactic]


_AS_IT_IS = _Unchanged()


def _regrouped(flat: Sequence[tuple[int, str]]) -> Parts:
    """Components with the number of their tactic, as tactics."""
    tactics: dict[int, list[str]] = {}
    for index, component in flat:
        tactics.setdefault(index, []).append(component)
    return tuple(map(tuple, tactics.values()))


def _text(parts: Parts, syntax: ScriptSyntax) -> Script:
    return tuple(syntax.join(tactic) for tactic in parts)
