"""What the kernel's terms of constants use: read from `Print` with everything printed.

The names in a term are looked up by Coq where only the constant's module is loaded. A constant that cannot be
printed (a section's local, a notation) has no record of what it uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed

from ntp.data.coq.modules import Library
from ntp.data.coq.premises import PremiseResolver, is_proof, proof_question
from ntp.data.coq.scopes import Scopes
from ntp.data.terms import DependencyRecord
from ntp.data.workers import worker_pool
from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.protocol import Failure
from ntp.envs.coq.term import PRINT_WHOLE, global_names
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.tracking.progress import ProgressReporter

_TOP = "ntp_dependencies"
_BATCH = 50
_TYPE = "\n     : "


def _names_of_type(printed: str) -> list[str]:
    # After a blank line follow remarks on arguments.
    _, typed, rest = printed.rpartition(_TYPE)
    return global_names(rest.partition("\n\n")[0]) if typed else []


def find_dependencies(
    project: CoqProject,
    library: Library,
    constants: Mapping[str, tuple[str, Sequence[str]]],
    num_workers: int,
    timeout_s: float = 60.0,
) -> list[DependencyRecord]:
    """Read the terms of constants, file by file in parallel.

    Args:
        project: A built project.
        library: Every module that may be named.
        constants: For each file, its logical name and the full names of its constants.
        num_workers: Processes, each with one Coq.
        timeout_s: Deadline for loading a module, and for every 50 terms.

    Returns:
        Records of the constants that can be printed and of all that they use, sorted by name.

    Raises:
        EnvError: Coq is missing, or a worker died.
    """
    found: dict[str, DependencyRecord] = {}
    with (
        ProgressReporter(
            "terms", sum(len(names) for _, names in constants.values()), "constants"
        ) as progress,
        worker_pool(num_workers) as pool,
    ):
        # The longest first, so that no worker is left alone with one at the end.
        order = sorted(constants, key=lambda file: (-len(constants[file][1]), file))
        futures = {
            pool.submit(file_dependencies, project, library, *constants[file], timeout_s): file
            for file in order
        }
        for future in as_completed(futures):
            for record in future.result():
                if record.term is not None or record.full_name not in found:
                    found[record.full_name] = record
            progress.advance(len(constants[futures[future]][1]), futures[future])
    return [found[name] for name in sorted(found)]


def file_dependencies(
    project: CoqProject, library: Library, module: str, names: Sequence[str], timeout_s: float
) -> list[DependencyRecord]:
    """Records of the constants of one module that can be printed, and of all that they use."""
    reader = _Reader(project, library, module, timeout_s)
    try:
        return list(reader.read(names))
    finally:
        reader.close()


class _Reader:
    """One Coq in which one module is loaded, started again when a term is too long to print."""

    def __init__(self, project: CoqProject, library: Library, module: str, timeout_s: float) -> None:
        self._project, self._library, self._module, self._timeout_s = project, library, module, timeout_s
        self._coq: CoqIdeTop | None = None
        self._is_prop: dict[str, bool] = {}
        self._full_names: dict[str, str] = {}

    def read(self, names: Sequence[str]) -> Iterator[DependencyRecord]:
        for begin in range(0, len(names), _BATCH):
            batch = names[begin : begin + _BATCH]
            printed = self._print(batch)
            used = {name: (global_names(text), _names_of_type(text)) for name, text in printed.items()}
            self._look_up([n for pair in used.values() for part in pair for n in part], batch)
            for name, (term, of_type) in used.items():
                if name in self._is_prop:
                    yield DependencyRecord(name, self._is_prop[name], self._full(term), self._full(of_type))
        yield from (DependencyRecord(name, is_prop) for name, is_prop in self._is_prop.items())

    def close(self) -> None:
        if self._coq is not None:
            self._coq.close()
            self._coq = None

    def _full(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._full_names[n] for n in names if n in self._full_names))

    def _print(self, names: Sequence[str]) -> dict[str, str]:
        """What Coq prints of each name; without those that it does not know or that are too long."""
        try:
            answers = self._started().query_all([f"Print {name}." for name in names], self._timeout_s)
        except (DeadlineExceededError, ProcessDiedError):
            self.close()
            if len(names) == 1:
                return {}
            middle = len(names) // 2
            return {**self._print(names[:middle]), **self._print(names[middle:])}
        return {
            name: "\n".join(answer)
            for name, answer in zip(names, answers, strict=True)
            if not isinstance(answer, Failure)
        }

    def _look_up(self, written: Sequence[str], own: Sequence[str]) -> None:
        """Find the full names of names as Coq prints them, and which of them are proofs."""
        coq = self._started()
        unknown = [name for name in dict.fromkeys(written) if name not in self._full_names]
        resolver = PremiseResolver(coq, self._library, Scopes(_TOP))
        uses = resolver.resolve(unknown, self._timeout_s)
        self._full_names.update((name, use.full_name) for name, use in uses.items())
        asked = [n for n in dict.fromkeys([*own, *map(self._full_names.get, written)]) if n]
        asked = [name for name in asked if name not in self._is_prop]
        answers = coq.query_all([proof_question(name) for name in asked], self._timeout_s) if asked else []
        for name, answer in zip(asked, answers, strict=True):
            known = is_proof(answer)
            if known is not None:
                self._is_prop[name] = known

    def _started(self) -> CoqIdeTop:
        if self._coq is None:
            self._coq = CoqIdeTop(self._project, f"{_TOP}.v")
            for sentence in (f"Require {self._module}.", *PRINT_WHOLE):
                self._coq.run(sentence, self._timeout_s)
        return self._coq
