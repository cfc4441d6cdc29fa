"""Make a file of pairs: read published ones, or mine a library's documentation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.errors import ConfigError, DataError
from ntp.formalization.hub import read_hub
from ntp.formalization.mining.candidates import summary_of
from ntp.formalization.mining.library import Shares, mine_library, training_texts
from ntp.formalization.readers import Reading, read_pairs
from ntp.formalization.records import Pair, write_pairs
from ntp.jsonl import atomic_write
from ntp.tasks.extract import source_digest
from ntp.tasks.formalization.options import MINED, PAIRS_FILE, SPLITS, require_pairs
from ntp.workflow.context import Context
from ntp.workflow.digest import path_digest
from ntp.workflow.stage import read
from ntp.workflow.task import Task

# The text of the training part's files, as completions without a prompt.
TEXTS_FILE = "text_train.jsonl"
_TEXT_SIZE = 1200


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
    if not isinstance(factory, CoqEnvFactory):
        raise ConfigError("data.source=mined reads coqdoc: give env=coq")
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
        return (
            values
            | read(cfg, "seed", "env.root", "env.load_paths", "env.options")
            | {"content": source_digest(cfg)}
        )
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
