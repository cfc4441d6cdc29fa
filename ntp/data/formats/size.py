"""How much room outputs take that repeat a source in every row."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from ntp.data.dataset import Dataset
from ntp.errors import ConfigError

# Outputs with a row for each theorem, or for each tactic, that holds the source up to it.
_BY_THEOREM = frozenset({"full_proof", "full_proof_with_states", "minictx"})
_BY_TACTIC = frozenset({"tactic_prediction", "training_data_with_premises"})


def least_bytes(dataset: Dataset, kinds: Collection[str]) -> int:
    """A lower bound of the size of some outputs of a data set: that of the sources in their rows."""
    num_by_theorem, num_by_tactic = len(_BY_THEOREM & set(kinds)), len(_BY_TACTIC & set(kinds))
    if not dataset.sources or not num_by_theorem + num_by_tactic:
        return 0
    return sum(
        num_by_theorem * record.theorem.declaration.begin
        + num_by_tactic * sum(step.span.begin for step in record.steps)
        for record in dataset.iter_theorems()
    )


def require_space(datasets: Iterable[Dataset], kinds: Collection[str], directory: Path) -> None:
    """Check that outputs have room, before the first is written.

    Args:
        datasets: What is exported.
        kinds: The outputs.
        directory: Where they are written. What is there already counts as written.

    Raises:
        ConfigError: They have not.
    """
    needed = sum(least_bytes(dataset, kinds) for dataset in datasets)
    written = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    free = shutil.disk_usage(directory).free
    if needed - written > free:
        raise ConfigError(
            f"the outputs take at least {needed / 1e9:.1f} GB, since rows repeat their source, and "
            f"{directory} has room for {free / 1e9:.1f} GB: choose some with export.kinds, or another "
            "paths.outputs"
        )
