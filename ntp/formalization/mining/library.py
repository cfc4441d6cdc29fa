"""Mines the pairs of a Coq library: candidates whose statement type-checks, by file, resumable."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ntp.data.coq.modules import module_name
from ntp.data.file_shards import SHARDS, is_complete, make_shards, prepare
from ntp.data.records import FileRecord
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.syntax import CoqSyntaxError, sentences
from ntp.errors import DataError, InitError
from ntp.formalization.declarations import COQ
from ntp.formalization.mining.candidates import Candidate, part_of_file
from ntp.formalization.mining.coqdoc import find_candidates
from ntp.formalization.records import TRAIN, Pair
from ntp.formalization.terms import parse_statement
from ntp.formalization.typecheck.coq import CoqStatementChecker
from ntp.jsonl import load_record
from ntp.sandbox.limits import Limits

# Increase this with every change of what is mined, so that older shards are not reused.
MINER_VERSION = 1


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many documented statements a file has that are no pairs, and why."""

    reason: str
    number: int


@dataclass(frozen=True, slots=True)
class MinedFile:
    """What a file gives.

    Attributes:
        file: The file; an error says why nothing was read.
        pairs: Its pairs, all of the part `train` so far.
        left_out: What it has besides.
    """

    file: FileRecord
    pairs: tuple[Pair, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """How files are divided into parts.

    Attributes:
        seed: Seed of the division.
        valid: Share of the validation part.
        test: Share of the test part.
    """

    seed: int
    valid: float
    test: float


def mine_library(
    project: CoqProject,
    directory: Path,
    files: Sequence[str],
    shares: Shares,
    limits: Limits | None = None,
    num_workers: int = 1,
) -> tuple[list[Pair], Counter[str]]:
    """The pairs of a library, and how many documented statements are left out, by reason.

    Every file's pairs are stored as soon as they are checked; a second run reads them.

    Args:
        project: A built project.
        directory: Where files' pairs are stored.
        files: The files, relative to the project's root.
        shares: How they are divided.
        limits: Resource limits of each prover.
        num_workers: Processes, each with one prover.

    Raises:
        DataError: No file gives a pair, or the directory cannot be written.
        EnvError: Coq is missing, or a worker died.
    """
    prepare(directory / SHARDS)
    shards = {file: directory / SHARDS / f"{_key(project, file)}.json" for file in files}
    missing = {file: shard for file, shard in shards.items() if not is_complete(shard, MinedFile)}
    mine = functools.partial(mine_file, project, limits or Limits())
    make_shards("documentation", project.path, missing, mine, num_workers, "theorems")
    mined = [load_record(shards[file], MinedFile) for file in files]
    left_out: Counter[str] = Counter()
    for of_file in mined:
        left_out.update({one.reason: one.number for one in of_file.left_out})
        left_out.update(["file cannot be read"] if of_file.file.error else [])
    pairs = [
        replace(pair, split=part_of_file(of_file.file.path, shares.seed, shares.valid, shares.test))
        for of_file in mined
        for pair in of_file.pairs
    ]
    distinct = distinct_pairs(pairs)
    left_out["repeated"] += len(pairs) - len(distinct)
    if not distinct:
        raise DataError(f"{project.root}: no documented statement in {len(files)} files")
    return distinct, left_out


def training_texts(project: CoqProject, files: Sequence[str], shares: Shares, size: int) -> Iterator[str]:
    """The texts of the files of the training part, comments included, in pieces of whole sentences.

    What a model learns from them before it sees a pair: no text of a held-out file is among them.

    Args:
        project: The sources.
        files: Relative to its root; those that cannot be read are left out.
        shares: How they are divided.
        size: About the characters of a piece.
    """
    for file in files:
        if part_of_file(file, shares.seed, shares.valid, shares.test) != TRAIN:
            continue
        try:
            source = project.read(file)
            ends = [sentence.span.end for sentence in sentences(source)]
        except (InitError, CoqSyntaxError):
            continue
        begin = 0
        for end, following in itertools.pairwise([*ends, len(source) + size]):
            if following - begin > size:
                yield source[begin:end].strip()
                begin = end


def mine_file(project: CoqProject, limits: Limits, file: str) -> MinedFile:
    """The pairs of one file: candidates that Coq accepts where their header puts them."""
    module = module_name(project, file)
    record = FileRecord(file, module, (), "", 0, 0)
    try:
        candidates, left_out = find_candidates(project, file)
    except (InitError, CoqSyntaxError) as error:
        return MinedFile(replace(record, error=str(error)), (), ())
    pairs: list[Pair] = []
    checker = CoqStatementChecker(project, limits)
    try:
        for candidate in candidates:
            verdict = checker.check(candidate.header, candidate.formal)
            if verdict.well_typed:
                pairs.append(_pair(candidate, module))
            else:
                left_out[f"statement {verdict.outcome}"] += 1
    finally:
        checker.close()
    counted = tuple(LeftOut(reason, number) for reason, number in sorted(left_out.items()))
    return MinedFile(replace(record, num_theorems=len(pairs)), tuple(pairs), counted)


def _pair(candidate: Candidate, module: str) -> Pair:
    return Pair(
        id=f"{module}.{candidate.name}:{candidate.line}",
        informal=candidate.informal,
        formal=candidate.formal,
        header=candidate.header,
        prover=COQ,
        split=TRAIN,
        source=module.partition(".")[0],
        topic=module.rpartition(".")[0] or module,
    )


def distinct_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs without those whose comment or statement, up to bound names, an earlier one has."""
    informals: set[str] = set()
    formals: set[object] = set()
    found: list[Pair] = []
    for pair in pairs:
        tree = parse_statement(pair.formal)
        if pair.informal not in informals and tree not in formals:
            found.append(pair)
            informals.add(pair.informal)
            formals.add(tree)
    return found


def _key(project: CoqProject, file: str) -> str:
    source = hashlib.sha256(project.path(file).read_bytes()).hexdigest()
    paths = [[path.flag, path.directory, path.name] for path in project.load_paths]
    content = json.dumps([MINER_VERSION, project.prover.version, paths, project.options, file, source])
    return hashlib.sha256(content.encode()).hexdigest()[:32]
