"""Which constants tactics and declarations use, joined from what tactics name and from proof terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ntp.data.records import PremiseRecord, TheoremRecord
from ntp.data.terms import DependencyRecord, TheoremTerms

# What a hammer gains nothing from: the logic that it has built in.
_BUILT_IN = frozenset(
    {
        "Coq.Init.Logic.eq", "Coq.Init.Logic.eq_refl", "Coq.Init.Logic.and", "Coq.Init.Logic.or",
        "Coq.Init.Logic.not", "Coq.Init.Logic.iff", "Coq.Init.Logic.True", "Coq.Init.Logic.False",
        "Coq.Init.Logic.I", "Coq.Init.Logic.conj", "Coq.Init.Logic.ex", "Coq.Init.Logic.ex_intro",
        "Coq.Init.Logic.or_introl", "Coq.Init.Logic.or_intror",
    }
)  # fmt: skip
# Keywords of declarations that are proofs, where no kernel has said so.
_PROOFS = frozenset(
    {
        "Lemma", "Theorem", "Corollary", "Proposition", "Remark", "Fact", "Property", "Example", "Axiom",
        "Axioms", "Conjecture", "Hypothesis", "Hypotheses", "theorem", "lemma", "axiom",
    }
)  # fmt: skip


@dataclass(frozen=True)
class StepUses:
    """What a tactic, or several, use. Tuples are in order of first occurrence.

    Attributes:
        term_premises: Proofs in the part of the proof term that it made; None if the term is unknown.
        constants: Constants named in its text.
        premises: Those of them that are proofs.
        hypotheses: Hypotheses named in its text that are proofs; None if unknown.
        hammer: What a hammer could be given in its place: what CoqHammer's predictor says, else the constants
            named in its text.
    """

    term_premises: tuple[str, ...] | None
    constants: tuple[str, ...]
    premises: tuple[str, ...]
    hypotheses: tuple[str, ...] | None
    hammer: tuple[str, ...]

    @property
    def all_premises(self) -> tuple[str, ...] | None:
        """The union of `term_premises` and `premises`."""
        if self.term_premises is None:
            return None
        return tuple(dict.fromkeys((*self.term_premises, *self.premises)))


def _hammer(named: Sequence[str], predictions: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(name for name in (named if predictions is None else predictions) if name not in _BUILT_IN)


def union(parts: Iterable[StepUses]) -> StepUses:
    """What several tactics use together; None where it is unknown of one."""

    def joined(column: Iterable[tuple[str, ...] | None]) -> tuple[str, ...] | None:
        found: dict[str, None] = {}
        for names in column:
            if names is None:
                return None
            found.update(dict.fromkeys(names))
        return tuple(found)

    parts = list(parts)
    return StepUses(
        term_premises=joined(part.term_premises for part in parts),
        constants=joined(part.constants for part in parts) or (),
        premises=joined(part.premises for part in parts) or (),
        hypotheses=joined(part.hypotheses for part in parts),
        hammer=joined(part.hammer for part in parts) or (),
    )


@dataclass
class Uses:
    """What is known of the constants of a data set.

    Args:
        premises: Its premises: their keywords tell proofs from definitions where the kernel has not.
        dependencies: The kernel's terms, if they were read.
        terms: The terms of tactics, if they were read.
    """

    premises: Iterable[PremiseRecord]
    dependencies: Iterable[DependencyRecord] = ()
    terms: Iterable[TheoremTerms] = ()
    by_name: Mapping[str, DependencyRecord] = field(init=False)
    _proofs: set[str] = field(init=False)
    _terms: dict[str, TheoremTerms] = field(init=False)

    def __post_init__(self) -> None:
        self.by_name = {record.full_name: record for record in self.dependencies}
        self._proofs = {p.full_name for p in self.premises if p.kind in _PROOFS}
        self._terms = {record.theorem_id: record for record in self.terms}

    def is_proof(self, full_name: str) -> bool:
        """Whether a constant is a proof: its type is a proposition."""
        known = self.by_name.get(full_name)
        return full_name in self._proofs if known is None else known.is_prop

    def of_steps(self, record: TheoremRecord) -> list[StepUses]:
        """What each tactic of a theorem uses."""
        terms = self._terms.get(record.theorem.id)
        uses = []
        for index, step in enumerate(record.steps):
            named = tuple(use.full_name for use in step.premises)
            term = None if terms is None else terms.steps[index]
            uses.append(
                StepUses(
                    term_premises=None if term is None else tuple(filter(self.is_proof, term.constants)),
                    constants=named,
                    premises=tuple(filter(self.is_proof, named)),
                    hypotheses=None if term is None else term.hypotheses,
                    hammer=_hammer(named, None if term is None else term.predictions),
                )
            )
        return uses

    def term_premises(self, record: TheoremRecord) -> tuple[str, ...] | None:
        """Proofs in the kernel's term of a theorem; None if it was not read."""
        known = self.by_name.get(record.theorem.id)
        return None if known is None or known.term is None else tuple(filter(self.is_proof, known.term))

    def of_declaration(self, record: TheoremRecord) -> set[str] | None:
        """Everything that a theorem's term, type and tactics name; None if no term was read."""
        known = self.by_name.get(record.theorem.id)
        if known is None or known.term is None:
            return None
        named = {use.full_name for step in record.steps for use in step.premises}
        return ({*known.term, *(known.type or ())} | named) - {record.theorem.id}
