"""From a data set on disk to what training and evaluation work on; without Torch, so that it is at hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from omegaconf import DictConfig, OmegaConf

from ntp.data.dataset import Dataset
from ntp.data.examples import TacticPair, unique_pairs
from ntp.data.recorded_splits import load_recorded_split, recorded_kinds
from ntp.data.records import TheoremRecord
from ntp.data.splits import Split, load_or_make_split
from ntp.errors import ConfigError, DataError
from ntp.retrieval.augmentation import Augmentation
from ntp.seeding import derive_seed


def load_split(cfg: DictConfig, dataset: Dataset) -> Split:
    """The split that `cfg.data.split` describes, kept beside the data set; a benchmark's is its own.

    Raises:
        DataError: There is no such split, or its sides cannot be had.
    """
    chosen = cfg.data.split
    if recorded_kinds(dataset):
        if chosen.test_files:
            raise DataError("the data comes split: data.split.test_files cannot choose its test side")
        return load_recorded_split(dataset, chosen.kind, chosen.seed, chosen.verifier_fraction)
    options = OmegaConf.to_container(chosen, resolve=True)
    assert isinstance(options, dict)
    return load_or_make_split(dataset, **{str(name): value for name, value in options.items()})


def tactic_pairs(
    records: Iterable[TheoremRecord],
    max_state_chars: int | None = None,
    max_tactic_chars: int | None = None,
    augmentation: Augmentation | None = None,
) -> list[TacticPair]:
    """The distinct (state, tactic) pairs of recorded proofs, without those that are longer than wanted.

    With an augmentation, premises stand before the states; they do not count as the states' length.
    """
    steps = [
        (record.theorem, step)
        for record in records
        for step in record.steps
        if (max_state_chars is None or len(step.state) <= max_state_chars)
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


def sample_theorems(cfg: DictConfig, dataset: Dataset, side: str, num: int | None) -> list[TheoremRecord]:
    """At most `num` provable theorems of a side of the split, in order of file and position.

    Which ones is a function of the split's seed: samples of different sizes contain one another.

    Raises:
        DataError: There is none.
    """
    records = posable_theorems(dataset.select(side_of(load_split(cfg, dataset), side)))
    require_theorems(records, f"in the {side} split")
    chosen = sorted(records, key=lambda r: derive_seed(cfg.data.split.seed, r.theorem.id))
    kept = {record.theorem.id for record in chosen[:num]}
    return [record for record in records if record.theorem.id in kept]


def side_of(split: Split, side: str) -> tuple[str, ...]:
    """The theorems of a side of the split, by id.

    Raises:
        ConfigError: There is no such side.
    """
    sides = {"train": split.train, "verifier": split.verifier, "val": split.val, "test": split.test}
    if side not in sides:
        raise ConfigError(f"{side} is no side of the split: choose one of {', '.join(sides)}")
    return sides[side]


def require_theorems(records: Sequence[TheoremRecord], what: str) -> None:
    """Raise `DataError` when there is nothing to work on."""
    if not records:
        raise DataError(f"no theorem {what}: widen data.include or change data.split")
