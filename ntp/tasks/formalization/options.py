"""Options of pairs and of prompts, and how tasks find the pairs of a config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING, DictConfig

from ntp.bounds import NonNegativeInt, PositiveFloat, PositiveInt, Share
from ntp.errors import ConfigError, DataError
from ntp.formalization.prompts import BATCH_SIZE, NEAREST, NUM_SAMPLES, RANDOM, Template
from ntp.formalization.records import NO_HEADER, NOT_GIVEN, TEST, TRAIN, VALID, Pair, load_pairs
from ntp.formalization.static import DEFAULT_TEMPLATE
from ntp.policy.prompt import TEMPERATURE
from ntp.workflow.plan import Needs

PAIRS_FILE = "pairs.jsonl"
GIVEN = "pairs"
MINED = "mined"
SPLITS = (TRAIN, VALID, TEST)


@dataclass(frozen=True)
class PairsDataOptions:
    """Pairs of informal and formal statements that are published, or in files of one's own.

    Attributes:
        path: A JSON Lines file, another data file, a folder, or the name of a data set on the Hugging Face
            Hub.
        config: Configuration of a data set on the Hub.
        prover: `coq`, `lean`, `lean3` or `isabelle`; null to see it from each statement.
        split: The part that all pairs are in: `train`, `valid` or `test`; null for the rows' own or, without,
            the one in the file's name.
        header: What stands before statements without a header of their own.
        columns: Names of columns that are not found by themselves: `informal`, `formal`, `header`, `id`,
            `split` and `topic`.
        source: Where data comes from.
    """

    path: str = MISSING
    config: str | None = NOT_GIVEN
    prover: str | None = NOT_GIVEN
    split: str | None = NOT_GIVEN
    header: str = NO_HEADER
    columns: dict[str, str] = field(default_factory=dict)
    source: str = GIVEN


@dataclass(frozen=True)
class MinedPairsOptions:
    """Pairs from a library's documentation: comments with the statements that follow them.

    Attributes:
        include: Globs of the files to read, relative to the project's root.
        exclude: Globs of files to leave out of those.
        valid_fraction: Share of files in the validation part.
        test_fraction: Share of files in the test part.
        num_extract_workers: Provers that check statements at the same time.
        source: Where data comes from.
    """

    include: list[str] = MISSING
    exclude: list[str] = field(default_factory=list)
    valid_fraction: Share = 0.1
    test_fraction: Share = 0.2
    num_extract_workers: PositiveInt = 2
    source: str = MINED


@dataclass(frozen=True)
class FormalizationOptions:
    """How models are asked for formal statements.

    Attributes:
        split: Part of the pairs that is evaluated on.
        max_pairs: Most pairs; null for all.
        template: How a pair is shown, with `{informal}`, `{formal}` and, if wanted, `{header}` and
            `{language}`; what stands before `{formal}` is the question.
        shots: Numbers of examples in front of the question; every policy is asked with each of them.
        choice: Which examples: `random` or `nearest`.
        examples_path: A file of pairs that examples are taken from; null for the evaluated pairs' own.
        examples_split: The part that they are taken from, never the evaluated one.
        num_samples: Statements that a model writes for a pair, the first of them greedily.
        temperature: Temperature of the others.
        batch_size: Pairs that a model reads at once.
        type_check: Whether the prover is asked if what a model writes is a statement.
        statement_timeout_s: Seconds for a prover to read one statement.
        equivalence: Whether what a model writes is compared with the reference by proofs, in the budget of
            `equivalence`.
    """

    split: str = TEST
    max_pairs: PositiveInt | None = None
    template: str = DEFAULT_TEMPLATE
    shots: list[NonNegativeInt] = field(default_factory=lambda: [0])
    choice: str = RANDOM
    examples_path: str | None = None
    examples_split: str = TRAIN
    num_samples: PositiveInt = NUM_SAMPLES
    temperature: PositiveFloat = TEMPERATURE
    batch_size: PositiveInt = BATCH_SIZE
    type_check: bool = True
    statement_timeout_s: PositiveInt = 10
    equivalence: bool = False


def add_pairs(needs: Needs) -> None:
    """Add the pairs of the config."""
    needs.add("pairs", ["+experiment=formalization_pairs"])


def require_pairs(cfg: DictConfig) -> None:
    """Raise `ConfigError` unless the data are pairs."""
    if cfg.data.source not in (GIVEN, MINED):
        raise ConfigError(
            "formalization is about pairs of statements: give data=pairs data.path=FILE, or data=coqdoc"
        )


def check_prompts(cfg: DictConfig) -> None:
    """Raise `ConfigError` for options of prompts that cannot work."""
    options = cfg.formalization
    Template(options.template)
    for name in ("split", "examples_split"):
        if options[name] not in SPLITS:
            raise ConfigError(f"formalization.{name}={options[name]}: choose one of {', '.join(SPLITS)}")
    if options.choice not in (RANDOM, NEAREST):
        raise ConfigError(f"formalization.choice={options.choice}: choose {RANDOM} or {NEAREST}")
    if not options.shots:
        raise ConfigError("formalization.shots is empty: give [0] for questions without examples")
    if any(options.shots) and options.examples_path is None and options.examples_split == options.split:
        raise ConfigError(
            f"formalization.examples_split={options.split} is what is evaluated on: examples would leak it"
        )


def pairs_in(directory: Path) -> list[Pair]:
    """The pairs that the stage `pairs` has made."""
    return load_pairs(directory / PAIRS_FILE)


def part(pairs: Sequence[Pair], split: str, what: str) -> list[Pair]:
    """The pairs of one part.

    Raises:
        DataError: There is none.
    """
    found = [pair for pair in pairs if pair.split == split]
    if not found:
        have = ", ".join(sorted({pair.split for pair in pairs}))
        raise DataError(f"no pair for {what} is in the split {split}, only in {have}")
    return found
