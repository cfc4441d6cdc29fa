"""Divides the theorems of a data set into the splits train, val, test and, if wanted, verifier.

Attempts at theorems whose proofs a policy was trained on say little about its mistakes on other theorems. So
verifiers may get their own split, of theorems on which no policy is trained.

    all             Every theorem is in the test split: what is wanted of a policy that was trained elsewhere.

The other kinds assign whole files to one split, since neighbouring theorems have similar proofs, and then
clean the evaluation splits val and test. The result is a pure function of the records and the options.

    random          Files are drawn at random.
    novel_premises  As in LeanDojo (Yang et al. 2023, section 4), every theorem of an evaluation split uses at
                    least one premise that no training proof uses. Files are drawn as for `random`, then
                    theorems without a novel premise are removed from the evaluation splits; they are not
                    added to the train split. The fractions are those before the removal.

Theorems that repeat a statement of the train or verifier split, or of an evaluation split, are removed from
the evaluation splits.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ntp.bounds import NonNegativeInt, Share
from ntp.data.dataset import Dataset
from ntp.data.drawing import draw_parts
from ntp.data.records import TheoremRecord
from ntp.errors import DataError
from ntp.jsonl import atomic_write, dump_record, load_record

# `random`, unless the task knows better.
AUTO = "auto"
ALL = "all"
KINDS = ("random", "novel_premises", ALL)


@dataclass(frozen=True, slots=True)
class Split:
    """The theorem ids of every split, in the order of the data set, and the options that led to them.

    Attributes:
        kind: One of `KINDS`, or the name of recorded splits.
        seed: Seed of the order in which files are drawn.
        val_fraction: Wanted share of theorems in the val split, before cleaning.
        test_fraction: Wanted share of theorems in the test split; not used if `test_files` is given.
        test_files: Globs of the files of the test split; empty to draw them.
        verifier_fraction: Wanted share of theorems in the verifier split.
        train: Ids of the train split.
        val: Ids of the val split.
        test: Ids of the test split.
        verifier: Ids of the verifier split; empty if verifiers are trained on the train split.
        num_duplicates: Number of theorems removed from the evaluation splits for a repeated statement.
        num_without_novel_premise: Number of theorems removed from them for lack of a novel premise.
        source_hash: SHA-256 of everything in the records that the splits depend on.
        content_hash: SHA-256 of all the fields above; checked on loading.
    """

    kind: str
    seed: NonNegativeInt
    val_fraction: Share
    test_fraction: Share
    test_files: tuple[str, ...]
    verifier_fraction: Share
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    verifier: tuple[str, ...]
    num_duplicates: int
    num_without_novel_premise: int
    source_hash: str
    content_hash: str = ""


@dataclass(frozen=True)
class SplitOptions:
    """How theorems are divided into the splits train, verifier, val and test.

    Attributes:
        kind: `random` by file, `novel_premises`, or `all` for every theorem in the test split; a benchmark
            has its own splits with the first two names, a list of statements has `given`. `auto` is `random`,
            and `all` for an evaluation on a project of one's own (`env.root`) on which nothing is trained.
        seed: Seed of the order in which files are drawn.
        val_fraction: Share of theorems in the val split.
        test_fraction: Share of theorems in the test split.
        test_files: Globs of the files of the test split, instead of a share.
        verifier_fraction: Share of theorems in the verifier split, on which only verifiers are trained; taken
            from the train split.
    """

    kind: str = AUTO
    seed: NonNegativeInt = 0
    val_fraction: Share = 0.05
    test_fraction: Share = 0.1
    test_files: list[str] = field(default_factory=list)
    verifier_fraction: Share = 0.0


def make_split(
    records: Iterable[TheoremRecord],
    kind: str = "random",
    seed: int = SplitOptions.seed,
    val_fraction: float = SplitOptions.val_fraction,
    test_fraction: float = SplitOptions.test_fraction,
    test_files: Sequence[str] = (),
    verifier_fraction: float = SplitOptions.verifier_fraction,
) -> Split:
    """Divide theorem records into splits.

    Args:
        records: The records, in the order of the data set.
        kind: One of `KINDS`.
        seed: Seed of the order in which files are drawn.
        val_fraction: Share of all theorems to put in the val split, as nearly as whole files allow.
        test_fraction: Share of all theorems to put in the test split.
        test_files: Globs of the files of the test split, instead of `test_fraction`.
        verifier_fraction: Share of all theorems to put in the verifier split.

    Raises:
        DataError: The kind is unknown, the fractions leave the train split empty, or a wanted split is empty.
    """
    records = list(records)
    _check_options(kind, val_fraction, test_fraction, verifier_fraction)
    if kind == ALL:
        return _all_in_test(records)
    by_file: dict[str, list[TheoremRecord]] = {}
    for record in records:
        by_file.setdefault(record.theorem.file, []).append(record)
    sizes = {file: len(group) for file, group in by_file.items()}
    parts = draw_parts(sizes, seed, val_fraction, test_fraction, verifier_fraction, test_files)
    test, val, verifier = ([r for r in records if r.theorem.file in part] for part in parts)
    train = [r for r in records if not any(r.theorem.file in part for part in parts)]
    num_not_novel = 0
    if kind == "novel_premises":
        known = {
            use.full_name for record in train + verifier for step in record.steps for use in step.premises
        }
        novel_val, novel_test = ([r for r in part if _premises(r) - known] for part in (val, test))
        num_not_novel = len(val) + len(test) - len(novel_val) - len(novel_test)
        val, test = novel_val, novel_test
    (kept_test, kept_val), num_duplicates = _without_duplicates(train + verifier, [test, val])
    split = Split(
        kind=kind,
        seed=seed,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        test_files=tuple(test_files),
        verifier_fraction=verifier_fraction,
        train=_ids(train),
        val=_ids(kept_val),
        test=_ids(kept_test),
        verifier=_ids(verifier),
        num_duplicates=num_duplicates,
        num_without_novel_premise=num_not_novel,
        source_hash=_source_hash(records),
    )
    _check_parts(split, len(records))
    return sealed(split)


def _all_in_test(records: Sequence[TheoremRecord]) -> Split:
    return sealed(
        Split(
            kind=ALL,
            seed=0,
            val_fraction=0.0,
            test_fraction=1.0,
            test_files=(),
            verifier_fraction=0.0,
            train=(),
            val=(),
            test=_ids(records),
            verifier=(),
            num_duplicates=0,
            num_without_novel_premise=0,
            source_hash=_source_hash(records),
        )
    )


def sealed(split: Split) -> Split:
    """A copy with the content hash."""
    return replace(split, content_hash=_content_hash(split))


def save_split(split: Split, path: Path) -> None:
    """Write splits to a file.

    Raises:
        DataError: The directory cannot be written.
    """
    with atomic_write(path) as stream:
        stream.write(dump_record(split) + "\n")


def load_split(path: Path) -> Split:
    """Read splits from a file.

    Raises:
        DataError: The file is missing, corrupt, or was edited.
    """
    split = load_record(path, Split)
    if split.content_hash != _content_hash(split):
        raise DataError(f"{path}: its content does not match its hash: delete it to make the split again")
    return split


def load_or_make_split(
    dataset: Dataset,
    kind: str,
    seed: int,
    val_fraction: float,
    test_fraction: float,
    test_files: Sequence[str] = (),
    verifier_fraction: float = SplitOptions.verifier_fraction,
) -> Split:
    """The splits of a data set, stored in its directory in a file for each combination of options.

    Raises:
        DataError: As for `make_split` and `load_split`, or the stored splits belong to other records.
    """
    options = json.dumps([kind, seed, val_fraction, test_fraction, list(test_files), verifier_fraction])
    name = hashlib.sha256(options.encode()).hexdigest()[:8]
    path = dataset.directory / "splits" / f"{kind}-{seed}-{name}.json"
    records = dataset.records.values()
    if not path.exists():
        split = make_split(records, kind, seed, val_fraction, test_fraction, test_files, verifier_fraction)
        save_split(split, path)
        return split
    split = load_split(path)
    if split.source_hash != _source_hash(records):
        raise DataError(f"{path}: made from other theorems: delete it to make the split again")
    return split


def statement_key(record: TheoremRecord) -> str:
    """The statement without keyword, name and spacing, which is equal for repeated statements.

    For a command that does not contain the statement (`Next Obligation.`) it is the first goal.
    """
    statement = record.theorem.statement
    name = record.theorem.id.partition("#")[0].rpartition(".")[2]
    found = re.search(rf"(?<![\w.']){re.escape(name)}(?![\w'])", statement)
    text = statement[found.end() :] if found else ""
    if not any(map(str.isalnum, text)) and record.steps:
        text = str(record.steps[0].before)
    return " ".join(text.split())


def _check_options(kind: str, *fractions: float) -> None:
    if kind not in KINDS:
        raise DataError(f"unknown split {kind!r}: choose one of {', '.join(KINDS)}")
    if min(fractions) < 0 or sum(fractions) >= 1:
        names = ("val_fraction", "test_fraction", "verifier_fraction")
        given = ", ".join(f"{name}={value}" for name, value in zip(names, fractions, strict=True))
        raise DataError(f"{given}: must be at least 0 and leave something to train on (a sum below 1)")


def _premises(record: TheoremRecord) -> set[str]:
    return {use.full_name for step in record.steps for use in step.premises}


def _without_duplicates(
    train: Sequence[TheoremRecord], parts: Sequence[Sequence[TheoremRecord]]
) -> tuple[list[list[TheoremRecord]], int]:
    seen = set(map(statement_key, train))
    kept: list[list[TheoremRecord]] = []
    for part in parts:
        kept.append([])
        for record in part:
            key = statement_key(record)
            if key not in seen:
                seen.add(key)
                kept[-1].append(record)
    return kept, sum(map(len, parts)) - sum(map(len, kept))


def _check_parts(split: Split, num_records: int) -> None:
    wanted = {
        "train": True,
        "val": split.val_fraction > 0,
        "test": split.test_fraction > 0 or bool(split.test_files),
        "verifier": split.verifier_fraction > 0,
    }
    for part, is_wanted in wanted.items():
        if is_wanted and not getattr(split, part):
            raise DataError(
                f"the {part} split of {num_records} theorems ({split.kind}) is empty: "
                "extract more files or change the fractions"
            )


def _ids(records: Iterable[TheoremRecord]) -> tuple[str, ...]:
    return tuple(record.theorem.id for record in records)


def _source_hash(records: Iterable[TheoremRecord]) -> str:
    digest = hashlib.sha256()
    for record in records:
        premises = sorted(_premises(record))
        line = [record.theorem.id, record.theorem.file, statement_key(record), premises]
        digest.update(json.dumps(line).encode() + b"\n")
    return digest.hexdigest()


def _content_hash(split: Split) -> str:
    fields = {name: value for name, value in asdict(split).items() if name != "content_hash"}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
