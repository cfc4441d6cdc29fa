"""What tasks have in common: what they read, the stages they need, and checks before anything is made."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ntp.bounds import NonNegativeInt, PositiveFloat
from ntp.config.bounds import check_bounds
from ntp.config.schema import schema_of
from ntp.errors import ConfigError
from ntp.workflow.plan import Needs, composed
from ntp.workflow.stage import read


@dataclass(frozen=True)
class PolicyOptions:
    """A policy: a model with its prompt, and where its weights come from.

    Attributes:
        experiment: What trains it.
        overrides: Overrides of that experiment, such as `model=llemma7b` or `loss=tb`; without an experiment,
            of the model, as `model.base_url=http://localhost:8000/v1`.
        checkpoint: Output directory of a training run, in place of the experiment.
        model: Model and prompt: a name of the group `model`, or a node with its options; null for that of the
            experiment or, with a checkpoint, that of the command. With neither experiment nor checkpoint a
            pretrained model, or a server's, is used as it is.
        tactics: A fixed list of tactics to propose in every state, in place of a model.
        kind: The kind of instruction or chat data that the model was trained on, or is to be asked in
            (docs/formats.md). It is shown the same prompts; with a kind of whole proofs it writes whole
            proofs.
        temperature: Temperature of samples in an evaluation; null for that of `search.sampling`. Best-first
            search has its own.
        first_tactics: Tactics with which samples begin, each sample with one drawn at random, so that samples
            are independent; what follows is the policy's. Empty for none.
        search: Searches of this policy in an evaluation, in place of the command's: by name, the options that
            differ, as `{whole_proof: {repairs: []}}`.
        seeds: Seeds to train the policy with; empty for the seed of the command.
        seed_key: The option that these seeds are given to: `seed` makes everything it needs again with that
            seed, `module.seed` only what the experiment itself trains.
    """

    experiment: str | None = None
    overrides: list[str] = field(default_factory=list)
    checkpoint: str | None = None
    model: Any = None
    tactics: list[str] | None = None
    kind: str | None = None
    temperature: PositiveFloat | None = None
    first_tactics: list[str] = field(default_factory=list)
    search: Any = None
    seeds: list[NonNegativeInt] = field(default_factory=list)
    seed_key: str = "seed"


@dataclass(frozen=True)
class VerifierOptions:
    """An ensemble of verifiers.

    Attributes:
        experiment: What trains it.
        overrides: Overrides of that experiment.
        checkpoint: Output directory of a training run, in place of the experiment.
        backbone: The policy whose frozen model the heads are on.
    """

    experiment: str | None = "verifier_dpo"
    overrides: list[str] = field(default_factory=list)
    checkpoint: str | None = None
    backbone: PolicyOptions = field(default_factory=PolicyOptions)


@dataclass(frozen=True)
class StudyOptions:
    """Training runs to be compared.

    Attributes:
        variants: For each arm, the overrides of its command line, which name an experiment.
        seeds: Every arm is trained with each of these seeds (`module.seed`, its verifier's too).
    """

    variants: dict[str, list[str]] = field(default_factory=dict)
    seeds: list[NonNegativeInt] = field(default_factory=lambda: [0])


# What training depends on, whatever is trained.
LEARNING = ("data.split", "seed", "model", "module", "optimizer", "trainer")

_RETRIEVAL = ("name", "num_premises", "max_bytes", "k1", "b", "name_or_path")


def learning(*more: str) -> Any:
    """`Task.reads` of a task that trains."""
    return lambda cfg: read(cfg, *LEARNING, *more)


def prover_reads(cfg: DictConfig) -> dict[str, Any]:
    """What results of provers depend on: everything but how many of them run at the same time."""
    values = read(cfg, "env")
    values["env"].pop("num_workers", None)
    return values


def retrieval_reads(cfg: DictConfig) -> dict[str, Any]:
    """What retrieval depends on; a trained retriever is a stage of its own."""
    if cfg.retrieval.name == "none":
        return {}
    return read(cfg, *(f"retrieval.{name}" for name in _RETRIEVAL))


def policy_node(cfg: DictConfig, key: str) -> DictConfig:
    """A node of `PolicyOptions` with all its options.

    Args:
        cfg: The whole config.
        key: Where the node is.

    Raises:
        ConfigError: It has an option that policies do not have, or a value of the wrong type.
    """
    given = OmegaConf.select(cfg, key)
    if not isinstance(given, DictConfig):
        raise ConfigError(f"{key}: give experiment=NAME, checkpoint=PATH, model or tactics")
    options = OmegaConf.structured(schema_of(f"{__name__}.{PolicyOptions.__name__}"))
    try:
        merged = OmegaConf.merge(options, OmegaConf.to_container(given, resolve=True))
    except OmegaConfBaseException as error:
        raise ConfigError(
            f"{key}: {str(error).splitlines()[0]}; a policy has {', '.join(options)}"
        ) from error
    assert isinstance(merged, DictConfig)
    check_bounds(merged, key)
    if isinstance(merged.model, str):
        merged.model = _model(merged, key)
    return merged


def _model(node: DictConfig, key: str) -> DictConfig:
    """The node of the group `model` that a policy names, with the policy's overrides of it."""
    own = [override for override in node.overrides if override.startswith("model.")]
    try:
        model = composed(["+experiment=search_eval", f"model={node.model}", *own]).model
        missing = [str(name) for name in model if OmegaConf.is_missing(model, name)]
        found = OmegaConf.create(OmegaConf.to_container(model, resolve=True))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"{key}.model={node.model}: {str(error).splitlines()[0]}") from None
    if missing:
        raise ConfigError(f"{key}: model.{missing[0]} is missing: give overrides: ['model.{missing[0]}=...']")
    assert isinstance(found, DictConfig)
    return found


def verifier_split(cfg: DictConfig) -> str:
    """The part of the split whose attempts verifiers are trained on: their own where there is one."""
    return "verifier" if cfg.data.split.verifier_fraction > 0 else "train"


def extraction(cfg: DictConfig) -> str:
    """The experiment that makes the data set of a config."""
    return f"extract_{cfg.data.source if cfg.data.source in ('coq', 'repos') else 'lean'}"


def add_dataset(needs: Needs) -> None:
    """Add the data set."""
    needs.add("dataset", [f"+experiment={extraction(needs.cfg)}"])


def add_policy(needs: Needs) -> None:
    """Add the policy that the stage starts from, as `policy`."""
    needs.add_from(needs.cfg.policy, "policy", "policy")


def add_attempts(needs: Needs, role: str, *splits: str) -> None:
    """Add attempts on some parts of the split, by the policy that verifiers are trained on."""
    cfg = needs.cfg
    if cfg.mining.shard is not None:
        raise ConfigError("mining.shard mines only a part: leave it out, or merge with mining.num_shards")
    mining = copy.deepcopy(cfg.mining)
    mining.splits = list(splits)
    needs.add(role, ["+experiment=mine_attempts"], policy=cfg.policy, mining=mining)


def add_verifier(needs: Needs) -> None:
    """Add an ensemble of verifiers, and the policy whose model it is on as `backbone`."""
    source = needs.cfg.verifier
    needs.add_from(source.backbone, "backbone", "verifier.backbone")
    needs.add_from(source, "verifier", "verifier", policy=source.backbone)


def add_retrieval(needs: Needs) -> None:
    """Add the premises, where they are not the data's own, and a dense retriever trained on them.

    The retriever's model is its own, not that of the policy.
    """
    source, data = needs.cfg.retrieval, needs.cfg.data
    if source.name == "none":
        return
    if source.corpus is not None:
        data = _benchmark(source.corpus)
        needs.add("corpus", [f"+experiment={extraction(needs.cfg)}"], data=data)
    if source.name != "dense" or source.name_or_path is not None:
        return
    own = needs.cfg
    if source.experiment is not None:
        own = composed([f"+experiment={source.experiment}", *source.overrides])
    needs.add_from(source, "retriever", "retrieval", model=own.model, data=data)


def add_arms(needs: Needs) -> None:
    """Add the runs of a study, each as `ARM/SEED`.

    The seed is that of the run itself and of its verifier, not of the policy it starts from.
    """
    cfg = needs.cfg
    for name, overrides in cfg.study.variants.items():
        for seed in cfg.study.seeds:
            verifier = copy.deepcopy(composed([*overrides, f"module.seed={seed}"]).verifier)
            verifier.overrides.append(f"module.seed={seed}")
            verifier.backbone = cfg.policy
            sections = {"policy": cfg.policy, "verifier": verifier}
            needs.add(f"{name}/{seed}", [*overrides, f"module.seed={seed}"], **sections)


def require_prover(cfg: DictConfig) -> None:
    """Raise `ConfigError` unless the environment runs the prover that the data is for."""
    wanted = "coq" if cfg.data.source == "coq" else "lean"
    missing = [key for key in cfg.env if OmegaConf.is_missing(cfg.env, key)]
    if missing:
        raise ConfigError(f"env.{missing[0]} is missing: give env.{missing[0]}=VALUE")
    prover = instantiate(cfg.env).prover
    if prover != wanted:
        advice = "env=coq" if wanted == "coq" else "env=lean_repl"
        raise ConfigError(f"the data is for {wanted} and the environment is {prover}: choose {advice}")
    if cfg.data.source == "leandojo" and cfg.env.get("project", "") is None:
        raise ConfigError(
            "theorems of a LeanDojo Benchmark are in the files of its project: give env.project=/path/to/it"
        )


def refuse_retrieval(cfg: DictConfig, what: str) -> None:
    """Raise `ConfigError` if premises are to be retrieved for a task that does not read them."""
    if cfg.retrieval.name != "none":
        raise ConfigError(
            f"{what} does not read premises: give retrieval=none in place of {cfg.retrieval.name}"
        )


def refuse_lent_premises(cfg: DictConfig) -> None:
    """Raise `ConfigError` if `retrieval.corpus` is given where the data has premises of its own."""
    if cfg.retrieval.corpus is not None and cfg.data.source == "coq":
        raise own_premises()


def own_premises() -> ConfigError:
    """The error of a `retrieval.corpus` that is out of place."""
    return ConfigError(
        "retrieval.corpus lends a benchmark's premises to other Lean theorems: leave it out here, where "
        "the data has its own"
    )


def inner(path: Path, name: str) -> Path:
    """Where a model is in a given directory: the folder of that name in a run, or the directory itself."""
    return path / name if (path / name).is_dir() else path


def run_config(directory: Path) -> DictConfig | None:
    """The config of a run, from its output directory; None if there is none."""
    path = directory / "config.yaml"
    config = OmegaConf.load(path) if path.is_file() else None
    return config if isinstance(config, DictConfig) else None


def _benchmark(folder: str) -> DictConfig:
    """The `data` section of a LeanDojo Benchmark."""
    if not Path(folder).is_dir():
        raise ConfigError(
            f"retrieval.corpus={folder} is no directory: give the folder of a LeanDojo Benchmark"
        )
    data = copy.deepcopy(composed(["+experiment=extract_lean", "data=leandojo"])).data
    data.path = folder
    return data
