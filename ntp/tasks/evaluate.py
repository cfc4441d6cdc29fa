"""Evaluate policies on held-out theorems, beside tactics that need no policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from ntp.data.dataset import Dataset
from ntp.envs.pool import EnvPool
from ntp.errors import InitError
from ntp.evaluation.assess import TheoremRun, assess
from ntp.evaluation.report import build_report, headline, markdown, page, summary_metrics
from ntp.evaluation.results import TheoremResult
from ntp.jsonl import read_jsonl, write_jsonl
from ntp.policy.requests import SamplingParams
from ntp.retrieval.augmentation import Augmentation
from ntp.search.base import Critic, Proposer
from ntp.search.best_first import BestFirstSearch
from ntp.search.driver import search_theorems
from ntp.search.fixed import FixedTactics
from ntp.search.proposers import AugmentedProposer
from ntp.search.sampling import SamplingSearch
from ntp.tasks.builders import load_augmentation
from ntp.tasks.choices import priority_weights
from ntp.tasks.parts import Part, num_done, parts_of
from ntp.tasks.policies import load_policy
from ntp.tasks.searches import best_first_search, sampling_search
from ntp.tasks.selection import sample_theorems
from ntp.tasks.shards import shard_of
from ntp.tasks.verifiers import load_verifiers
from ntp.tracking.progress import ProgressReporter
from ntp.types import ProofState, Theorem
from ntp.verifier.ensemble import EnsembleCritic
from ntp.workflow.context import Context

# By prover. Each is one attempt at the whole proof.
ONE_SHOT_TACTICS = {
    "coq": ("auto.", "easy.", "intuition.", "firstorder."),
    "lean": ("rfl", "simp", "decide", "omega", "aesop"),
}

AnySearch = SamplingSearch | BestFirstSearch


@dataclass(frozen=True)
class Method:
    """A proposer with a search.

    Attributes:
        name: In tables and metrics.
        make_proposer: Loads it.
        make_search: Builds the search of a theorem.
        make_critic: Loads what guides the search beside the proposer, if anything does.
        independent: Whether attempts are independent samples, as pass@k asks.
    """

    name: str
    make_proposer: Callable[[], Proposer]
    make_search: Callable[[Theorem, ProofState], AnySearch]
    independent: bool
    make_critic: Callable[[], Critic | None] = lambda: None


def run(context: Context) -> dict[str, float]:
    """Search with every method, verify every proof again, write results and report.

    A part of a method's theorems is kept as soon as it is done, so that a resumed run does not repeat it.
    """
    cfg, options = context.cfg, context.cfg.evaluation
    dataset = Dataset.load(context.inputs["dataset"])
    records = sample_theorems(cfg, dataset, options.split, options.max_theorems)
    theorems = [record.theorem for record in records[shard_of(cfg, records)]]
    make_env = instantiate(cfg.env)
    results: list[TheoremResult] = []
    augmentation = load_augmentation(cfg, dataset, context.inputs)
    for method in methods(cfg, context.inputs, augmentation):
        results += evaluate(method, theorems, make_env, context.directory)
    return report_results(context, results)


def results_file(method: str) -> str:
    """Name of the file of a method's results, from which every number can be recomputed."""
    return f"results-{method}.jsonl"


def report_results(context: Context, results: Sequence[TheoremResult]) -> dict[str, float]:
    """Write the report on results that lie in the task's directory; its numbers."""
    cfg, options = context.cfg, context.cfg.evaluation
    num_theorems = len({result.theorem for result in results})
    title = f"{cfg.name}: {num_theorems} held-out theorems"
    report = build_report(title, results, options.baseline, cfg.seed, options.bootstrap_samples)
    context.write({"report.md": markdown(report), "report.html": page(report)})
    for name in report.groups:
        context.mlflow.log_artifact(context.directory / results_file(name))
    Console().print(headline(report))
    return summary_metrics(report)


def one_shot_tactics(cfg: DictConfig) -> list[str]:
    """The floor of an evaluation: what the config names, else what users of the prover try first."""
    chosen = cfg.evaluation.one_shot_tactics
    return list(ONE_SHOT_TACTICS[instantiate(cfg.env).prover] if chosen is None else chosen)


def methods(
    cfg: DictConfig, inputs: Mapping[str, Path], augmentation: Augmentation | None = None
) -> list[Method]:
    """One-shot tactics, then every policy with every search; plain sampling is named by its policy alone.

    Policies read what `augmentation` retrieves, if there is one.
    """
    tactics = one_shot_tactics(cfg)
    found: list[Method] = []
    if tactics:
        draws = [SamplingParams(0)] * len(tactics)
        found.append(
            Method(
                "one_shot",
                lambda: FixedTactics(tactics),
                lambda theorem, root: SamplingSearch(theorem, root, draws, max_depth=1),
                independent=False,
            )
        )
    for name in cfg.evaluation.policies:

        def load(role: str = f"policy/{name}") -> Proposer:
            policy = load_policy(cfg, inputs[role])
            return AugmentedProposer(policy, augmentation) if augmentation else policy

        if "sampling" in cfg.search:
            found.append(Method(name, load, sampling_search(cfg.search.sampling, cfg.seed), independent=True))
        if "best_first" in cfg.search:
            make_search = best_first_search(cfg.search.best_first, cfg.seed, priority_weights(cfg.search))
            found.append(
                Method(
                    f"{name}_best_first",
                    load,
                    make_search,
                    independent=False,
                    make_critic=lambda: _load_critic(cfg, inputs),
                )
            )
    return found


def _load_critic(cfg: DictConfig, inputs: Mapping[str, Path]) -> Critic | None:
    if "verifier" not in inputs:
        return None
    return EnsembleCritic(load_verifiers(cfg, inputs), instantiate(cfg.aggregation))


def evaluate(
    method: Method, theorems: Sequence[Theorem], make_env: Callable, directory: Path
) -> list[TheoremResult]:
    """One method's results, read from `directory` as far as they are there."""
    path = directory / results_file(method.name)
    if not path.exists():
        parts = parts_of(directory, method.name, theorems)
        _make_missing(method, parts, make_env)
        write_jsonl(path, [result for part in parts for result in read_jsonl(part.path, TheoremResult)])
        for part in parts:
            part.path.unlink()
    return list(read_jsonl(path, TheoremResult))


def _make_missing(method: Method, parts: Sequence[Part], make_env: Callable) -> None:
    """Search every theorem of the parts that are not there, and verify in fresh provers what was found."""
    missing = [part for part in parts if not part.path.exists()]
    if not missing:
        return
    proposer, critic = method.make_proposer(), method.make_critic()
    num_theorems = sum(len(part.theorems) for part in parts)
    with ProgressReporter(method.name, num_theorems, "theorems", num_before=num_done(parts)) as progress:
        for part in missing:
            started = time.monotonic()
            with EnvPool(make_env, make_env.num_workers) as pool:
                searches = search_theorems(
                    part.theorems,
                    method.make_search,
                    proposer,
                    pool,
                    on_finished=lambda theorem, result: progress.advance(),  # noqa: ARG005
                    critic=critic,
                )
            wall_s = time.monotonic() - started
            runs = [_run_of(t, s) for t, s in zip(part.theorems, searches, strict=True)]
            with EnvPool(make_env, make_env.num_workers) as fresh:
                results = assess(method.name, runs, fresh.check_proofs, wall_s, method.independent)
            write_jsonl(part.path, results)


def _run_of(theorem: Theorem, search: AnySearch | InitError) -> TheoremRun:
    if isinstance(search, InitError):
        return TheoremRun(theorem, error=search)
    return TheoremRun(
        theorem,
        tuple(search.trajectories),
        tuple(search.transitions),
        search.usage.num_samples,
        search.usage.num_env_steps,
        search.usage.cost_s,
    )
