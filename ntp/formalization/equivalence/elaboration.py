"""Type-checks Coq statements after a header, in a process that loads the header and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from ntp.envs.coq.document import CoqDocument
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.proof import UnreadableAssumptionsError, axiom_name, one_line, parse_assumptions
from ntp.envs.coq.protocol import Failure
from ntp.errors import InitError
from ntp.formalization.equivalence.sources import FILE, TextProject
from ntp.formalization.equivalence.statement import definition
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.sandbox.limits import Limits

_NAME = "ntp_stated"
_GRACE_S = 1.0
_QUERY_TIMEOUT_S = 30.0
_TIMED_OUT = "Timeout!"
_OUT_OF_MEMORY = "Out of memory."


@dataclass(frozen=True, slots=True)
class Stated:
    """Whether a statement type-checks.

    Attributes:
        reason: Why it does not, in one line; empty if it does.
        exhausted: Whether that is because it ran out of time or memory.
    """

    reason: str = ""
    exhausted: bool = False


class Elaborator:
    """One prover with one header loaded; another header replaces it.

    Args:
        project: Where the header's imports are found.
        limits: Resource limits of the prover.
        timeout_s: Whole seconds for one statement.
    """

    def __init__(self, project: CoqProject, limits: Limits, timeout_s: int) -> None:
        self._project, self._limits, self._timeout_s = project, limits, timeout_s
        self._header: str | None = None
        self._document: CoqDocument | None = None

    def state(self, header: str, term: str) -> Stated:
        """Define a guarded term as a proposition, and forget it again.

        Raises:
            InitError: The header does not replay, or leaves a proof open.
            EnvError: Coq cannot start.
        """
        document = self._load(header)
        top, before = document.top, document.top.tip
        command = f"Timeout {self._timeout_s} {definition(_NAME, term)}"
        try:
            result = top.run(command, self._timeout_s + _GRACE_S)
        except (DeadlineExceededError, ProcessDiedError) as error:
            document.stop()
            return Stated(str(error), exhausted=True)
        if isinstance(result, Failure):
            exhausted = result.message in (_TIMED_OUT, _OUT_OF_MEMORY)
            if result.message == _OUT_OF_MEMORY:
                document.stop()
            return Stated(one_line(result), exhausted)
        top.edit_at(before)
        return Stated() if result is None else Stated("it needs a proof to be stated")

    def has(self, header: str, command: str) -> bool:
        """Whether a query succeeds after the header."""
        return not isinstance(self._load(header).top.query(command, _QUERY_TIMEOUT_S), Failure)

    def has_library(self, header: str, name: str) -> bool:
        """Whether a compiled library can be loaded; it is not."""
        said = self._load(header).top.query(f"Locate Library {name}.", _QUERY_TIMEOUT_S)
        return not isinstance(said, Failure)

    def is_axiom(self, header: str, assumption: str) -> bool:
        """Whether what a proof assumes is an axiom that the header declares or imports."""
        name = axiom_name(assumption)
        printed = self._load(header).top.query(f"Print Assumptions {name}.", _QUERY_TIMEOUT_S)
        if isinstance(printed, Failure):
            return False
        try:
            return name in map(axiom_name, parse_assumptions(printed))
        except UnreadableAssumptionsError:
            return False

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._document is not None:
            self._document.stop()
        self._header = self._document = None

    def _load(self, header: str) -> CoqDocument:
        if self._document is None or self._header != header:
            self.close()
            project = TextProject.with_texts(self._project, {FILE: header})
            self._document, self._header = CoqDocument(project, FILE, self._limits), header
        self._document.seek(len(header))
        _, proof = self._document.top.status(_QUERY_TIMEOUT_S)
        if proof is not None:
            raise InitError(f"the header leaves the proof of {proof} open")
        return self._document
