"""What evaluations need of models that were fine-tuned on instruction data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.data.dataset import Dataset
from ntp.data.formats.prompts import KINDS, TACTIC, TEMPLATES, read_templates
from ntp.errors import ConfigError
from ntp.retrieval.background import BackgroundFinder
from ntp.search.instructions import InstructionPrompts
from ntp.search.interface import Proposer
from ntp.search.whole_proof import WholeProofSampling
from ntp.tasks.data.instructions import parts_of

# Kinds that show a part of the file would need it as the proof goes on.
_KINDS = tuple(kind for kind, (_, needs) in KINDS.items() if needs != "context")


def require_kind(kind: str | None, search: DictConfig) -> None:
    """Raise `ConfigError` if prompts of a kind cannot be made in this search."""
    if kind is None:
        return
    if kind not in _KINDS:
        raise ConfigError(f"kind={kind}: choose one of {', '.join(_KINDS)}")
    if writes_whole_proofs(kind) and "sampling" not in search:
        raise ConfigError(f"kind={kind} writes whole proofs, which are sampled: give search=[sampling]")


def writes_whole_proofs(kind: str | None) -> bool:
    """Whether models of a kind answer with a whole proof."""
    return kind is not None and KINDS[kind][0] != TACTIC


def needs_terms(kind: str | None) -> bool:
    """Whether prompts of a kind show what is read from proof terms."""
    return kind is not None and KINDS[kind][1] == "definitions"


def instruction_prompts(
    cfg: DictConfig, dataset: Dataset, inputs: Mapping[str, Path], kinds: Iterable[str]
) -> dict[str, InstructionPrompts]:
    """The prompts of each kind, with what `cfg.instructions` says about them."""
    options = cfg.instructions
    templates = read_templates(Path(options.templates) if options.templates else TEMPLATES)
    found: dict[str, InstructionPrompts] = {}
    parts: dict[str, str] = {}
    for kind in dict.fromkeys(kinds):
        shown, finder = KINDS[kind][1], None
        if shown:
            if not parts:
                by_key, _ = parts_of(cfg, [("", dataset)])
                parts = {key.partition(":")[2]: part for key, part in by_key.items()}
            finder = BackgroundFinder(
                dataset,
                inputs.get("terms"),
                parts,
                inputs["dataset"] / "indices" if shown in ("premises", "proofs") else None,
                options.num_premises,
                options.num_proofs,
            )
        found[kind] = InstructionPrompts(kind, templates[kind], dataset.metadata.prover, finder)
    return found


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
