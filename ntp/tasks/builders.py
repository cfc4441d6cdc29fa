"""Builds what tasks work with, from a config and the directories of the stages they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import MISSING, DictConfig

from ntp.bounds import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from ntp.data.attempts import AttemptRecord, attempts_file
from ntp.data.dataset import Dataset
from ntp.data.examples import LabelledState, decided_states, labelled_states
from ntp.errors import CheckpointError, ConfigError, DataError
from ntp.jsonl import read_jsonl
from ntp.policy.generators.base import Generator
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import TEMPERATURE, SamplingParams
from ntp.retrieval.augmentation import Augmentation
from ntp.retrieval.base import Retriever
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.dense import DenseRetriever, premise_vectors
from ntp.retrieval.dual_encoder import DualEncoder
from ntp.retrieval.lexical import BM25Retriever
from ntp.search.best_first import BestFirstSearch
from ntp.search.interface import NO_LIMIT, Budget
from ntp.search.sampling import SamplingSearch
from ntp.seeding import derive_seed
from ntp.tasks.needs import inner, run_config
from ntp.tracking.progress import ProgressReporter
from ntp.types import ProofState, Theorem
from ntp.verifier.ensemble import VerifierEnsemble

Inputs = Mapping[str, Path]
SearchOf = Callable[[Theorem, ProofState], SamplingSearch | BestFirstSearch]


@dataclass(frozen=True)
class SearchOptions:
    """The searches of an evaluation.

    Attributes:
        score: What best-first search is guided by: `policy`, `verifier` or `mixed` (both).
        verifier_weight: Weight of the verifiers' log-probability, where they guide.
        sampling: Independent samples, if chosen.
        best_first: Best-first search, if chosen.
        whole_proof: Whole proofs with repairs, if chosen; for policies whose kind writes whole proofs.
    """

    score: str = "policy"
    verifier_weight: NonNegativeFloat = 1.0
    sampling: Any = MISSING
    best_first: Any = MISSING
    whole_proof: Any = MISSING


@dataclass(frozen=True)
class SamplingOptions:
    """Independent samples of whole proofs.

    Attributes:
        num_samples: Trajectories per theorem.
        max_depth: Most tactics in a trajectory.
        temperature: Sampling temperature.
        max_env_steps: Most tactics sent to the prover per theorem; null for no limit.
        max_seconds: Most seconds per theorem; null for no limit. A limit that is reached makes results depend
            on the machine.
        max_cpu_seconds: Most CPU seconds of the prover and its processes per theorem; null for no limit.
    """

    num_samples: PositiveInt = 32
    max_depth: PositiveInt = 8
    temperature: PositiveFloat = TEMPERATURE
    max_env_steps: PositiveInt | None = NO_LIMIT
    max_seconds: PositiveFloat | None = NO_LIMIT
    max_cpu_seconds: PositiveFloat | None = NO_LIMIT


@dataclass(frozen=True)
class BestFirstOptions:
    """Best-first search.

    Attributes:
        samples_per_expansion: Tactics sampled each time a node is expanded.
        max_expansions: Most expansions per theorem.
        expansion_price: Nats taken off a node's priority for each earlier expansion of it.
        length_exponent: How a path's log-probability is normalised (0: sum, 1: mean per tactic).
        max_depth: States at this depth are not expanded.
        temperature: Sampling temperature.
        max_env_steps: Most tactics sent to the prover per theorem; null for no limit.
        max_seconds: Most seconds per theorem; null for no limit. A limit that is reached makes results depend
            on the machine.
        max_cpu_seconds: Most CPU seconds of the prover and its processes per theorem; null for no limit.
        closers: Closing tactics, as `[sauto., hammer.]`, that are run once on every new goal; they need
            `env.preamble`.
        closer_price: Nats taken off a node's priority for its turn with them.
    """

    samples_per_expansion: PositiveInt = 8
    max_expansions: PositiveInt = 60
    expansion_price: NonNegativeFloat = 1.0
    length_exponent: NonNegativeFloat = 0.0
    max_depth: PositiveInt = 16
    temperature: PositiveFloat = TEMPERATURE
    max_env_steps: PositiveInt | None = NO_LIMIT
    max_seconds: PositiveFloat | None = NO_LIMIT
    max_cpu_seconds: PositiveFloat | None = NO_LIMIT
    closers: list[str] = field(default_factory=list)
    closer_price: NonNegativeFloat = 1.0


@dataclass(frozen=True)
class WholeProofOptions:
    """Whole proofs that are written in one go, repaired, and written again.

    Attributes:
        num_samples: Scripts per theorem; the first that is a proof ends the search.
        temperature: Sampling temperature.
        repairs: Classes of errors that are repaired (docs/whole_proof.md); null for all, empty for none.
        max_repairs: Most errors that are repaired in a script.
        max_candidates: Most candidates for an error, of each class.
        second_tries: Scripts that a model writes again, shown its last one, the error and the goal there.
        backtracking: How scripts that failed are completed, options of
            `ntp.search.backtrack.BacktrackOptions`, `{}` for its defaults, whose tactics need `env.preamble`;
            null for not at all.
        max_seconds: Most seconds per theorem; null for no limit. A limit that is reached makes results depend
            on the machine.
        max_cpu_seconds: Most CPU seconds of the prover and its processes per theorem; null for no limit.
    """

    num_samples: PositiveInt = 4
    temperature: PositiveFloat = TEMPERATURE
    repairs: list[str] | None = None
    max_repairs: PositiveInt = 8
    max_candidates: PositiveInt = 20
    second_tries: NonNegativeInt = 0
    backtracking: Any = None
    max_seconds: PositiveFloat | None = NO_LIMIT
    max_cpu_seconds: PositiveFloat | None = NO_LIMIT


def load_policy(cfg: DictConfig, path: Path, model: DictConfig | None = None) -> TacticPolicy:
    """A policy to be used as it is: in evaluation mode, on the GPU where there is one.

    Args:
        cfg: The config.
        path: Directory of a policy, or of the run that trained it.
        model: Its model and prompt; `cfg.model` if None.

    Raises:
        CheckpointError: `path` holds no policy, or one that does not fit the model.
    """
    return _ready(instantiate(cfg.model if model is None else model).load(inner(path, "policy")))


def load_arm(cfg: DictConfig, node: DictConfig, path: Path | None) -> TacticPolicy | Generator:
    """The policy of a node of `PolicyOptions` with its own model and prompt, or the server's model it names.

    Args:
        cfg: The config of the evaluation.
        node: The node.
        path: Directory of its weights; None for a pretrained model that is used as it is.

    Raises:
        CheckpointError: The directory holds no policy, or one that does not fit the model.
    """
    if path is None:
        made = instantiate(node.model).create(())
        return _ready(made) if isinstance(made, TacticPolicy) else made
    model = node.model
    if model is None and node.experiment is not None and node.checkpoint is None:
        trained = run_config(path)
        if trained is None:
            raise CheckpointError(f"{path} has no config.yaml: it is no output directory of a training run")
        model = trained.model
    return load_policy(cfg, path, model)


def _ready(policy: TacticPolicy) -> TacticPolicy:
    policy = policy.eval()
    # Quantised weights are on the GPU since they were read, and cannot be moved.
    if torch.cuda.is_available() and not policy.is_quantized:
        policy.to("cuda")
    return policy


def priority_weights(search: DictConfig) -> tuple[float, float]:
    """Weights of the policy's log-probability and of the verifiers', as `search.score` says.

    Raises:
        ConfigError: It is unknown.
    """
    weight = float(search.verifier_weight)
    weights = {"policy": (1.0, 0.0), "verifier": (0.0, weight), "mixed": (1.0, weight)}
    if search.score not in weights:
        raise ConfigError(f"search.score={search.score} is unknown: choose one of {', '.join(weights)}")
    return weights[search.score]


def sampling_search(
    options: DictConfig, seed: int, first_tactics: Sequence[str] = ()
) -> Callable[[Theorem, ProofState], SamplingSearch]:
    """Makes searches by independent samples, from a config of `SamplingOptions`.

    Args:
        options: The config.
        seed: Seed of all samples.
        first_tactics: Every sample begins with one of them, drawn at random; empty for none.
    """
    budget = Budget(
        options.num_samples * options.max_depth,
        options.max_env_steps,
        options.max_seconds,
        options.max_cpu_seconds,
    )

    def make(theorem: Theorem, root: ProofState) -> SamplingSearch:
        seeds = [derive_seed(seed, "sampling", theorem.id, i) for i in range(options.num_samples)]
        params = [SamplingParams(s, options.temperature, _first(s, first_tactics)) for s in seeds]
        return SamplingSearch(theorem, root, params, options.max_depth, budget)

    return make


def _first(seed: int, tactics: Sequence[str]) -> str | None:
    return tactics[derive_seed(seed, "first") % len(tactics)] if tactics else None


def best_first_search(
    options: DictConfig, seed: int, weights: tuple[float, float] = (1.0, 0.0)
) -> Callable[[Theorem, ProofState], BestFirstSearch]:
    """Makes best-first searches from a config of `BestFirstOptions`, with weights of policy and verifiers."""
    budget = Budget(
        options.samples_per_expansion * options.max_expansions,
        options.max_env_steps,
        options.max_seconds,
        options.max_cpu_seconds,
    )
    closers = tuple(options.closers)

    def make(theorem: Theorem, root: ProofState) -> BestFirstSearch:
        return BestFirstSearch(
            theorem,
            root,
            budget,
            options.samples_per_expansion,
            options.expansion_price,
            options.length_exponent,
            options.max_depth,
            options.temperature,
            derive_seed(seed, "best_first", theorem.id),
            *weights,
            closers,
            options.closer_price,
        )

    return make


def load_labelled(directory: Path, split: str) -> list[LabelledState]:
    """The labelled states of a part of the split, from the directory of a mining run.

    Raises:
        DataError: None of them has both a correct and an incorrect tactic.
    """
    path = attempts_file(directory, split)
    states = labelled_states(read_jsonl(path, AttemptRecord))
    if not decided_states(states):
        raise DataError(f"{path}: no state has both a correct and an incorrect tactic; mine more theorems")
    return states


def load_verifiers(cfg: DictConfig, inputs: Inputs) -> VerifierEnsemble:
    """The ensemble of the stage `verifier` on the policy of `backbone`.

    Raises:
        CheckpointError: They do not fit, or one of them cannot be read.
    """
    backbone = load_policy(cfg, inputs["backbone"])
    return VerifierEnsemble.load(backbone, inner(inputs["verifier"], "verifier"))


def load_augmentation(cfg: DictConfig, dataset: Dataset, inputs: Inputs) -> Augmentation | None:
    """What puts premises in front of states; None where states are read as they are.

    The premises are those of the stage `corpus` where there is one, else those of the data set.

    Raises:
        ConfigError: `cfg.retrieval` is unknown or out of range.
        CheckpointError: The dense retriever cannot be read.
    """
    options = cfg.retrieval
    if options.name == "none":
        return None
    corpus = PremiseCorpus.of(Dataset.load(inputs["corpus"]) if "corpus" in inputs else dataset)
    retriever = load_retriever(options.name, cfg, corpus, inputs)
    return Augmentation(retriever, options.num_premises, options.max_bytes)


def load_retriever(name: str, cfg: DictConfig, corpus: PremiseCorpus, inputs: Inputs) -> Retriever:
    """A retriever over a corpus, its index kept with the data set that has the premises.

    Args:
        name: `bm25` or `dense`.
        cfg: Its options are in `cfg.retrieval`.
        corpus: The premises of the data set in `inputs`.
        inputs: Directories of the stages `dataset` or `corpus` and, for `dense`, `retriever`.

    Raises:
        ConfigError: The name is unknown, or an option is out of range.
        CheckpointError: The dense retriever cannot be read.
    """
    options, cache = cfg.retrieval, inputs.get("corpus", inputs["dataset"]) / "indices"
    if name == "bm25":
        return BM25Retriever(corpus, cache, options.k1, options.b)
    if name != "dense":
        raise ConfigError(f"retrieval={name} is unknown: choose none, bm25 or dense")
    encoder = DualEncoder.load(options.name_or_path or inner(inputs["retriever"], "retriever")).eval()
    if torch.cuda.is_available():
        encoder.to("cuda")
    with ProgressReporter("index", len(corpus), "premises") as progress:
        vectors = premise_vectors(encoder, corpus, cache, options.batch_size, progress.advance)
    return DenseRetriever(encoder, corpus, vectors, options.batch_size)
