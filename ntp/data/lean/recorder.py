"""Elaborates one Lean file in the REPL and records its theorems, steps and premises."""

from __future__ import annotations

import bisect
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ntp.data.lean.constants import Constant, ask_lean
from ntp.data.lean.declarations import THEOREMS, Declaration, find_declarations, find_imports
from ntp.data.lean.lake import LakeProject
from ntp.data.lean.leandojo import module_name
from ntp.data.lean.left_out import LeftOut
from ntp.data.lean.steps import Place, StepRecorder
from ntp.data.records import FileRecord, PremiseRecord, TheoremRecord
from ntp.data.terms import DependencyRecord, StepTerms, TheoremTerms
from ntp.envs.lean.client import LeanServer
from ntp.envs.lean.positions import Lines
from ntp.envs.lean.project import LeanProject
from ntp.envs.lean.protocol import Position, Reply
from ntp.envs.lean.syntax import LeanSyntaxError
from ntp.errors import DataError, InitError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.sandbox.limits import Limits
from ntp.types import Span, Theorem

_MAX_ERROR = 500
_MAX_REQUESTS = 1 << 30


@dataclass(frozen=True, slots=True)
class Repl:
    """How a REPL is started for a file.

    Attributes:
        project: The project and the command.
        limits: Resource limits of the process.
        start_timeout_s: Seconds until it must answer at all.
        file_timeout_s: Seconds for all that is asked about one file.
    """

    project: LeanProject
    limits: Limits
    start_timeout_s: float
    file_timeout_s: float


@dataclass(frozen=True, slots=True)
class TheoremExtract:
    """A theorem and what its proof uses.

    Attributes:
        record: The theorem. The files of the premises in its steps are not known yet.
        terms: What each of its steps uses.
        dependency: What all of its tactics use.
    """

    record: TheoremRecord
    terms: TheoremTerms
    dependency: DependencyRecord


@dataclass(frozen=True, slots=True)
class FileExtract:
    """What one file gives.

    Attributes:
        file: The file; the rest is empty if it has an error.
        theorems: Its theorems, in order.
        premises: What it declares, in order.
        constants: What its tactics use, but for its own theorems, sorted by name.
        left_out: What is not recorded.
    """

    file: FileRecord
    theorems: tuple[TheoremExtract, ...] = ()
    premises: tuple[PremiseRecord, ...] = ()
    constants: tuple[Constant, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)


class _FileError(Exception):
    """The file cannot be recorded; the message begins with `line:column: `."""


def extract_file(sources: LakeProject, file: str, repl: Repl) -> FileExtract:
    """Elaborate a file in a REPL of its own and record it.

    A file that cannot be read, has an error, or ends or stops its REPL gets an error in its record.

    Args:
        sources: The project.
        file: The file, relative to the project.
        repl: How the REPL is started. It is not shared with other files, which a file could disturb.

    Raises:
        EnvError: The REPL is missing or does not work at all.
    """
    record = FileRecord(file, module_name(file), (), "", 0, 0)
    server = LeanServer(repl.project, repl.limits, repl.start_timeout_s, _MAX_REQUESTS)
    try:
        text = sources.read(file)
        imports = (sources.modules.get(name, name) for name in find_imports(text))
        record = replace(record, imports=tuple(imports), sha256=hashlib.sha256(text.encode()).hexdigest())
        declared = find_declarations(text)
        server.header("")  # a REPL that does not answer this is no fault of the file
        return _Recorder(server, record, text, declared, repl.file_timeout_s).extract()
    except _FileError as error:
        return FileExtract(replace(record, error=str(error)))
    except LeanSyntaxError as error:
        return FileExtract(replace(record, error=f"1:1: its tokens cannot be followed: {error}"))
    except DeadlineExceededError:
        message = f"not done within {repl.file_timeout_s / 60:g} minutes: raise data.file_minutes"
        return FileExtract(replace(record, error=f"1:1: {message}"))
    except (DataError, InitError, ProcessDiedError) as error:
        message = _one_line(str(error).removeprefix(f"{file}: "))
        return FileExtract(replace(record, error=f"1:1: {message}"))
    finally:
        server.stop()


class _Recorder:
    """Records one file."""

    def __init__(
        self,
        server: LeanServer,
        file: FileRecord,
        text: str,
        declared: Sequence[Declaration],
        timeout_s: float,
    ) -> None:
        self._server, self._file, self._text = server, file, text
        # Of a name that a file has twice (in notation that is not understood, say) the first counts.
        first: dict[str, Declaration] = {}
        for one in declared:
            first.setdefault(one.full_name, one)
        self._declared = list(first.values())
        self._lines = Lines(text)
        self._timeout_s, self._deadline = timeout_s, time.monotonic() + timeout_s
        self._left_out = LeftOut()

    def extract(self) -> FileExtract:
        """Elaborate and record the file."""
        reply = self._server.command(self._text, None, self._remaining_s(), all_tactics=True)
        self._require_accepted(reply)
        places = self._places(reply)
        with_sorry = self._with_sorry(reply)
        self._left_out.num_theorems_with_sorry = len(with_sorry)
        steps = StepRecorder(self._server, self._text, self._lines, self._remaining_s, self._left_out)
        theorems = tuple(
            self._theorem(theorem, places.get(number, ()), steps)
            for number, theorem in enumerate(self._declared)
            if theorem.kind in THEOREMS and number not in with_sorry
        )
        file = replace(self._file, num_sentences=len(reply.tactics), num_theorems=len(theorems))
        premises = tuple(map(self._premise, self._declared))
        return FileExtract(file, theorems, premises, self._constants(theorems, reply.env), self._left_out)

    def _remaining_s(self) -> float:
        """Seconds left for the file.

        Raises:
            DeadlineExceededError: None are.
        """
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceededError(f"not done within {self._timeout_s:g} s")
        return remaining

    def _require_accepted(self, reply: Reply) -> None:
        if reply.message:
            raise _FileError(f"1:1: {_one_line(reply.message)}")
        for message in reply.messages:
            if message.severity == "error":
                place = message.pos or Position(1, 0)
                raise _FileError(f"{place.line}:{place.column + 1}: {_one_line(message.data)}")

    def _places(self, reply: Reply) -> dict[int, list[Place]]:
        """The tactics in the proof of each theorem, by its number, in order of place, outer ones first."""
        found: dict[tuple[int, int], Place] = {}
        for tactic in reply.tactics:
            begin, end = self._offset(tactic.pos), self._offset(tactic.end_pos)
            if begin is None or end is None or begin >= end:
                continue
            self._left_out.num_tactics_repeated += (begin, end) in found
            found.setdefault((begin, end), Place(Span(begin, end), tactic))
        by_theorem: dict[int, list[Place]] = {}
        for place in sorted(found.values(), key=lambda place: (place.span.begin, -place.span.end)):
            number = self._around(place.span.begin)
            if number is not None and self._is_in_proof(place.span, self._declared[number]):
                by_theorem.setdefault(number, []).append(place)
            else:
                self._left_out.num_tactics_elsewhere += 1
        return by_theorem

    @staticmethod
    def _is_in_proof(span: Span, declared: Declaration) -> bool:
        proof = declared.proof
        return declared.kind in THEOREMS and proof.begin <= span.begin and span.end <= proof.end

    def _with_sorry(self, reply: Reply) -> set[int]:
        """Numbers of the theorems in which something is assumed."""
        places = [sorry.pos for sorry in reply.sorries]
        places += [message.pos for message in reply.messages if message.uses_sorry]
        offsets = (self._offset(place) for place in places if place is not None)
        numbers = {self._around(offset) for offset in offsets if offset is not None}
        return {n for n in numbers if n is not None and self._declared[n].kind in THEOREMS}

    def _around(self, offset: int) -> int | None:
        """Number of the declaration around an offset."""
        number = bisect.bisect_right(self._declared, offset, key=lambda d: d.span.begin) - 1
        return number if number >= 0 and offset < self._declared[number].span.end else None

    def _offset(self, place: Position) -> int | None:
        return self._lines.find(place.line, place.column + 1)

    def _theorem(self, declared: Declaration, places: Sequence[Place], steps: StepRecorder) -> TheoremExtract:
        name = declared.full_name
        span, proof = self._packed(declared.span), self._packed(declared.proof)
        theorem = Theorem(name, self._file.path, declared.statement(self._text), span, proof)
        recorded = [step for place in places if (step := steps.record(place)) is not None]
        record = TheoremRecord(
            theorem, "lean", self._file.module, declared.kind, "", tuple(step for step, _ in recorded)
        )
        self._left_out.num_theorems_without_tactics += not recorded
        self._left_out.num_proofs_not_closed += bool(recorded) and not record.closes
        terms = TheoremTerms(name, tuple(StepTerms(constants, None) for _, constants in recorded))
        used = sorted({c for place in places for c in place.constants} - {name})
        dependency = DependencyRecord(name, True, tuple(used) if places else None)
        return TheoremExtract(record, terms, dependency)

    def _premise(self, declared: Declaration) -> PremiseRecord:
        return PremiseRecord(
            declared.full_name,
            declared.kind,
            declared.statement(self._text),
            self._file.path,
            self._packed(declared.span),
        )

    def _packed(self, span: Span) -> Span:
        return Span(self._lines.pack(span.begin), self._lines.pack(span.end))

    def _constants(self, theorems: Sequence[TheoremExtract], env: int | None) -> tuple[Constant, ...]:
        own = {d.full_name for d in self._declared if d.kind in THEOREMS}
        used = {name for theorem in theorems for name in theorem.dependency.term or ()}

        def command(text: str) -> Reply:
            return self._server.command(text, env, self._remaining_s())

        return tuple(ask_lean(sorted(used - own), command))


def _one_line(message: str) -> str:
    return " ".join(message.split())[:_MAX_ERROR]
