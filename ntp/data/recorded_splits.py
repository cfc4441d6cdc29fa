"""Splits that come with a data set, as those of a benchmark on which published results are reported.

They are used unchanged: nothing is drawn, and repeated statements are not removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ntp.data.dataset import Dataset
from ntp.data.drawing import draw_files
from ntp.data.splits import Split, SplitOptions, load_split, save_split, sealed
from ntp.errors import DataError

GIVEN = "given"

_FOLDER = Path("splits", "recorded")


def save_recorded_split(
    directory: Path, kind: str, parts: Mapping[str, Sequence[str]], dataset_hash: str
) -> None:
    """Write splits that came with the data.

    Args:
        directory: Directory of the data set.
        kind: Their name, for `data.split.kind`.
        parts: Ids of the train, val and test split, in the order of the data set.
        dataset_hash: Content hash of the data set.

    Raises:
        DataError: The directory cannot be written.
    """
    split = Split(
        kind=kind,
        seed=0,
        val_fraction=0.0,
        test_fraction=0.0,
        test_files=(),
        verifier_fraction=0.0,
        train=tuple(parts["train"]),
        val=tuple(parts["val"]),
        test=tuple(parts["test"]),
        verifier=(),
        num_duplicates=0,
        num_without_novel_premise=0,
        source_hash=dataset_hash,
    )
    save_split(sealed(split), directory / _FOLDER / f"{kind}.json")


def recorded_kinds(dataset: Dataset) -> tuple[str, ...]:
    """Names of the splits that came with a data set; none if its splits have to be made."""
    return tuple(sorted(path.stem for path in (dataset.directory / _FOLDER).glob("*.json")))


def load_recorded_split(
    dataset: Dataset,
    kind: str,
    seed: int = SplitOptions.seed,
    verifier_fraction: float = SplitOptions.verifier_fraction,
) -> Split:
    """Load splits that came with a data set.

    Args:
        dataset: The data set.
        kind: One of `recorded_kinds`.
        seed: Seed of the order in which files are drawn for the verifier split.
        verifier_fraction: Share of all theorems to move from the train to the verifier split, as nearly as
            whole files allow.

    Raises:
        DataError: There are no such splits, they belong to other records, or the fraction leaves the train
            split empty.
    """
    kinds = recorded_kinds(dataset)
    if kind not in kinds:
        raise DataError(
            f"the data set has its own splits, but none called {kind!r}: set data.split.kind to one of "
            f"{', '.join(kinds)}"
        )
    path = dataset.directory / _FOLDER / f"{kind}.json"
    split = load_split(path)
    if split.source_hash != dataset.metadata.content_hash:
        raise DataError(f"{path}: made from other theorems: extract the data set again (force=true)")
    return _with_verifier_part(dataset, split, seed, verifier_fraction) if verifier_fraction else split


def _with_verifier_part(dataset: Dataset, split: Split, seed: int, fraction: float) -> Split:
    file_of = {theorem.id: theorem.file for theorem in dataset.theorems}
    sizes: dict[str, int] = {}
    for theorem_id in split.train:
        sizes[file_of[theorem_id]] = sizes.get(file_of[theorem_id], 0) + 1
    drawn = draw_files(sizes, seed, fraction * len(file_of))
    train = tuple(i for i in split.train if file_of[i] not in drawn)
    verifier = tuple(i for i in split.train if file_of[i] in drawn)
    if not train or not verifier:
        raise DataError(f"verifier_fraction={fraction} leaves the train or the verifier split empty")
    return sealed(replace(split, seed=seed, verifier_fraction=fraction, train=train, verifier=verifier))
