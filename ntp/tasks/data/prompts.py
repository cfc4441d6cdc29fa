"""What evaluations need of models that are asked by prompts: of instruction data, or of chat data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.data.dataset import Dataset
from ntp.data.formats.chat import CHAT_KINDS, ChatLayout, shown_by
from ntp.data.formats.prompts import KINDS, TACTIC, TEMPLATES, read_templates
from ntp.data.leak_free import TRAIN
from ntp.data.splits import ALL, AUTO
from ntp.errors import ConfigError
from ntp.policy.causal import CausalPolicy
from ntp.policy.generators.base import Generator
from ntp.policy.generators.local import LocalGenerator
from ntp.policy.policy import TacticPolicy
from ntp.retrieval.background import BackgroundFinder
from ntp.search.instructions import ChatPrompts, InstructedProposer, InstructionPrompts
from ntp.search.interface import Proposer
from ntp.search.whole_proof import WholeProofSampling
from ntp.search.writers import ChatWriter
from ntp.tasks.data.examples import load_tokens
from ntp.tasks.data.instructions import part_tokens, parts_of

AnyPrompts = InstructionPrompts | ChatPrompts

# Kinds that show a part of the file would need it as the proof goes on.
_KINDS = (*(kind for kind, (_, needs) in KINDS.items() if needs != "context"), *CHAT_KINDS)


def require_kind(kind: str | None, search: DictConfig) -> None:
    """Raise `ConfigError` if prompts of a kind cannot be made in this search."""
    if kind is None:
        if not {"sampling", "best_first"} & set(search):
            raise ConfigError("whole proofs are written by policies with a kind: give kind=chat, say")
        return
    if kind not in _KINDS:
        raise ConfigError(f"kind={kind}: choose one of {', '.join(_KINDS)}")
    if writes_whole_proofs(kind) and not {"sampling", "whole_proof"} & set(search):
        raise ConfigError(
            f"kind={kind} writes whole proofs, which are sampled: give search=[sampling], or "
            "search=[whole_proof] for samples with repairs"
        )


def writes_whole_proofs(kind: str | None) -> bool:
    """Whether models of a kind answer with a whole proof."""
    return kind is not None and (kind in CHAT_KINDS or KINDS[kind][0] != TACTIC)


def needs_terms(kind: str | None) -> bool:
    """Whether prompts of a kind show what is read from proof terms."""
    return kind is not None and "definitions" in shown_by(kind)


def instruction_prompts(
    cfg: DictConfig, dataset: Dataset, inputs: Mapping[str, Path], kinds: Iterable[str], auto: str = "random"
) -> dict[str, AnyPrompts]:
    """The prompts of each kind, with what `cfg.instructions` says about them.

    Args:
        cfg: The config.
        dataset: The data set.
        inputs: Directories of the stages `dataset` and, for definitions, `terms`.
        kinds: The kinds.
        auto: The kind of a split that is left to the task: `all` if nothing was trained on the theorems, so
            that similar proofs may be those of any earlier one.
    """
    options = cfg.instructions
    templates = read_templates(Path(options.templates) if options.templates else TEMPLATES)
    prover, tokens = dataset.metadata.prover, load_tokens(options.tokenizer)
    found: dict[str, AnyPrompts] = {}
    parts: dict[str, str] = {}
    for kind in dict.fromkeys(kinds):
        shown, finder = shown_by(kind), None
        if shown:
            parts = parts or _parts(cfg, dataset, auto)
            finder = BackgroundFinder(
                dataset,
                inputs.get("terms"),
                parts,
                inputs["dataset"] / "indices" if {"premises", "proofs"} & set(shown) else None,
                options.num_premises,
                options.num_proofs,
            )
        if kind in CHAT_KINDS:
            found[kind] = ChatPrompts(ChatLayout(kind, prover, part_tokens(options), tokens), finder)
        else:
            found[kind] = InstructionPrompts(kind, templates[kind], prover, finder)
    return found


def _parts(cfg: DictConfig, dataset: Dataset, auto: str) -> dict[str, str]:
    kind = auto if cfg.data.split.kind == AUTO else cfg.data.split.kind
    if kind == ALL:
        return {record.theorem.id: TRAIN for record in dataset.iter_theorems()}
    by_key, _ = parts_of(cfg, [("", dataset)])
    return {key.partition(":")[2]: part for key, part in by_key.items()}


def asked_by(
    model: TacticPolicy | Generator, prompts: AnyPrompts, key: str
) -> InstructedProposer | ChatWriter:
    """A model that is asked by prompts: a server in conversations, others as they were trained.

    Args:
        model: The model.
        prompts: The prompts.
        key: Where the policy is in the config, for messages.

    Raises:
        ConfigError: The model cannot be asked so.
    """
    if not isinstance(model, TacticPolicy):
        return ChatWriter(model, prompts)
    if not isinstance(model, CausalPolicy):
        raise ConfigError(f"{key}.kind: only causal language models are asked by prompts")
    if isinstance(prompts, InstructionPrompts):
        return InstructedProposer(model, prompts)
    return ChatWriter(LocalGenerator(model), prompts)


def whole_proofs(
    load: Callable[[], Proposer], search: DictConfig, cfg: DictConfig
) -> Callable[[], WholeProofSampling]:
    """A search that samples whole proofs.

    Args:
        load: Loads what proposes them.
        search: Its options, of `SamplingOptions`.
        cfg: The config.
    """
    syntax = instantiate(cfg.env).syntax
    return lambda: WholeProofSampling(load(), syntax, search.num_samples, search.temperature, cfg.seed)
