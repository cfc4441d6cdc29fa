"""The methods of an evaluation: every policy with every search, and tactics that need no policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ntp.data.dataset import Dataset
from ntp.data.splits import ALL
from ntp.envs.pool import EnvPool
from ntp.errors import ConfigError, InitError
from ntp.evaluation.assess import TheoremRun
from ntp.evaluation.inspection import read_results
from ntp.evaluation.metrics import is_solved
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import SamplingParams
from ntp.search.best_first import BestFirstSearch
from ntp.search.driver import search_theorems
from ntp.search.instructions import InstructedProposer
from ntp.search.interface import Budget, Critic, Proposer
from ntp.search.one_by_one import OneByOne
from ntp.search.proposers import AugmentedProposer, Beginning, FixedTactics
from ntp.search.sampling import SamplingSearch
from ntp.search.writers import ChatWriter
from ntp.tasks.builders import (
    best_first_search,
    load_arm,
    load_augmentation,
    load_verifiers,
    priority_weights,
    sampling_search,
)
from ntp.tasks.data.prompts import asked_by, instruction_prompts, whole_proofs, writes_whole_proofs
from ntp.tasks.needs import policy_node, run_config
from ntp.tasks.proving.searches import repaired_proofs, searches_of
from ntp.types import ProofState, Theorem
from ntp.verifier.ensemble import EnsembleCritic

# By prover. Each is one attempt at the whole proof.
ONE_SHOT_TACTICS = {
    "coq": ("auto.", "easy.", "intuition.", "firstorder."),
    "lean": ("rfl", "simp", "decide", "omega", "aesop"),
}


@dataclass(frozen=True)
class Arm:
    """A policy of an evaluation, trained with one seed.

    Attributes:
        name: Name of the policy, with the seed where it has several: `gfn@1`.
        key: Where its node is in the config.
        node: Its node, of `PolicyOptions`.
        overrides: What the seed adds to the overrides of its experiment.
    """

    name: str
    key: str
    node: DictConfig
    overrides: tuple[str, ...] = ()

    @property
    def role(self) -> str:
        """The name under which its directory is found."""
        return f"policy/{self.name}"


def arms(cfg: DictConfig) -> Iterator[Arm]:
    """The policies of an evaluation, one for each seed."""
    for name in cfg.evaluation.policies or ():
        key = f"evaluation.policies.{name}"
        node = policy_node(cfg, key)
        if not node.seeds:
            yield Arm(str(name), key, node)
        for seed in node.seeds:
            yield Arm(f"{name}@{seed}", key, node, (f"{node.seed_key}={seed}",))


AnySearch = SamplingSearch | BestFirstSearch | OneByOne
# Searches theorems with the provers of a pool, and calls back after each.
RunSearch = Callable[[Sequence[Theorem], EnvPool, Callable[[], None]], list[TheoremRun]]


@dataclass(frozen=True)
class Method:
    """A search, of a policy or of what needs none.

    Attributes:
        name: In tables and metrics.
        make_search: Loads what it needs.
        independent: Whether attempts are independent samples, as pass@k asks.
    """

    name: str
    make_search: Callable[[], RunSearch]
    independent: bool


def step_by_step(
    make_proposer: Callable[[], Proposer],
    make_search: Callable[[Theorem, ProofState], AnySearch],
    make_critic: Callable[[], Critic | None] = lambda: None,
) -> Callable[[], RunSearch]:
    """A search that runs one tactic after the other.

    Args:
        make_proposer: Loads what proposes tactics.
        make_search: Builds the search of a theorem.
        make_critic: Loads what guides the search in addition to the proposer, if anything does.
    """

    def load() -> RunSearch:
        proposer, critic = make_proposer(), make_critic()

        def run(
            theorems: Sequence[Theorem], pool: EnvPool, on_finished: Callable[[], None]
        ) -> list[TheoremRun]:
            searches = search_theorems(
                theorems,
                make_search,
                proposer,
                pool,
                on_finished=lambda theorem, result: on_finished(),  # noqa: ARG005
                critic=critic,
            )
            return [_run_of(t, search) for t, search in zip(theorems, searches, strict=True)]

        return run

    return load


def one_shot_tactics(cfg: DictConfig) -> list[str]:
    """The floor of an evaluation: the tactics that the config names, or those that users try first."""
    chosen = cfg.evaluation.one_shot_tactics
    return list(ONE_SHOT_TACTICS[instantiate(cfg.env).prover] if chosen is None else chosen)


def one_shot_theorems(directory: Path) -> set[str]:
    """Ids of the theorems that a one-shot tactic proves, from the directory of an evaluation."""
    return {result.theorem for result in read_results(directory)["one_shot"] if is_solved(result)}


def methods(cfg: DictConfig, inputs: Mapping[str, Path], dataset: Dataset | None = None) -> list[Method]:
    """One-shot tactics, then every policy with every search; plain sampling is named by its policy alone.

    Args:
        cfg: The config.
        inputs: Directories of what the evaluation needs.
        dataset: The data set; None if only the names are asked for.
    """
    augmentation = None if dataset is None else load_augmentation(cfg, dataset, inputs)
    kinds = [arm.node.kind for arm in arms(cfg) if arm.node.kind is not None]
    auto = auto_split(cfg)
    prompts = {} if dataset is None else instruction_prompts(cfg, dataset, inputs, kinds, auto)
    found: list[Method] = []
    if tactics := one_shot_tactics(cfg):
        found.append(_fixed("one_shot", tactics, cfg.evaluation))
    for arm in arms(cfg):
        if arm.node.tactics is not None:
            found.append(_fixed(arm.name, list(arm.node.tactics), cfg.evaluation))
            continue

        def load(arm: Arm = arm) -> Proposer:
            model = load_arm(cfg, arm.node, inputs.get(arm.role))
            if not isinstance(model, TacticPolicy):
                raise ConfigError(
                    f"{arm.key}: a server's model is asked by prompts: give it a kind, as kind=chat"
                )
            proposer = AugmentedProposer(model, augmentation) if augmentation else model
            return Beginning(proposer) if arm.node.first_tactics else proposer

        def ask(arm: Arm = arm) -> InstructedProposer | ChatWriter:
            return asked_by(load_arm(cfg, arm.node, inputs.get(arm.role)), prompts[arm.node.kind], arm.key)

        searches = searches_of(cfg, arm.node, arm.key)
        proposer = load if arm.node.kind is None else ask
        if writes_whole_proofs(arm.node.kind):
            if "whole_proof" in searches:
                search = repaired_proofs(ask, searches.whole_proof, cfg, dataset)
                found.append(Method(arm.name, search, independent=False))
            else:
                search = whole_proofs(ask, searches.sampling, cfg)
                found.append(Method(arm.name, search, independent=True))
            continue
        if "sampling" in searches:
            search = step_by_step(
                proposer, sampling_search(searches.sampling, cfg.seed, arm.node.first_tactics)
            )
            found.append(Method(arm.name, search, independent=True))
        if "best_first" in searches:
            policy, at, seed = arm.name.partition("@")
            search = step_by_step(
                proposer,
                best_first_search(searches.best_first, cfg.seed, priority_weights(searches)),
                lambda: _load_critic(cfg, inputs),
            )
            found.append(Method(f"{policy}_best_first{at}{seed}", search, independent=False))
    return found


def auto_split(cfg: DictConfig) -> str:
    """All theorems of a project of one's own are evaluated on if nothing was or will be trained on them."""
    if cfg.data.source != "coq" or cfg.env.get("root") is None or cfg.data.split.test_files:
        return "random"
    return "random" if any(_trains_here(cfg, arm.node) for arm in arms(cfg)) else ALL


def _trains_here(cfg: DictConfig, node: DictConfig) -> bool:
    if node.checkpoint is None:
        elsewhere = any(override.startswith(("env=", "env.root=")) for override in node.overrides)
        return node.experiment is not None and not elsewhere
    trained = run_config(Path(node.checkpoint))
    return trained is not None and OmegaConf.select(trained, "env.root") == cfg.env.root


def _fixed(name: str, tactics: Sequence[str], limits: DictConfig) -> Method:
    """Every tactic alone, as a whole proof; with a budget in turn, until one is a proof."""
    params = [SamplingParams(0)] * len(tactics)

    def make(theorem: Theorem, root: ProofState) -> AnySearch:
        if limits.max_seconds is None and limits.max_cpu_seconds is None:
            return SamplingSearch(theorem, root, params, max_depth=1)
        budget = Budget(len(tactics), None, limits.max_seconds, limits.max_cpu_seconds)
        return OneByOne(theorem, root, tactics, budget)

    return Method(name, step_by_step(lambda: FixedTactics(tactics), make), independent=False)


def _load_critic(cfg: DictConfig, inputs: Mapping[str, Path]) -> Critic | None:
    if "verifier" not in inputs:
        return None
    ensemble = load_verifiers(cfg, inputs)
    return EnsembleCritic(ensemble, ensemble.aggregation(instantiate(cfg.aggregation)))


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
        cpu_s=search.usage.cpu_s,
    )


def is_guided(cfg: DictConfig) -> bool:
    """Whether verifiers guide best-first search."""
    return cfg.search.score != "policy"
