"""Write instruction and chat data: prompts and completions, from theorems whose splits do not leak."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ntp.bounds import NonNegativeInt, PositiveInt, Share
from ntp.data.dataset import Dataset
from ntp.data.duplicates import Member
from ntp.data.formats.chat import CHAT_KINDS, shown_by
from ntp.data.formats.prompts import KINDS, TEMPLATES, read_templates
from ntp.data.leak_free import PARTS, parts_by_date, parts_by_drawing, parts_of_split, without_leaks
from ntp.data.repositories import Collection
from ntp.data.splits import SplitOptions
from ntp.data.terms import TERMS
from ntp.data.workers import worker_pool
from ntp.errors import ConfigError, DataError
from ntp.jsonl import atomic_write
from ntp.tasks.data.examples import Job, load_tokens, make_examples, prepare
from ntp.tasks.data.export import creations
from ntp.tasks.needs import add_dataset
from ntp.tasks.selection import load_split
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task


@dataclass(frozen=True)
class InstructionOptions:
    """Which prompts are made, and what they show.

    Attributes:
        kinds: Kinds of docs/formats.md; empty for all ten and the three kinds of chat.
        project: Name in the metadata; null for the repository's.
        templates: A file in place of our wording.
        tokenizer: Directory or name of the tokenizer that counts the tokens of contexts; null for words and
            signs.
        max_context_tokens: Longest context in tokens; 0 for whole files.
        num_premises: Premises shown, the best by BM25 of those that the proof may use.
        num_proofs: Similar theorems shown with their proofs.
        max_definitions_tokens: Most tokens of definitions in a conversation; 0 for no limit.
        max_premises_tokens: The same for premises.
        max_proofs_tokens: The same for similar proofs.
        dev_fraction: Share of the training files' theorems in `dev`.
        test_fraction: The same for `test`.
        train_before: For a split by the date at which each theorem was created, from the histories of the
            repositories: the first day that is not for training, as 2024-01-01. Null for a split by files.
        test_from: The first day of the test part; null for the same day.
        seed: Seed of what is drawn.
        num_workers: Processes that write.
    """

    kinds: list[str] = field(default_factory=list)
    project: str | None = None
    templates: str | None = None
    tokenizer: str | None = None
    max_context_tokens: NonNegativeInt = 1024
    num_premises: PositiveInt = 10
    num_proofs: PositiveInt = 2
    max_definitions_tokens: NonNegativeInt = 256
    max_premises_tokens: NonNegativeInt = 512
    max_proofs_tokens: NonNegativeInt = 1024
    dev_fraction: Share = 0.025
    test_fraction: Share = 0.025
    train_before: str | None = None
    test_from: str | None = None
    seed: NonNegativeInt = 0
    num_workers: PositiveInt = 2


def run(context: Context) -> dict[str, float]:
    """Write `KIND_SPLIT.jsonl`, `stats.json` and `SPLIT_files.json`."""
    collection = Collection.load(context.inputs["dataset"])
    datasets = list(collection.datasets())
    parts, num_dropped = parts_of(context.cfg, datasets)
    jobs = list(_jobs(context, datasets, parts))
    if not jobs:
        raise DataError("the data set has no theorem to make examples of")
    counts = _write_all(jobs, context.directory, context.cfg.instructions.num_workers)
    context.write({"stats.json": json.dumps(counts, indent=2)})
    _write_files(context, datasets, parts)
    sizes = Counter(parts.values())
    return {
        **{f"num_{name}": number for name, number in counts.items()},
        **{f"{name}/num_theorems": sizes[name] for name in PARTS},
        "num_duplicates_dropped": num_dropped,
        "num_examples": sum(counts.values()),
    }


def parts_of(cfg: DictConfig, datasets: Sequence[tuple[str, Dataset]]) -> tuple[dict[str, str], int]:
    """The part of every theorem that is kept, by `repository:id`, and the number of dropped ones.

    Args:
        cfg: The config.
        datasets: Data sets by repository; a single one has an empty name.

    Raises:
        DataError: There is no such split.
    """
    options = cfg.instructions
    members = [
        Member(_key(name, record.theorem.id), record)
        for name, dataset in datasets
        for record in dataset.iter_theorems()
    ]
    if options.train_before is not None:
        dates = {
            _key(name, theorem_id): created.date
            for name, dataset in datasets
            for theorem_id, created in creations(cfg, name, dataset).theorems.items()
        }
        if not any(dates.values()):
            raise DataError(
                f"instructions.train_before={options.train_before}: no theorem has a date: the sources are "
                "in no git repository, or in one whose history cannot be read"
            )
        parts = parts_by_date(dates, options.train_before, options.test_from or options.train_before)
    elif len(datasets) == 1 and not datasets[0][0]:
        by_id = parts_of_split(load_split(cfg, datasets[0][1]))
        parts = {_key("", theorem_id): part for theorem_id, part in by_id.items()}
    else:
        split = OmegaConf.to_container(cfg.data.split, resolve=True)
        parts = parts_by_drawing(members, SplitOptions(**split))  # pyright: ignore[reportCallIssue]
    return without_leaks(members, parts, options.dev_fraction, options.test_fraction, options.seed)


def part_tokens(options: DictConfig) -> dict[str, int]:
    """Most tokens of each part of a conversation, from a config of `InstructionOptions`."""
    return {name: options[f"max_{name}_tokens"] for name in ("definitions", "premises", "proofs")}


def _key(name: str, theorem_id: str) -> str:
    return f"{name}:{theorem_id}"


def _jobs(context: Context, datasets: Sequence[tuple[str, Dataset]], parts: dict[str, str]) -> Iterator[Job]:
    options = context.cfg.instructions
    for name, dataset in datasets:
        splits = context.directory / "splits" / f"{name or 'project'}.json"
        own = {key.partition(":")[2]: part for key, part in parts.items() if key.partition(":")[0] == name}
        if not own:  # a library of plugins and notations, say
            continue
        with atomic_write(splits) as stream:
            json.dump(own, stream, ensure_ascii=False, indent=0)
        terms = (
            dataset.directory / TERMS if (dataset.directory / TERMS).is_dir() else context.inputs.get("terms")
        )
        yield Job(
            dataset=dataset.directory,
            terms=terms,
            splits=splits,
            project=name or options.project or dataset.origin.name or "project",
            kinds=tuple(_kinds(context.cfg)),
            templates=Path(options.templates) if options.templates else TEMPLATES,
            tokenizer=options.tokenizer,
            max_context_tokens=options.max_context_tokens,
            num_premises=options.num_premises,
            num_proofs=options.num_proofs,
            seed=options.seed,
            max_tokens=tuple(part_tokens(options).items()),
            cache=context.directory / "cache",
        )


def _write_all(jobs: Sequence[Job], directory: Path, num_workers: int) -> dict[str, int]:
    """Write the examples in the order of repositories and files, whichever worker is done first."""
    counts: Counter[str] = Counter()
    kinds = jobs[0].kinds
    files = [(job, file.path) for job in jobs for file in Dataset.load(job.dataset).files if not file.error]
    with (
        ProgressReporter("examples", len(files), "files") as progress,
        worker_pool(num_workers) as pool,
        ExitStack() as opened,
    ):
        streams = {
            (kind, part): opened.enter_context(atomic_write(directory / f"{kind}_{part}.jsonl"))
            for kind in kinds
            for part in PARTS
        }
        for job in jobs:
            prepare(job)
            futures = [pool.submit(make_examples, job, path) for of, path in files if of is job]
            _advance(futures, progress)
            for future in futures:
                for (kind, part), lines in future.result().items():
                    streams[kind, part].writelines(lines)
                    counts[kind] += len(lines)
    return {kind: counts[kind] for kind in kinds}


def _advance(futures: Sequence[Future[Any]], progress: ProgressReporter) -> None:
    for future in as_completed(futures):
        if future.exception() is not None:
            return
        progress.advance(1)


def _write_files(context: Context, datasets: Sequence[tuple[str, Dataset]], parts: dict[str, str]) -> None:
    """Write the files that each part's theorems are in."""
    found: dict[str, set[str]] = {part: set() for part in PARTS}
    for name, dataset in datasets:
        for record in dataset.iter_theorems():
            part = parts.get(_key(name, record.theorem.id))
            if part is not None:
                found[part].add(f"{name}/{record.theorem.file}" if name else record.theorem.file)
    context.write({f"{part}_files.json": json.dumps(sorted(of), indent=0) for part, of in found.items()})


def _kinds(cfg: DictConfig) -> list[str]:
    return list(cfg.instructions.kinds) or [*KINDS, *CHAT_KINDS]


def check(cfg: DictConfig) -> None:
    """Refuse kinds that there are not, templates that do not fit, and days that are none."""
    options = cfg.instructions
    days = [day for day in (options.train_before, options.test_from) if day is not None]
    for day in days:
        _require_day(day)
    if options.test_from is not None and (options.train_before is None or days != sorted(days)):
        raise ConfigError("instructions.test_from needs an instructions.train_before that is not after it")
    if any(kind not in (*KINDS, *CHAT_KINDS) for kind in options.kinds):
        raise ConfigError(
            f"instructions.kinds={list(options.kinds)}: choose some of {', '.join((*KINDS, *CHAT_KINDS))}"
        )
    if options.dev_fraction + options.test_fraction >= 1:
        raise ConfigError("instructions.dev_fraction and test_fraction leave nothing to train on")
    if options.templates is not None:
        read_templates(Path(options.templates))
    if options.tokenizer is not None:
        load_tokens(options.tokenizer)


def _require_day(text: str) -> None:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no day: give YYYY-MM-DD") from None


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    if needs.cfg.data.source == "coq" and any("definitions" in shown_by(kind) for kind in _kinds(needs.cfg)):
        needs.add("terms", ["+experiment=proof_terms"], export=needs.cfg.export)


def prompt_reads(cfg: DictConfig) -> dict[str, Any]:
    """What prompts depend on: everything but how many processes write them."""
    values = read(cfg, "instructions")
    values["instructions"].pop("num_workers", None)
    return values


def _reads(cfg: DictConfig) -> dict[str, Any]:
    return read(cfg, "data.split") | prompt_reads(cfg)


TASK = Task(name="instructions", run=run, reads=_reads, needs=_needs, check=check)
