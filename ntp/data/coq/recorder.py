"""Records the theorems, tactics and premises of one Coq file while it replays."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ntp.data.coq.declarations import Command, read_command
from ntp.data.coq.declared_premises import premise_records
from ntp.data.coq.modules import Library, module_name
from ntp.data.coq.premises import PremiseResolver, printed_types
from ntp.data.coq.proofs import ReplayedProof, ReplayedTactic
from ntp.data.coq.replay import Replayed, ReplayError, closing_keyword, replay, tactic_text
from ntp.data.coq.scopes import Scopes
from ntp.data.records import DERIVED, FileRecord, PremiseRecord, TheoremRecord
from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.protocol import Goals
from ntp.envs.coq.syntax import CoqSyntaxError, Sentence, position_of, sentences
from ntp.errors import EnvError, InitError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError

_IDENTIFIER = re.compile(r"[^\W\d][\w']*")
_COMPLETE = ("Qed", "Defined", "Save")
_UNNAMED = {"Goal"}
_GOES_BACK = {"Undo", "Restart"}


@dataclass(frozen=True, slots=True)
class FileExtract:
    """Everything recorded from one file.

    Attributes:
        file: The file itself; when it has an error the rest is empty.
        theorems: In order of position.
        premises: Those in the source in order of position, then derived ones in order of first use.
    """

    file: FileRecord
    theorems: tuple[TheoremRecord, ...] = ()
    premises: tuple[PremiseRecord, ...] = ()


def extract_file(project: CoqProject, library: Library, file: str, timeout_s: float) -> FileExtract:
    """Replay a file and record it. A file that does not replay becomes a record with an error.

    Args:
        project: Where the file lies and how Coq is started for it.
        library: Every module that may be named.
        file: Path relative to the project's root.
        timeout_s: Deadline for every proof and every stretch between proofs, at most 200 sentences each.

    """
    module = module_name(project, file)
    try:
        source = project.read(file)
        _require_identifiers(module)
        top = CoqIdeTop(project, file)
    except (InitError, EnvError) as failed:
        return FileExtract(FileRecord(file, module, (), "", 0, 0, error=f"1:1: {failed}"))
    with top as coq:
        recorder = _Recorder(coq, library, Scopes(module), file, timeout_s)
        error = ""
        try:
            for stretch in replay(coq, list(sentences(source)), timeout_s):
                recorder.follow(stretch)
        except (CoqSyntaxError, ReplayError) as stop:
            line, column = position_of(source, stop.offset)
            error = f"{line}:{column}: {stop}"
    record = FileRecord(
        path=file,
        module=module,
        imports=tuple(dict.fromkeys(recorder.imports)),
        sha256=hashlib.sha256(source.encode()).hexdigest(),
        num_sentences=recorder.num_sentences,
        num_theorems=0 if error else len(recorder.theorems),
        error=error,
    )
    if error:
        return FileExtract(record)
    return FileExtract(record, tuple(recorder.theorems), tuple(recorder.premises()))


def _require_identifiers(module: str) -> None:
    for name in module.split("."):
        if not _IDENTIFIER.fullmatch(name):
            raise InitError(f"{name} is no name of a Coq module: rename the file or its folder")


class _Recorder:
    """Turns replayed stretches into records."""

    def __init__(self, coq: CoqIdeTop, library: Library, scopes: Scopes, file: str, timeout_s: float) -> None:
        self.imports: list[str] = []
        self.theorems: list[TheoremRecord] = []
        self.num_sentences = 0
        self._coq = coq
        self._library = library
        self._scopes = scopes
        self._file = file
        self._timeout_s = timeout_s
        self._resolver = PremiseResolver(coq, library, scopes)
        self._declared: dict[str, PremiseRecord] = {}
        self._derived: dict[str, PremiseRecord] = {}
        self._num_named: dict[str, int] = {}
        self._goals: Goals | None = None
        self._proof: ReplayedProof | None = None
        self._outer: list[ReplayedProof] = []

    def follow(self, stretch: Sequence[Replayed]) -> None:
        """Record a stretch; the process stands at its end.

        Raises:
            ReplayError: The process is lost while names are looked up.
        """
        for sentence, goals in stretch:
            before, self._goals = self._goals, goals
            if before is None or self._proof is None:
                self._outside(sentence, goals)
            else:
                self._inside(self._proof, sentence, before, goals)
        self.num_sentences += len(stretch)
        if self._proof is not None:
            try:
                self._look_up(self._proof)
            except (DeadlineExceededError, ProcessDiedError) as error:
                raise ReplayError(stretch[-1][0].span.begin, str(error)) from None

    def premises(self) -> Iterator[PremiseRecord]:
        """What the file adds to the premise corpus."""
        yield from sorted(self._declared.values(), key=lambda p: p.span.begin if p.span else 0)
        yield from (p for name, p in self._derived.items() if name not in self._declared)

    def _outside(self, sentence: Sentence, goals: Goals | None) -> None:
        command = read_command(sentence.text)
        self.imports += self._library.imports(command, self._scopes.module)
        premises = premise_records(sentence, command, self._scopes, self._file)
        if goals is None:
            self._scopes.follow(command)
            self._declare(command, premises)
        else:
            self._proof = ReplayedProof(sentence, command, premises)

    def _inside(self, proof: ReplayedProof, sentence: Sentence, before: Goals, goals: Goals | None) -> None:
        if goals is None or (self._outer and closing_keyword(sentence.text)):
            self._close(proof, sentence)
            self._proof = self._outer.pop() if self._outer else None
        elif tactic := tactic_text(sentence.text):
            if before.focused:
                proof.tactics.append(ReplayedTactic(tactic, sentence.span, before, goals))
        else:
            command = read_command(sentence.text)
            if command.keyword in _GOES_BACK:
                proof.go_back_to(goals)
            elif command.states_lemma:
                self._outer.append(proof)
                self._outside(sentence, goals)

    def _declare(self, command: Command, premises: Sequence[PremiseRecord]) -> None:
        self._declared.update((premise.full_name, premise) for premise in premises)
        self._resolver.forget(command, [premise.full_name.rpartition(".")[2] for premise in premises])

    def _look_up(self, proof: ReplayedProof) -> None:
        """Ask for the proof's name and its premises, from inside it."""
        _, name = self._coq.status(self._timeout_s)
        proof.name = name or ""
        names = [name for tactic in proof.tactics for name in tactic.names]
        proof.uses = self._resolver.resolve(names, self._timeout_s)
        derived = {
            use.full_name: name
            for name, use in proof.uses.items()
            if use.file == self._file and use.full_name not in self._declared | self._derived
        }
        types = printed_types(self._coq, list(derived.values()), self._timeout_s)
        for full_name, statement in zip(derived, types, strict=True):
            self._derived[full_name] = PremiseRecord(full_name, DERIVED, statement, self._file, None)

    def _close(self, proof: ReplayedProof, sentence: Sentence) -> None:
        closing = closing_keyword(sentence.text)
        full_name = self._scopes.full_name(proof.name)
        if closing != "Abort":
            self._declare(proof.command, proof.declares or self._proved(proof, full_name))
        # A proof inside another cannot be posed: Coq knows no state with the inner one alone.
        if closing in _COMPLETE and proof.tactics and not self._outer:
            self.theorems.append(
                proof.record(self._unique(full_name), self._file, self._scopes.module, sentence)
            )

    def _proved(self, proof: ReplayedProof, full_name: str) -> list[PremiseRecord]:
        """The constant of a statement whose text does not name it, as an obligation's."""
        local = proof.command.keyword == "Let" and self._scopes.in_section
        if local or proof.command.keyword in _UNNAMED or not proof.name:
            return []
        return [PremiseRecord(full_name, proof.kind, proof.opening.text, self._file, proof.opening.span)]

    def _unique(self, full_name: str) -> str:
        # Only what is local to a section, or unnamed, can occur twice.
        count = self._num_named[full_name] = self._num_named.get(full_name, 0) + 1
        return full_name if count == 1 else f"{full_name}#{count}"
