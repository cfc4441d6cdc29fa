"""Reads a LeanDojo Benchmark as records (`ntp.data.records`), one theorem at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ntp.data.lean.corpus import Corpus
from ntp.data.lean.format import (
    CORPUS,
    Provenance,
    TheoremPlace,
    TracedTactic,
    TracedTheorem,
    decode,
    packed_span,
    read_bytes,
)
from ntp.data.records import FileRecord, PremiseRecord, PremiseUse, StepRecord, TheoremRecord
from ntp.envs.lean.goals import parse_goals
from ntp.errors import DataError
from ntp.types import Goal, Span, Theorem

KINDS = ("random", "novel_premises")
SPLITS = ("train", "val", "test")
NOWHERE = Span(0, 0)

# leanproject stores the dependencies of a Lean 3 project, including the core library, in this folder.
_LEAN3_PATH = b'"_target/'

Repository = tuple[str, str]

_Key = tuple[str, tuple[int, int], str]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A theorem that has been found but not decoded."""

    id: str
    key: _Key
    content: msgspec.Raw
    where: str


@dataclass
class LeanDojoBenchmark:
    """A benchmark. Theorems are stored as JSON and decoded one after the other.

    A theorem's statement is its code in the corpus; it is empty without a corpus. Its declaration includes
    the proof, since the benchmark does not record where a statement ends; its proof is the empty span after
    that.

    Attributes:
        corpus: Premises and imports; None without `corpus.jsonl`.
        prover: `lean`, or `lean3`, for which there is no environment.
        repositories: URL and commit of the repository of each file that has theorems.
        parts: For each kind of splits, the ids in each split, in the order of the data set.
        num_repeated_theorems: How often a theorem occurs again in the same split.
        num_steps_without_goal: Number of tactics recorded in a state without goals, which are dropped; known
            when `theorems` has ended.
    """

    corpus: Corpus | None
    prover: str
    repositories: dict[str, Repository]
    parts: dict[str, dict[str, tuple[str, ...]]]
    num_repeated_theorems: int
    _theorems: list[_Stored]
    num_steps_without_goal: int = 0

    @staticmethod
    def read(directory: Path) -> LeanDojoBenchmark:
        """Read a benchmark's folder.

        Raises:
            DataError: A file is missing, damaged or inconsistent.
        """
        kinds = [kind for kind in KINDS if (directory / kind).is_dir()]
        if not kinds:
            raise DataError(f"{directory}: no LeanDojo Benchmark here: it has no folder {' or '.join(KINDS)}")
        corpus = Corpus.read(directory / CORPUS) if (directory / CORPUS).exists() else None
        found = _Found()
        for kind in kinds:
            for part in SPLITS:
                found.read_part(directory / kind / f"{part}.json", kind, part)
        theorems = found.stored()
        parts = {
            kind: {
                part: tuple(t.id for t in theorems if found.part_of[kind].get(t.key) == part)
                for part in SPLITS
            }
            for kind in kinds
        }
        paths = () if corpus is None else corpus.files
        is_lean3 = found.is_lean3 or any(path.startswith("_target/") for path in paths)
        prover = "lean3" if is_lean3 else "lean"
        return LeanDojoBenchmark(corpus, prover, found.repositories, parts, found.num_repeated, theorems)

    def __len__(self) -> int:
        return len(self._theorems)

    def theorems(self) -> Iterator[TheoremRecord]:
        """Theorem records in order of file and position.

        Raises:
            DataError: A theorem is damaged, or a position in it is outside its file.
        """
        self.num_steps_without_goal = 0
        decoder = msgspec.json.Decoder(TracedTheorem)
        for stored in self._theorems:
            yield self._record(stored, decode(stored.content, decoder, stored.where))

    def premises(self) -> Iterator[PremiseRecord]:
        """Premise records in order of file and position; none without a corpus.

        Raises:
            DataError: A position is outside its file.
        """
        return iter(()) if self.corpus is None else self.corpus.premises()

    def files(self) -> Iterator[FileRecord]:
        """File records, sorted by path. Without a corpus: only files with theorems, with unknown imports."""
        num_theorems = Counter(stored.key[0] for stored in self._theorems)
        known = {} if self.corpus is None else self.corpus.files
        ((main, _),) = Counter(self.repositories.values()).most_common(1) or [(("", ""), 0)]
        for path in sorted({*num_theorems, *known}):
            imports = known[path].imports if path in known else ()
            url, commit = self.repositories.get(path, main)
            yield FileRecord(path, module_name(path), imports, "", 0, num_theorems[path], "", url, commit)

    def _record(self, stored: _Stored, traced: TracedTheorem) -> TheoremRecord:
        path, name = traced.file_path, traced.full_name
        span = packed_span(traced.start, traced.end, f"{stored.where} ({name})")
        statement = "" if self.corpus is None else self.corpus.statement(path, name)
        theorem = Theorem(stored.id, path, statement, span, Span(span.end, span.end))
        parsed: dict[str, tuple[Goal, ...]] = {}
        steps = [self._step(tactic, parsed, stored.where) for tactic in traced.traced_tactics]
        kept = tuple(step for step in steps if step is not None)
        self.num_steps_without_goal += len(steps) - len(kept)
        return TheoremRecord(theorem, self.prover, module_name(path), "theorem", "", kept)

    def _step(
        self, traced: TracedTactic, parsed: dict[str, tuple[Goal, ...]], where: str
    ) -> StepRecord | None:
        # Most states are equal to the state after the previous tactic, so each is parsed and stored once.
        for state in (traced.state_before, traced.state_after):
            if state not in parsed:
                parsed[state] = parse_goals(state)
        before, after = parsed[traced.state_before], parsed[traced.state_after]
        if not before:
            return None
        uses = [self._use(use, where) for use in traced.annotated_tactic[1]]
        return StepRecord(
            tactic=traced.tactic.strip(),
            span=NOWHERE,
            before=before[0],
            num_other_goals=len(before) - 1,
            after=after[0] if after else None,
            num_goals_after=len(after),
            premises=tuple(dict.fromkeys(uses)),
            other_goals=tuple(map(str, before[1:])),
        )

    def _use(self, use: Provenance, where: str) -> PremiseUse:
        if use.def_pos is not None:
            end = use.def_end_pos or use.def_pos
            packed_span(use.def_pos, end, f"{where}: premise {use.full_name} in {use.def_path}")
        located = None if self.corpus is None else self.corpus.locate(use)
        return located or PremiseUse(use.full_name, use.def_path)


def module_name(path: str) -> str:
    """The name of the module in a file of a Lean project or of one of its packages.

    `.lake/packages/batteries/Batteries/Logic.lean` is `Batteries.Logic`, and `src/data/nat.lean` is
    `data.nat`.
    """
    parts = path.removesuffix(".lean").split("/")
    for root in ((".lake", "packages"), ("lake-packages",), ("_target", "deps")):
        if tuple(parts[: len(root)]) == root:
            parts = parts[len(root) + 1 :]
    for root in (("src", "lean"), ("library",), ("src",)):
        if tuple(parts[: len(root)]) == root:
            parts = parts[len(root) :]
            break
    return ".".join(parts)


class _Found:
    """Theorems collected from the files of the splits."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.part_of: dict[str, dict[_Key, str]] = {}
        self.num_repeated = 0
        self.is_lean3 = False
        self._contents: dict[_Key, tuple[msgspec.Raw, str]] = {}
        self._raws = msgspec.json.Decoder(list[msgspec.Raw])
        self._places = msgspec.json.Decoder(TheoremPlace)

    def read_part(self, path: Path, kind: str, part: str) -> None:
        """Add one file.

        Raises:
            DataError: The file is missing or damaged, or contains a theorem that is also in another split.
        """
        content = read_bytes(path)
        self.is_lean3 = self.is_lean3 or _LEAN3_PATH in content
        parts = self.part_of.setdefault(kind, {})
        for number, raw in enumerate(decode(content, self._raws, str(path)), start=1):
            where = f"{path}: theorem {number}"
            place = decode(raw, self._places, where)
            key = (place.file_path, place.start, place.full_name)
            if parts.get(key, part) != part:
                raise DataError(f"{where}: {place.full_name} of {key[0]} is also in {parts[key]}")
            self.num_repeated += key in parts
            parts[key] = part
            repository = (place.url, place.commit)
            if self.repositories.setdefault(place.file_path, repository) != repository:
                raise DataError(f"{where}: {place.file_path} comes from two versions of a repository")
            # Both kinds of splits contain the same theorems, which are stored once.
            self._contents.setdefault(key, (raw, where))

    def stored(self) -> list[_Stored]:
        """All theorems in order of file and position; the ids of repeated names end in a number."""
        num_named: Counter[str] = Counter()
        stored = []
        for key in sorted(self._contents):
            name = key[2]
            num_named[name] += 1
            unique = name if num_named[name] == 1 else f"{name}#{num_named[name]}"
            stored.append(_Stored(unique, key, *self._contents[key]))
        return stored
