"""Replay the rest of library files with candidates in place of their statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from hydra.utils import instantiate
from omegaconf import MISSING, DictConfig, OmegaConf
from rich.console import Console

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.errors import ConfigError, DataError, InitError
from ntp.evaluation.table import markdown_table
from ntp.formalization.equivalence.successor import SuccessorTest
from ntp.jsonl import read_jsonl, write_jsonl
from ntp.tasks.needs import prover_reads
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.digest import path_digest
from ntp.workflow.task import Task

TESTED = "tested.jsonl"
_FILES = "files"

DEFINITIONS = (
    "users: later proofs of the file that check with the library's own statement and fail with `True` in its "
    "place; kept: those that check with the candidate, which is admitted. A candidate that cannot be stated "
    "keeps none. A candidate that says more than the statement, even something false, keeps all."
)


@dataclass(frozen=True)
class SuccessorDataOptions:
    """Candidates for statements of a library.

    Attributes:
        path: A JSON Lines file; each line has the `file` of the project, the `name` of a theorem in it, and
            the `candidate`.
        source: Where data comes from.
    """

    path: str = MISSING
    source: str = "successors"


class Replacement(msgspec.Struct, frozen=True):
    """A line: `file` relative to the project's root, `name` of the theorem, and the `candidate`."""

    file: str
    name: str
    candidate: str


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of one line.

    Attributes:
        file: As given.
        name: As given.
        candidate: As given.
        users: Later proofs that use the theorem.
        broken: Those that fail with the candidate.
        reason: Why it cannot be stated; empty if it can.
        error: Why there was no test, in one line: the file does not replay, or has no such theorem.
    """

    file: str
    name: str
    candidate: str
    users: tuple[str, ...]
    broken: tuple[str, ...]
    reason: str = ""
    error: str = ""


def run(context: Context) -> dict[str, float]:
    """Test every candidate, and write `tested.jsonl`; what is done of a file is kept at once."""
    rows = read_replacements(Path(context.cfg.data.path))
    factory = instantiate(context.cfg.env)
    by_file: dict[str, list[Replacement]] = {}
    for row in rows:
        by_file.setdefault(row.file, []).append(row)
    found: list[Tested] = []
    with ProgressReporter("successors", len(rows), "candidates") as progress:
        for file, group in by_file.items():
            key = blake2b(file.encode(), digest_size=8).hexdigest()
            path = context.directory / _FILES / f"{key}.jsonl"
            if not path.exists():
                write_jsonl(path, _test_file(factory, file, group, progress))
            else:
                progress.advance(len(group))
            found += read_jsonl(path, Tested)
    write_jsonl(context.directory / TESTED, found)
    text = report(context.cfg.name, found)
    context.write({"report.md": text})
    Console().print(text, highlight=False, soft_wrap=True)
    return summarise(found)


def read_replacements(path: Path) -> list[Replacement]:
    """Read the lines of a file.

    Raises:
        DataError: The file is missing or empty, or a line is not a replacement.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): set data.path to a file") from None
    rows: list[Replacement] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                rows.append(msgspec.json.decode(line, type=Replacement))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise DataError(f"{path}:{number}: not a replacement: {error}") from None
    if not rows:
        raise DataError(f"{path}: holds no replacement")
    return rows


def summarise(found: Sequence[Tested]) -> dict[str, float]:
    """Counts, and the share of users kept over all candidates whose theorem has users."""
    tested = [result for result in found if result.users]
    num_users = sum(len(result.users) for result in tested)
    num_broken = sum(len(result.broken) for result in tested)
    summary: dict[str, float] = {
        "num_candidates": len(found),
        "num_with_users": len(tested),
        "num_ill_typed": sum(bool(result.reason) for result in found),
        "num_error": sum(bool(result.error) for result in found),
        "num_users": num_users,
        "num_all_kept": sum(not result.broken for result in tested),
    }
    return summary | ({"share_kept": 1 - num_broken / num_users} if num_users else {})


def report(title: str, found: Sequence[Tested]) -> str:
    """Title, definitions and a line for each candidate."""
    header = ["theorem", "candidate", "users", "kept", "note"]
    rows = [
        [
            f"{result.file}: {result.name}",
            result.candidate.replace("|", "\\|"),
            str(len(result.users)),
            str(len(result.users) - len(result.broken)),
            (result.error or result.reason).replace("|", "\\|"),
        ]
        for result in found
    ]
    numbers = "\n".join(f"- {name}: {value:.4g}" for name, value in summarise(found).items())
    return f"# {title}\n\n{DEFINITIONS}\n\n{markdown_table(header, rows)}\n\n{numbers}\n"


def _test_file(
    factory: CoqEnvFactory, file: str, group: Sequence[Replacement], progress: ProgressReporter
) -> list[Tested]:
    try:
        test = SuccessorTest(factory.project, file, factory.limits)
    except InitError as error:
        progress.advance(len(group))
        return [Tested(file, row.name, row.candidate, (), (), error=str(error)) for row in group]
    found: list[Tested] = []
    try:
        for row in group:
            found.append(_test(test, row))
            progress.advance(1)
    finally:
        test.close()
    return found


def _test(test: SuccessorTest, row: Replacement) -> Tested:
    try:
        result = test.test(row.name, row.candidate)
    except InitError as error:
        return Tested(row.file, row.name, row.candidate, (), (), error=str(error))
    return Tested(row.file, row.name, row.candidate, result.users, result.broken, result.reason)


def _reads(cfg: DictConfig) -> dict[str, Any]:
    return {**prover_reads(cfg), "content": path_digest(Path(cfg.data.path))}


def _check(cfg: DictConfig) -> None:
    if cfg.data.get("source") != "successors" or OmegaConf.is_missing(cfg.data, "path"):
        raise ConfigError("the successor test reads candidates of a file: data=successors data.path=FILE")
    if not Path(cfg.data.path).is_file():
        raise ConfigError(f"data.path={cfg.data.path} is no file, seen from {Path.cwd()}")
    if not isinstance(instantiate(cfg.env), CoqEnvFactory):
        raise ConfigError("the successor test replays files of a Coq project: env=coq")


TASK = Task(name="successor", run=run, reads=_reads, check=_check)
