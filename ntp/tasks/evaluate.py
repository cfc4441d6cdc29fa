"""Evaluate policies on held-out theorems, next to tactics that need no policy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from ntp.bounds import PositiveFloat, PositiveInt
from ntp.data.dataset import Dataset
from ntp.data.records import TheoremRecord
from ntp.data.splits import ALL, AUTO
from ntp.envs.pool import EnvPool
from ntp.envs.script import syntax_of
from ntp.errors import ConfigError, EnvError
from ntp.evaluation.arms import arm_name, require_arms
from ntp.evaluation.assess import assess
from ntp.evaluation.costs import ESTIMATE
from ntp.evaluation.proof_log import ProofLog, flat_log
from ntp.evaluation.report import build_report, headline, log_sections, markdown, page, summary_metrics
from ntp.evaluation.results import TheoremOutcome, TheoremResult
from ntp.jsonl import read_jsonl, write_jsonl
from ntp.tasks.builders import priority_weights
from ntp.tasks.data.instructions import prompt_reads
from ntp.tasks.data.prompts import needs_terms, require_kind
from ntp.tasks.methods import Method, arms, auto_split, is_guided, methods
from ntp.tasks.needs import (
    add_dataset,
    add_retrieval,
    add_verifier,
    prover_reads,
    refuse_lent_premises,
    require_prover,
    retrieval_reads,
)
from ntp.tasks.proving.searches import searches_of
from ntp.tasks.selection import Part, named_theorems, num_done, parts_of, sample_theorems, shard_of
from ntp.tracking.progress import ProgressReporter
from ntp.types import Theorem
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.shards import merge_shards
from ntp.workflow.stage import read
from ntp.workflow.task import Sharding, Task

_log = logging.getLogger(__name__)

# Names of the files that say how a method's whole proofs were written and repaired.
LOG_FILES = "log-{}.jsonl"


@dataclass(frozen=True)
class EvaluationOptions:
    """Which policies are evaluated on which theorems.

    Attributes:
        shard: The shard `i/n` to make, i from 0.
        num_shards: Number of shards to merge.
        costs: Directory of an earlier run, whose times say how to divide theorems evenly among shards.
        split: Part of the split.
        max_theorems: Most theorems; null for all.
        one_shot_tactics: Tactics tried alone as whole proofs, the floor of every report; null for those that
            users of the prover try first, empty for none.
        max_cpu_seconds: CPU seconds of the prover per theorem for a list of tactics, which then run in turn
            until one is a proof; null to run each of them without that limit.
        policies: The policies by name, each a node of `PolicyOptions`: a model with its prompt and weights.
        baseline: Name of the policy that the others are compared with.
        comparisons: Further pairs of policies to compare, by name.
        theorems: Ids of the theorems, or their last parts; empty for all.
        theorems_file: A file with further ones, one a line.
        max_seconds: Most seconds for a theorem: of fixed tactics, and of searches that refer to it.
        bootstrap_samples: Resamples behind every interval.
    """

    shard: str | None = None
    num_shards: PositiveInt | None = None
    costs: str | None = None
    split: str = "test"
    max_theorems: PositiveInt | None = None
    one_shot_tactics: list[str] | None = None
    max_cpu_seconds: PositiveFloat | None = None
    policies: dict[str, Any] | None = field(default_factory=dict)
    baseline: str | None = None
    comparisons: list[list[str]] = field(default_factory=list)
    theorems: list[str] = field(default_factory=list)
    theorems_file: str | None = None
    max_seconds: PositiveFloat | None = None
    bootstrap_samples: PositiveInt = 2000


def run(context: Context) -> dict[str, float]:
    """Search with every method, check every proof again, write results and report.

    A part of a method's theorems is kept as soon as it is done, so that a resumed run does not repeat it.
    """
    cfg, options = context.cfg, context.cfg.evaluation
    dataset = Dataset.load(context.inputs["dataset"])
    records = _chosen(cfg, dataset)
    theorems = [record.theorem for record in records[shard_of(options, cfg.search, records)]]
    make_env = instantiate(cfg.env)
    results: list[TheoremResult] = []
    for method in methods(cfg, context.inputs, dataset):
        results += evaluate(method, theorems, make_env, context.directory)
    return report_results(context, results)


def _chosen(cfg: DictConfig, dataset: Dataset) -> list[TheoremRecord]:
    """The theorems that are asked for."""
    options = cfg.evaluation
    named = named_theorems(options.theorems, options.theorems_file)
    return sample_theorems(cfg, dataset, options.split, options.max_theorems, auto_split(cfg), named)


def results_file(method: str) -> str:
    """Name of the file of a method's results, from which every number can be recomputed."""
    return f"results-{method}.jsonl"


def report_results(context: Context, results: Sequence[TheoremResult]) -> dict[str, float]:
    """Write the report on results in the task's directory; returns its numbers."""
    cfg, options = context.cfg, context.cfg.evaluation
    num_theorems = len({result.theorem for result in results})
    title = f"{cfg.name}: {num_theorems} {_described(cfg)}"
    comparisons = [(str(first), str(second)) for first, second in options.comparisons]
    logs = {name: list(read_jsonl(path, ProofLog)) for name, path in _logs(context)}
    report = build_report(title, results, options.baseline, cfg.seed, options.bootstrap_samples, comparisons)
    report = replace(report, extra=log_sections(logs))
    context.write({"report.md": markdown(report), "report.html": page(report)})
    for name in report.groups:
        context.mlflow.log_artifact(context.directory / results_file(name))
    Console().print(headline(report))
    flat = summary_metrics(report)
    for name, of_method in logs.items():
        flat |= flat_log(name, of_method)
    return flat


def _logs(context: Context) -> list[tuple[str, Path]]:
    """Methods of whole proofs with their logs."""
    named = [
        (method.name, context.directory / LOG_FILES.format(method.name))
        for method in methods(context.cfg, {})
    ]
    return [(name, path) for name, path in named if path.exists()]


def _described(cfg: DictConfig) -> str:
    kind = auto_split(cfg) if cfg.data.split.kind == AUTO else cfg.data.split.kind
    if kind == ALL:
        return "theorems, none of them trained on"
    split = cfg.evaluation.split
    return "held-out theorems" if split in ("val", "test") else f"theorems of the {split} split"


def evaluate(
    method: Method, theorems: Sequence[Theorem], make_env: Callable, directory: Path
) -> list[TheoremResult]:
    """One method's results; those that `directory` has already are read.

    Raises:
        EnvError: No theorem can be opened, so nothing was tried.
    """
    path = directory / results_file(method.name)
    if not path.exists():
        parts = parts_of(directory, method.name, theorems)
        _make_missing(method, parts, make_env)
        made = [result for part in parts for result in read_jsonl(part.path, TheoremResult)]
        unopened = [result for result in made if result.outcome == TheoremOutcome.INIT_ERROR]
        if len(unopened) < len(made):
            logs = [log for part in parts for log in read_logs(_log_of(part))]
            if logs:
                write_jsonl(directory / LOG_FILES.format(method.name), logs)
            write_jsonl(path, made)
        for part in parts:
            part.path.unlink()
            _log_of(part).unlink(missing_ok=True)
        if unopened:
            message = f"{method.name}: {len(unopened)} of {len(made)} theorems cannot be opened; the first: "
            message += unopened[0].message
            if len(unopened) == len(made):
                raise EnvError(message)
            _log.warning(message)
    return list(read_jsonl(path, TheoremResult))


def read_logs(path: Path) -> list[ProofLog]:
    """The logs of a file; none if it does not exist."""
    return list(read_jsonl(path, ProofLog)) if path.exists() else []


def _log_of(part: Part) -> Path:
    return part.path.with_suffix(".log")


def _make_missing(method: Method, parts: Sequence[Part], make_env: Callable) -> None:
    """Search the theorems of parts that are not done, and check what was found in fresh provers."""
    missing = [part for part in parts if not part.path.exists()]
    if not missing:
        return
    search = method.make_search()
    syntax = syntax_of(make_env)
    num_theorems = sum(len(part.theorems) for part in parts)
    with ProgressReporter(method.name, num_theorems, "theorems", num_before=num_done(parts)) as progress:
        for part in missing:
            started = time.monotonic()
            with EnvPool(make_env, make_env.num_workers) as pool:
                runs = search(part.theorems, pool, progress.advance)
            wall_s = time.monotonic() - started
            with EnvPool(make_env, make_env.num_workers) as fresh:
                results = assess(method.name, runs, fresh.check_proofs, wall_s, method.independent, syntax)
            logs = [run.log for run in runs if run.log is not None]
            if logs:
                write_jsonl(_log_of(part), logs)
            write_jsonl(part.path, results)


def merge(context: Context) -> dict[str, float]:
    """Merge shards into what one run would have made.

    Raises:
        DataError: A theorem is missing, occurs twice, or was not asked for.
    """
    options = context.cfg.evaluation
    dataset = Dataset.load(context.inputs["dataset"])
    records = _chosen(context.cfg, dataset)
    names = [record.theorem.id for record in records]
    shards = [context.inputs[f"shard/{index}"] for index in range(options.num_shards)]
    results: list[TheoremResult] = []
    for file in (results_file(method.name) for method in methods(context.cfg, context.inputs)):
        merged = merge_shards(names, (read_jsonl(shard / file, TheoremResult) for shard in shards))
        write_jsonl(context.directory / file, merged)
        results += merged
    for file in (LOG_FILES.format(method.name) for method in methods(context.cfg, context.inputs)):
        logs = [log for shard in shards for log in read_logs(shard / file)]
        if logs:
            write_jsonl(context.directory / file, logs)
    return report_results(context, results)


def _reads(cfg: DictConfig) -> dict:
    values = read(cfg, "data.split", "evaluation") | prover_reads(cfg)
    if any(arm.node.tactics is None for arm in arms(cfg)):
        values |= read(cfg, "seed", "model", "search")
    if is_guided(cfg):
        values |= read(cfg, "aggregation")
    if any(arm.node.kind is not None for arm in arms(cfg)):
        values |= prompt_reads(cfg)
    return values | retrieval_reads(cfg)


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    add_retrieval(needs)
    for arm in arms(needs.cfg):
        node = arm.node
        as_it_is = node.model is not None and node.experiment is None and node.checkpoint is None
        if node.tactics is None and not as_it_is:
            sections = {} if node.model is None else {"model": node.model}
            needs.add_from(node, arm.role, arm.key, arm.overrides, **sections)
    if any(needs_terms(arm.node.kind) for arm in arms(needs.cfg)):
        needs.add("terms", ["+experiment=proof_terms"], export=needs.cfg.export)
    if is_guided(needs.cfg):
        add_verifier(needs)


def check(cfg: DictConfig) -> None:
    """Refuse a config that cannot work, before anything is made."""
    require_prover(cfg)
    refuse_lent_premises(cfg)
    priority_weights(cfg.search)
    for arm in arms(cfg):
        if arm.node.tactics is None:
            require_kind(arm.node.kind, searches_of(cfg, arm.node, arm.key))
    for pair in cfg.evaluation.comparisons:
        if len(pair) != 2:
            raise ConfigError(f"evaluation.comparisons: {list(pair)} is no pair of policies")
    names = dict.fromkeys(arm_name(method.name) for method in methods(cfg, {}))
    require_arms(names, cfg.evaluation.baseline, cfg.evaluation.comparisons)


TASK = Task(
    name="evaluate",
    run=run,
    reads=_reads,
    needs=_needs,
    check=check,
    sharding=Sharding("evaluation", merge, ESTIMATE),
)
