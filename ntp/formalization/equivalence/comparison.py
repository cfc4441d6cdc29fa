"""The proofs behind a comparison: a reference and its candidates in one generated file, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ntp.bounds import PositiveFloat, PositiveInt
from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.proof import CoqProof
from ntp.formalization.equivalence import stages
from ntp.formalization.equivalence.outcome import Judgement
from ntp.formalization.equivalence.sources import FILE, SourceWriter, TextProject
from ntp.formalization.equivalence.stages import Stage
from ntp.formalization.equivalence.statement import definition
from ntp.sandbox.limits import Limits
from ntp.types import Rejected, Theorem, Timeout

REFERENCE = "ntp_reference"
NOTHING = "True"


@dataclass(frozen=True)
class EquivalenceOptions:
    """How long the equivalence of two statements is searched for.

    Attributes:
        statement_timeout_s: Whole seconds to state a candidate.
        stage_timeout_s: Whole seconds for one stage of one direction.
        budget_s: Seconds for one candidate: all stages of both directions.
        theory: Whether stages after the structural ones are tried: arithmetic, rewriting, automation.
    """

    statement_timeout_s: PositiveInt = 5
    stage_timeout_s: PositiveInt = 2
    budget_s: PositiveFloat = 30.0
    theory: bool = True


class Search(Protocol):
    """A last stage of another kind: a search with a policy, say."""

    def __call__(self, env: CoqEnv, theorem: Theorem) -> str | None:
        """A script that proves the theorem, or None."""
        ...


class Comparison:
    """One reference with its candidates, all of which type-check after the header; use `run` once.

    Args:
        project: Where the header finds what it imports.
        header: Coq text before the statements.
        terms: The reference and the candidates, guarded.
        theory: Preludes of the stages after the structural ones; empty for none of these.
        options: The budget.
        limits: Resource limits of the prover.
        is_allowed: Whether a proof may rest on an assumption.
        search: A last stage, if any.
    """

    def __init__(
        self,
        project: CoqProject,
        header: str,
        terms: Sequence[str],
        theory: Sequence[str],
        options: EquivalenceOptions,
        limits: Limits,
        is_allowed: Callable[[str], bool],
        search: Search | None = None,
    ) -> None:
        reference, *candidates = terms
        self._candidates = [f"ntp_candidate_{i}" for i in range(len(candidates))]
        self._has_theory, self._options, self._search = bool(theory), options, search
        writer = SourceWriter(header)
        writer.add(definition(REFERENCE, reference))
        for name, term in zip(self._candidates, candidates, strict=True):
            writer.add(definition(name, term))
        writer.add(stages.STRUCTURAL)
        self._structural = self._lemmas(writer, "ntp_structural")
        if theory:
            writer.add("\n".join([*theory, stages.SOLVERS]))
        self._theory = self._lemmas(writer, "ntp_theory") if theory else {}
        project = TextProject.with_texts(project, {FILE: writer.text})
        self._env = HeaderEnv(project, options.stage_timeout_s, limits, is_allowed)
        self._alone: dict[tuple[str, str], bool] = {}
        self._spent = dict.fromkeys(self._candidates, 0.0)

    def run(self) -> list[Judgement]:
        """One judgement for each candidate, in order.

        Raises:
            InitError: The file does not replay: the statements cannot stand together.
        """
        proved: dict[tuple[str, str], str] = {}
        # Structural stages of all candidates come first, since going back over imports needs a new process.
        self._try_all(proved, self._prove_by_structure)
        if self._has_theory:
            self._try_all(proved, self._prove_by_theory)
        if self._has_theory and self._search is not None:
            self._try_all(proved, self._prove_by_search)
        return [
            Judgement.of(
                proved.get((name, REFERENCE), ""),
                proved.get((REFERENCE, name), ""),
                exhausted=self._is_exhausted(name),
                seconds=self._spent[name],
            )
            for name in self._candidates
        ]

    def close(self) -> None:
        """End the process. Safe to call twice."""
        self._env.close()

    def _lemmas(self, writer: SourceWriter, prefix: str) -> dict[tuple[str, str], Theorem]:
        """Lemmas by what is given and what is wanted."""
        wanted = [(given, REFERENCE) for given in (*self._candidates, NOTHING)]
        wanted += [(given, name) for name in self._candidates for given in (REFERENCE, NOTHING)]
        return {
            pair: writer.lemma(f"{prefix}_{index}", f"{pair[0]} -> {pair[1]}")
            for index, pair in enumerate(wanted)
        }

    def _try_all(self, proved: dict[tuple[str, str], str], prove: Callable[[str, str], str]) -> None:
        for name in self._candidates:
            for pair in ((name, REFERENCE), (REFERENCE, name)):
                if pair in proved or self._is_exhausted(name):
                    continue
                started = time.monotonic()
                stage = prove(*pair)
                self._spent[name] += time.monotonic() - started
                if stage:
                    proved[pair] = stage

    def _is_exhausted(self, name: str) -> bool:
        return self._spent[name] > self._options.budget_s

    def _prove_by_structure(self, given: str, wanted: str) -> str:
        return self._first(self._structural, stages.STRUCTURAL_STAGES, given, wanted)

    def _prove_by_theory(self, given: str, wanted: str) -> str:
        if self._is_alone(wanted):
            return ""
        return self._first(self._theory, stages.THEORY_STAGES, given, wanted)

    def _prove_by_search(self, given: str, wanted: str) -> str:
        assert self._search is not None
        if self._is_alone(wanted):
            return ""
        script = self._search(self._env, self._theory[given, wanted])
        if script is None or self._search(self._env, self._theory[NOTHING, wanted]) is not None:
            return ""
        return self._first(self._theory, [Stage("search", script)], given, wanted)

    def _first(
        self,
        lemmas: dict[tuple[str, str], Theorem],
        tried: Iterable[Stage],
        given: str,
        wanted: str,
    ) -> str:
        """The first stage that proves the wanted statement from the given one, and not from nothing."""
        for stage in tried:
            if self._proves(lemmas[given, wanted], stage.script) and not self._proves(
                lemmas[NOTHING, wanted], stage.script
            ):
                return stage.name
        return ""

    def _is_alone(self, wanted: str) -> bool:
        """Whether a solver proves the statement from nothing, so that no theory stage can count for it."""
        lemma = self._theory[NOTHING, wanted]
        return any(self._proves(lemma, stage.script) for stage in stages.ALONE)

    def _proves(self, lemma: Theorem, script: str) -> bool:
        key = lemma.id, script
        if key not in self._alone:
            self._alone[key] = self._env.check_script(lemma, script).verdict.accepted
        return self._alone[key]


class HeaderEnv(CoqEnv):
    """Proofs that may rest on axioms of the header; generated lemmas have no proofs of their own."""

    def __init__(
        self, project: CoqProject, timeout_s: int, limits: Limits, is_allowed: Callable[[str], bool]
    ) -> None:
        super().__init__(project, timeout_s, limits)
        self._is_allowed = is_allowed

    def conclude(self, proof: CoqProof) -> frozenset[str] | Timeout | Rejected:
        """See `CoqEnv.conclude`."""
        assumptions = proof.conclude()
        if not isinstance(assumptions, frozenset):
            return assumptions
        extra = sorted(assumption for assumption in assumptions if not self._is_allowed(assumption))
        return (
            Rejected(f"rests on what the header does not have: {'; '.join(extra)}") if extra else assumptions
        )
