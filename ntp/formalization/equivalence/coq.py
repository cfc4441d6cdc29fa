"""Equivalence of Coq statements: each is proved from the other, and the kernel checks the proofs."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ntp.envs.coq.project import CoqProject
from ntp.errors import InitError
from ntp.formalization.equivalence import stages
from ntp.formalization.equivalence.comparison import Comparison, EquivalenceOptions, Search
from ntp.formalization.equivalence.elaboration import Elaborator
from ntp.formalization.equivalence.outcome import Judgement, Outcome
from ntp.formalization.equivalence.statement import read_statement
from ntp.formalization.typecheck.coq import named_here
from ntp.sandbox.limits import Limits
from ntp.types import Rejected

_REALS = "Check Coq.Reals.Rdefinitions.R."


class CoqEquivalence:
    """Compares Coq statements; holds a prover with the last header loaded.

    Args:
        project: Where headers find what they import.
        options: The budget.
        limits: Resource limits of the provers.
        search: A last stage, if any.
    """

    def __init__(
        self,
        project: CoqProject,
        options: EquivalenceOptions | None = None,
        limits: Limits | None = None,
        search: Search | None = None,
    ) -> None:
        self._project, self._options = project, options or EquivalenceOptions()
        self._limits, self._search = limits or Limits(), search
        self._elaborator = Elaborator(project, self._limits, self._options.statement_timeout_s)

    def judge(self, header: str, reference: str, candidates: Sequence[str]) -> list[Judgement]:
        """Compare candidates with a reference.

        Args:
            header: Coq text before the statements, trusted: imports, scopes, definitions, sections.
            reference: The statement as a term or a declaration.
            candidates: Statements that a model wrote, hostile.

        Raises:
            InitError: The header does not replay, or the reference cannot be stated after it.
            EnvError: Coq is missing or cannot start.
        """
        header = named_here(self._project, header)
        term = read_statement(reference)
        if isinstance(term, Rejected):
            raise InitError(f"the reference is no statement: {term.reason}")
        stated = self._elaborator.state(header, term)
        if stated.reason:
            raise InitError(f"the reference cannot be stated: {stated.reason}")
        judged: list[Judgement | str] = [self._read(header, candidate) for candidate in candidates]
        terms = list(dict.fromkeys(found for found in judged if isinstance(found, str)))
        settled = dict(zip(terms, self._compare(header, term, terms), strict=True))
        return [found if isinstance(found, Judgement) else settled[found] for found in judged]

    def close(self) -> None:
        """End the processes. Safe to call twice."""
        self._elaborator.close()

    def _compare(self, header: str, reference: str, terms: Sequence[str]) -> list[Judgement]:
        if not terms:
            return []
        comparison = Comparison(
            self._project,
            header,
            [reference, *terms],
            self._theory(header),
            self._options,
            self._limits,
            lambda assumption: self._elaborator.is_axiom(header, assumption),
            self._search,
        )
        try:
            return comparison.run()
        except InitError as error:
            if len(terms) == 1:
                reason = f"it cannot be stated beside the reference: {error}"
                return [Judgement(Outcome.ILL_TYPED, reason=reason)]
        finally:
            comparison.close()
        # One of several candidates may be what the others cannot stand beside.
        return [judged for term in terms for judged in self._compare(header, reference, [term])]

    def _theory(self, header: str) -> list[str]:
        """Preludes of the stages after the structural ones, as far as they are installed and wanted."""
        if not self._options.theory:
            return []
        has_reals = self._elaborator.has(header, _REALS)
        has_hammer = self._elaborator.has_library(header, "Hammer.Tactics.Tactics")
        return [stages.THEORY, *([stages.REALS] * has_reals), *([stages.HAMMER] * has_hammer)]

    def _read(self, header: str, candidate: str) -> Judgement | str:
        """The term of a candidate, or why there is nothing to compare."""
        started = time.monotonic()
        term = read_statement(candidate)
        if isinstance(term, Rejected):
            return Judgement(Outcome.ILL_TYPED, reason=term.reason)
        stated = self._elaborator.state(header, term)
        if not stated.reason:
            return term
        outcome = Outcome.TIMEOUT if stated.exhausted else Outcome.ILL_TYPED
        return Judgement(outcome, reason=stated.reason, seconds=time.monotonic() - started)
