"""Selects from a data set what training and evaluation work on; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ntp.data.dataset import Dataset
from ntp.data.examples import TacticPair, unique_pairs
from ntp.data.recorded_splits import load_recorded_split, recorded_kinds
from ntp.data.records import TheoremRecord
from ntp.data.splits import AUTO, Split, load_or_make_split
from ntp.errors import ConfigError, DataError
from ntp.evaluation.costs import expected_costs, recorded_costs
from ntp.retrieval.augmentation import Augmentation
from ntp.seeding import derive_seed
from ntp.types import Theorem
from ntp.workflow.shards import Shard


def load_split(cfg: DictConfig, dataset: Dataset, auto: str = "random") -> Split:
    """The split that `cfg.data.split` describes, kept with the data set; a benchmark has its own.

    Args:
        cfg: The config.
        dataset: The data set.
        auto: The kind of a split for which `auto` is asked.

    Raises:
        DataError: There is no such split, or it does not fit the data.
    """
    chosen = cfg.data.split
    kind = auto if chosen.kind == AUTO else chosen.kind
    if recorded_kinds(dataset):
        if chosen.test_files:
            raise DataError("the data comes split: data.split.test_files cannot choose its test part")
        return load_recorded_split(dataset, kind, chosen.seed, chosen.verifier_fraction)
    options = OmegaConf.to_container(OmegaConf.merge(chosen, {"kind": kind}), resolve=True)
    assert isinstance(options, dict)
    return load_or_make_split(dataset, **{str(name): value for name, value in options.items()})


def tactic_pairs(
    records: Iterable[TheoremRecord],
    max_state_chars: int | None = None,
    max_tactic_chars: int | None = None,
    augmentation: Augmentation | None = None,
) -> list[TacticPair]:
    """The distinct (state, tactic) pairs of recorded proofs, without those that are too long or say nothing.

    With an augmentation, premises stand before the states; they do not count as the states' length.
    """
    steps = [
        (record.theorem, step)
        for record in records
        for step in record.steps
        if step.tactic.strip()
        and (max_state_chars is None or len(step.state) <= max_state_chars)
        and (max_tactic_chars is None or len(step.tactic) <= max_tactic_chars)
    ]
    states = [step.state for _, step in steps]
    if augmentation is not None:
        states = augmentation(states, [theorem for theorem, _ in steps])
    return unique_pairs(TacticPair(s, step.tactic) for s, (_, step) in zip(states, steps, strict=True))


def require_proofs(dataset: Dataset) -> None:
    """Raise `DataError` when there is no tactic to learn from in a whole data set."""
    if not dataset.metadata.num_steps:
        raise DataError(
            f"the data set of {dataset.metadata.num_theorems} theorems holds statements without proofs, and "
            "supervised fine-tuning learns from proofs: choose other data, such as data=leandojo"
        )


def posable_theorems(records: Sequence[TheoremRecord], max_steps: int | None = None) -> list[TheoremRecord]:
    """Theorems that can be posed to a prover (Coq's end with `Qed`), without those of longer recorded proofs.

    A theorem whose proof is not recorded counts as short.
    """
    posable = [r for r in records if r.prover == "lean" or r.closing == "Qed"]
    return [r for r in posable if max_steps is None or len(r.steps) <= max_steps]


def named_theorems(names: Iterable[str], file: str | None) -> frozenset[str]:
    """Names of theorems, those of a file among them, one a line.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        lines = [] if file is None else Path(file).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"evaluation.theorems_file={file}: cannot be read: {error}") from None
    return frozenset(name for text in (*names, *lines) if (name := text.strip()))


def sample_theorems(
    cfg: DictConfig,
    dataset: Dataset,
    split: str,
    num: int | None,
    auto: str = "random",
    named: frozenset[str] = frozenset(),
) -> list[TheoremRecord]:
    """At most `num` theorems of a part of the split that can be posed, in order of file and position.

    Which ones is a function of the split's seed: samples of different sizes contain one another. `auto` is as
    for `load_split`. With `named`, only theorems of these ids, or of ids that end in them after a dot.

    Raises:
        DataError: There is none.
    """
    records = posable_theorems(dataset.select(part_of(load_split(cfg, dataset, auto), split)))
    if named:
        records = [r for r in records if {r.theorem.id, r.theorem.id.rpartition(".")[2]} & named]
    require_theorems(records, f"in the {split} split")
    chosen = sorted(records, key=lambda r: derive_seed(cfg.data.split.seed, r.theorem.id))
    kept = {record.theorem.id for record in chosen[:num]}
    return [record for record in records if record.theorem.id in kept]


def part_of(splits: Split, split: str) -> tuple[str, ...]:
    """The theorems of a part of the split, by id.

    Args:
        splits: The split.
        split: `train`, `verifier`, `val` or `test`.

    Raises:
        ConfigError: There is no such part.
    """
    parts = {"train": splits.train, "verifier": splits.verifier, "val": splits.val, "test": splits.test}
    if split not in parts:
        raise ConfigError(f"there is no split {split}: choose one of {', '.join(parts)}")
    return parts[split]


def require_theorems(records: Sequence[TheoremRecord], what: str) -> None:
    """Raise `DataError` when there is nothing to work on."""
    if not records:
        raise DataError(f"no theorem {what}: widen data.include or change data.split")


def shard_of(options: DictConfig, searches: DictConfig, records: Sequence[TheoremRecord]) -> slice:
    """Which theorems are to be worked on: all, or those of the shard.

    Args:
        options: Section of the config with the options of sharding.
        searches: Section of the config with the searches, `sampling` and `best_first`.
        records: All theorems, those of a file in a row.

    Raises:
        ConfigError: There are more shards than theorems.
        DataError: The recorded costs are of other theorems.
    """
    if options.shard is None:
        return slice(None)
    costs = expected_costs(records, num_tactics(searches))
    if options.costs is not None:
        costs = recorded_costs(Path(options.costs), records, costs)
    return Shard.parse(options.shard).of(costs)


def num_tactics(searches: DictConfig) -> int:
    """About how many tactics searches sample for a theorem: most samples stop at their first."""
    total = 1
    if "sampling" in searches:
        total += searches.sampling.num_samples
    if "best_first" in searches:
        total += searches.best_first.max_expansions * searches.best_first.samples_per_expansion
    return total


# Provers wait for the slowest theorem of a part, so parts are many times as long as there are provers.
_PART_SIZE = 96


@dataclass(frozen=True, slots=True)
class Part:
    """Some neighbouring theorems, and the file that exists once they are done.

    Long work on theorems is done in parts, each written as soon as it is done: a kill loses one part at most.
    """

    path: Path
    theorems: Sequence[Theorem]


def parts_of(directory: Path, name: str, theorems: Sequence[Theorem]) -> list[Part]:
    """The parts of a piece of work, in order."""
    return [
        Part(directory / "parts" / f"{name}-{begin:06d}.jsonl", theorems[begin : begin + _PART_SIZE])
        for begin in range(0, len(theorems), _PART_SIZE)
    ]


def num_done(parts: Sequence[Part]) -> int:
    """Number of theorems in the parts that are done."""
    return sum(len(part.theorems) for part in parts if part.path.exists())
