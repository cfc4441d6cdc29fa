"""Make a file of pairs: read published ones, or mine a library's documentation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ntp.data.lean.extract import project_of
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.lean.factory import LeanReplFactory
from ntp.envs.lean.syntax import LeanSyntaxError
from ntp.errors import ConfigError, DataError
from ntp.formalization.hub import read_hub
from ntp.formalization.mining.candidates import part_of_file, summary_of
from ntp.formalization.mining.docstrings import mine_text
from ntp.formalization.mining.library import Shares, distinct_pairs, mine_library, training_texts
from ntp.formalization.readers import Reading, read_pairs
from ntp.formalization.records import Pair, write_pairs
from ntp.formalization.typecheck.factory import make_checker
from ntp.jsonl import atomic_write
from ntp.tasks.extract import lean_repl, source_digest
from ntp.tasks.formalization.options import MINED, PAIRS_FILE, SPLITS, require_pairs
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.digest import path_digest
from ntp.workflow.stage import read
from ntp.workflow.task import Task

# The text of the training part's files, as completions without a prompt.
TEXTS_FILE = "text_train.jsonl"
_TEXT_SIZE = 1200
# What extraction allows a file of Lean.
_FILE_MINUTES = 30.0


def run(context: Context) -> dict[str, float]:
    """Write `pairs.jsonl`, and each part as prompts and completions without a template, in TRL's format.

    What is mined comes with the text of the training part's files.
    """
    cfg = context.cfg
    pairs, left_out = _mined(context) if cfg.data.source == MINED else (_given(cfg), Counter())
    _write_completions(context.directory, pairs)
    write_pairs(context.directory / PAIRS_FILE, pairs)
    sizes = Counter(pair.split for pair in pairs)
    return {
        "num_pairs": len(pairs),
        **{f"{split}/num_pairs": sizes[split] for split in SPLITS},
        **summary_of(left_out),
    }


def _given(cfg: DictConfig) -> list[Pair]:
    options = cfg.data
    columns = {str(name): str(value) for name, value in options.columns.items()}
    reading = Reading(options.prover, options.split, options.header, columns)
    path = Path(options.path)
    if path.suffix == ".jsonl":
        return read_pairs(path, reading)
    return read_hub(options.path, reading, options.config)


def _mined(context: Context) -> tuple[list[Pair], Counter[str]]:
    cfg = context.cfg
    factory = instantiate(cfg.env)
    if isinstance(factory, LeanReplFactory):
        return _mined_lean(cfg, factory)
    if not isinstance(factory, CoqEnvFactory):
        raise ConfigError("documentation is mined with env=coq or env=lean_repl")
    project, options = factory.project, cfg.data
    excluded = set(project.files(list(options.exclude)))
    files = [file for file in project.files(list(options.include)) if file not in excluded]
    if not files:
        raise DataError(f"no file of {project.root} matches {list(options.include)}")
    shares = Shares(cfg.seed, options.valid_fraction, options.test_fraction)
    texts = training_texts(project, files, shares, _TEXT_SIZE)
    _write_rows(context.directory / TEXTS_FILE, ({"prompt": "", "completion": text} for text in texts))
    return mine_library(
        project, context.directory, files, shares, factory.limits, options.num_extract_workers
    )


def _mined_lean(cfg: DictConfig, factory: LeanReplFactory) -> tuple[list[Pair], Counter[str]]:
    project, options = project_of(lean_repl(factory, _FILE_MINUTES)), cfg.data
    wanted = _matching(project.root, options.include) - _matching(project.root, options.exclude)
    files = [file for file in project.sources if file in wanted]
    pairs: list[Pair] = []
    left_out: Counter[str] = Counter()
    checker = make_checker(factory, 1)
    try:
        with ProgressReporter("documentation", len(files), "files") as progress:
            for file in files:
                split = part_of_file(file, cfg.seed, options.valid_fraction, options.test_fraction)
                try:
                    found, not_taken = mine_text(project.read(file), file, project.root.name, checker)
                except LeanSyntaxError:
                    found, not_taken = [], Counter(["file cannot be read"])
                pairs += [replace(pair, split=split) for pair in found]
                left_out += not_taken
                progress.advance(1)
    finally:
        checker.close()
    distinct = distinct_pairs(pairs)
    left_out["repeated"] += len(pairs) - len(distinct)
    if not distinct:
        raise DataError(f"{project.root}: no documented theorem in {len(files)} files")
    return distinct, left_out


def _matching(root: Path, patterns: Iterable[str]) -> set[str]:
    return {path.relative_to(root).as_posix() for pattern in patterns for path in root.glob(pattern)}


def _write_completions(directory: Path, pairs: Sequence[Pair]) -> None:
    for split in SPLITS:
        own = (pair for pair in pairs if pair.split == split)
        rows = ({"prompt": pair.informal, "completion": pair.formal} for pair in own)
        _write_rows(directory / f"{split}.jsonl", rows)


def _write_rows(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    with atomic_write(path) as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _reads(cfg: DictConfig) -> dict[str, Any]:
    values = read(cfg, "data")
    values["data"].pop("num_extract_workers", None)
    if cfg.data.source == MINED:
        factory = instantiate(cfg.env)
        if isinstance(factory, LeanReplFactory):
            project = project_of(lean_repl(factory, _FILE_MINUTES))
            content = {file: path_digest(project.root / file) for file in project.sources}
            return values | read(cfg, "seed", "env.project", "env.command") | {"content": content}
        keys = ("seed", "env.root", "env.load_paths", "env.options")
        return values | read(cfg, *keys) | {"content": source_digest(cfg)}
    path = Path(cfg.data.path)
    return values | ({"content": path_digest(path)} if path.exists() else {})


def _check(cfg: DictConfig) -> None:
    require_pairs(cfg)
    if cfg.data.source == MINED:
        if cfg.data.valid_fraction + cfg.data.test_fraction >= 1:
            raise ConfigError("data.valid_fraction and data.test_fraction leave nothing to train on")
    elif OmegaConf.is_missing(cfg.data, "path"):
        raise ConfigError(
            "data.path is missing: say where the pairs are, data.path=FILE or a name on the Hub"
        )


TASK = Task(name="formalization_pairs", run=run, reads=_reads, check=_check)
