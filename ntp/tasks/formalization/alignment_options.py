"""Options of alignment studies, and the stages that their tasks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from transformers import PreTrainedTokenizerBase

from ntp.bounds import NonNegativeInt, PositiveFloat, PositiveInt, Share
from ntp.errors import ConfigError
from ntp.formalization.alignment.conditions import OF_PAIRS, Condition, pair_texts
from ntp.formalization.alignment.sources.documents import load_documents
from ntp.formalization.records import TEST, TRAIN, Pair, load_pairs
from ntp.workflow.plan import Needs

PAIRS_FILE, TEXTS_FOLDER, CHOSEN_FILE = "pairs.jsonl", "texts", "chosen.jsonl"
# The condition that the probe and every tokenizer are trained on: some of each source.
PROBE = "probe"


@dataclass(frozen=True)
class ProbeOptions:
    """The probe of Task2Vec, of hidden states and of the Vendi score, and how texts are given to it.

    Attributes:
        name_or_path: A causal language model by hub name or path; null to train one on all sources.
        max_tokens: Texts are cut after so many tokens.
        batch_size: Texts in a batch, which gets one embedding.
        num_batches: Batches of a condition, and of the target.
        num_epochs: Passes over a batch in which the head is fitted to it.
        lr: Learning rate of the fit.
        num_samples: Draws of the targets from the model.
    """

    name_or_path: str | None = "gpt2"
    max_tokens: PositiveInt = 128
    batch_size: PositiveInt = 16
    num_batches: PositiveInt = 10
    num_epochs: NonNegativeInt = 10
    lr: PositiveFloat = 4e-4
    num_samples: PositiveInt = 1


@dataclass(frozen=True)
class OutcomeOptions:
    """How a model is examined on held-out pairs.

    Attributes:
        num_pairs: Held-out pairs.
        num_shots: Examples in a few-shot prompt.
        adapt_steps: Steps of fine-tuning on training pairs, the same ones after every condition.
        adapt_pairs: Training pairs that it is fine-tuned on.
        adapt_lr: Learning rate of the fine-tuning.
        type_check: Whether Coq checks what it writes.
    """

    num_pairs: PositiveInt = 100
    num_shots: PositiveInt = 2
    adapt_steps: PositiveInt = 25
    adapt_pairs: PositiveInt = 256
    adapt_lr: PositiveFloat = 5e-4
    type_check: bool = True


@dataclass(frozen=True)
class AlignmentOptions:
    """Data conditions, how close they are to the target, and how they are examined.

    Attributes:
        condition: The condition that a single stage is about.
        conditions: The conditions by name: `texts` (source to share) and `distinct`.
        chosen: Names of the conditions that are used; empty for all.
        seeds: Seeds of the runs of a study.
        pairs: A file of pairs with the splits `train` and `test`; null for those mined from the comments of
            installed Coq libraries.
        files: Text files of a further source, or of one in place of what is installed, by its name.
        max_chars: Characters of a source that are kept.
        held_out: Share of the files of mined pairs that are held out, with everything else in them.
        probe: The probe.
        outcomes: How models are examined.
    """

    condition: str | None = None
    conditions: dict[str, Any] = field(default_factory=dict)
    chosen: list[str] = field(default_factory=list)
    seeds: list[NonNegativeInt] = field(default_factory=lambda: [0, 1, 2])
    pairs: str | None = None
    files: dict[str, list[str]] = field(default_factory=dict)
    max_chars: PositiveInt = 1_000_000
    held_out: Share = 0.15
    probe: ProbeOptions = field(default_factory=ProbeOptions)
    outcomes: OutcomeOptions = field(default_factory=OutcomeOptions)


def conditions_of(cfg: DictConfig) -> dict[str, Condition]:
    """The conditions of a config that are chosen.

    Raises:
        ConfigError: One of them is wrong, or there is none of a name that is chosen.
    """
    given = cfg.alignment.conditions
    chosen = list(cfg.alignment.chosen) or [str(name) for name in given]
    for name in chosen:
        if name not in given:
            raise ConfigError(
                f"alignment.chosen: there is no condition {name!r}; there are {', '.join(given)}"
            )
    return {name: _condition(name, given[name]) for name in chosen}


def condition_of(cfg: DictConfig) -> Condition:
    """The condition that a stage is about.

    Raises:
        ConfigError: None is given, or there is none of that name.
    """
    name, known = cfg.alignment.condition, conditions_of(cfg)
    if name == PROBE:
        return Condition(dict.fromkeys(sorted(used_sources(cfg)), 1.0))
    if name is None or name not in known:
        what = "is missing" if name is None else f"={name}: there is no such condition"
        raise ConfigError(f"alignment.condition {what}; there are {', '.join(known)}".replace(" =", "="))
    return known[name]


def used_sources(cfg: DictConfig) -> set[str]:
    """The sources that the conditions of a config read, those of pairs as `pairs`."""
    names = {name for condition in conditions_of(cfg).values() for name in condition.texts}
    return {"pairs" if name in OF_PAIRS else name for name in names} | {"pairs"}


def load_sources(texts: Path) -> tuple[dict[str, list[str]], list[Pair], list[Pair]]:
    """The texts of each source, and the training and test pairs, from the stage that made them.

    Raises:
        DataError: A file is missing or corrupt.
    """
    pairs = load_pairs(texts / PAIRS_FILE)
    train, test = ([pair for pair in pairs if pair.split == part] for part in (TRAIN, TEST))
    sources = {
        path.stem: [document.text for document in load_documents(path)]
        for path in sorted((texts / TEXTS_FOLDER).glob("*.jsonl"))
    }
    return sources | pair_texts(train), train, test


def tokenizer_texts(sources: Mapping[str, Sequence[str]]) -> list[str]:
    """Texts that a tokenizer is trained on, the same for every condition: equally many of each source."""
    return [text for name in sorted(sources) for text in sources[name][:1500]]


def length(tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    """Number of tokens of a text."""
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def add_texts(needs: Needs) -> None:
    """Add the texts of all sources, as `texts`."""
    needs.add("texts", ["+experiment=alignment_texts"])


def training_sections(cfg: DictConfig) -> dict[str, Any]:
    """How models are trained, which a study hands down to its runs."""
    return {name: cfg[name] for name in ("module", "optimizer", "trainer")}


def _condition(name: str, node: Any) -> Condition:
    given = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    if not isinstance(given, dict) or "texts" not in given or set(given) - {"texts", "distinct"}:
        raise ConfigError(
            f"alignment.conditions.{name}: give texts, from sources to shares, and maybe distinct"
        )
    texts = given["texts"]
    if not isinstance(texts, dict) or not all(isinstance(share, int | float) for share in texts.values()):
        raise ConfigError(f"alignment.conditions.{name}.texts: give a mapping from sources to numbers")
    try:
        return Condition({str(key): float(share) for key, share in texts.items()}, given.get("distinct", 1.0))
    except ConfigError as error:
        raise ConfigError(f"alignment.conditions.{name}: {error}") from None
