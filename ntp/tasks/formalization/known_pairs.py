"""Make pairs of statements whose relation is known: what equivalence is measured on."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.errors import ConfigError, DataError, InitError
from ntp.formalization.equivalence.variants import (
    DIFFERENT_LABEL,
    EQUIVALENT_LABEL,
    UNKNOWN_LABEL,
    KnownPair,
    VariantMaker,
    VariantOptions,
)
from ntp.jsonl import read_jsonl, write_jsonl
from ntp.tasks.needs import prover_reads
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.stage import read
from ntp.workflow.task import Task

_log = logging.getLogger(__name__)

PAIRS = "pairs.jsonl"
_FILES = "files"


@dataclass(frozen=True)
class KnownPairsOptions:
    """Which pairs with a known relation are made.

    Attributes:
        library: Logical name of the library's root.
        variants: Which theorems and changes.
    """

    library: str = "Coq"
    variants: VariantOptions = field(default_factory=VariantOptions)


def run(context: Context) -> dict[str, float]:
    """Write `pairs.jsonl`; the pairs of a file are kept as soon as they are made.

    A file whose module cannot be imported alone has no pairs, and is counted.
    """
    cfg = context.cfg
    factory = instantiate(cfg.env)
    options = VariantOptions(**cfg.known_pairs.variants)
    maker = VariantMaker(factory.project, cfg.known_pairs.library, options, factory.limits, cfg.seed)
    files = maker.files()
    if not files:
        raise DataError(f"known_pairs.variants.files={list(options.files)}: the library has no such file")
    paths = {file: context.directory / _FILES / f"{file.replace('/', '.')}.jsonl" for file in files}
    missing = [file for file in files if not paths[file].exists()]
    num_failed = 0
    num_before = len(files) - len(missing)
    with ProgressReporter("known pairs", len(files), "files", num_before=num_before) as progress:
        for file in missing:
            try:
                write_jsonl(paths[file], maker.pairs(file))
            except InitError as error:
                num_failed += 1
                _log.warning("%s: no pairs: %s", file, error)
            progress.advance(1)
    pairs = [pair for path in paths.values() if path.exists() for pair in read_jsonl(path, KnownPair)]
    if not pairs:
        raise DataError("no theorem of these files could be changed")
    write_jsonl(context.directory / PAIRS, pairs)
    counts = Counter(pair.label for pair in pairs)
    summary = {f"num_{label}": counts[label] for label in (EQUIVALENT_LABEL, DIFFERENT_LABEL, UNKNOWN_LABEL)}
    kinds = Counter(f"{pair.label}/{pair.kind}" for pair in pairs)
    return {**summary, "num_failed_files": num_failed, **{f"kinds/{k}": n for k, n in sorted(kinds.items())}}


def _reads(cfg: DictConfig) -> dict[str, Any]:
    return {**read(cfg, "known_pairs", "seed"), **prover_reads(cfg)}


def _check(cfg: DictConfig) -> None:
    if not isinstance(instantiate(cfg.env), CoqEnvFactory):
        raise ConfigError("known pairs are made from a Coq library: env=coq")


TASK = Task(name="known_pairs", run=run, reads=_reads, check=_check)
