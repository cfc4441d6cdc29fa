"""Reads pairs from Hugging Face data sets: on the Hub, saved to a folder, or CSV, Parquet and JSON files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ntp.errors import DataError
from ntp.formalization.readers import Reading, pairs_of
from ntp.formalization.records import NOT_GIVEN, TEST, Pair

# By the end of a file's name: the builder of `datasets` that reads it.
_BUILDERS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".json": "json", ".arrow": "arrow"}


def read_hub(name: str, reading: Reading | None = None, config: str | None = NOT_GIVEN) -> list[Pair]:
    """Read a data set through the `datasets` library; its splits are kept.

    Args:
        name: Its name on the Hub as `OWNER/NAME`, a folder that `save_to_disk` wrote or that holds data
            files, or one file.
        reading: How its rows are read.
        config: Its configuration on the Hub; None for the default one.

    Raises:
        DataError: It does not exist, cannot be reached or read, or as for `read_pairs`.
    """
    reading = reading or Reading()
    try:
        splits = _load(name, config)
        rows = [(f"{name}:{split}:{i}", row) for split, data in splits for i, row in enumerate(data)]
    except DataError:
        raise
    except Exception as error:  # `datasets` raises what its builders and the network raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{name}: the data set cannot be read: {reason}") from None
    with_split = ((place, {"split": place.split(":")[-2], **row}) for place, row in rows)
    return pairs_of(with_split, reading, Path(name).name, TEST, name)


def _load(name: str, config: str | None) -> Iterator[tuple[str, Any]]:
    """The parts of a data set with their names."""
    import datasets  # slow to import, and only needed here

    path = Path(name)
    if path.is_dir() and any((path / f).is_file() for f in ("dataset_dict.json", "state.json")):
        found = datasets.load_from_disk(name)
    elif path.is_file():
        builder = _BUILDERS.get(path.suffix)
        if builder is None:
            raise DataError(f"{name}: give a file that ends in {', '.join(_BUILDERS)} or .jsonl")
        options: dict[str, Any] = {"sep": "\t"} if path.suffix == ".tsv" else {}
        found = datasets.load_dataset(builder, data_files={TEST: name}, **options)
    else:
        found = datasets.load_dataset(name, config)
    if isinstance(found, datasets.DatasetDict):
        return iter([(str(name), data) for name, data in found.items()])
    return iter([(TEST, found)])
