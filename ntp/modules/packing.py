"""Several examples in one sequence, between which there is no attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ntp.modules.chat import Encoded


@dataclass(frozen=True, slots=True)
class Packed:
    """Examples that are one sequence for the model.

    Attributes:
        ids: Token ids.
        labels: Labels.
        positions: Position of each token in its own example: where it does not grow by one, another begins,
            which tells transformers to attend to neither from the other.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    positions: tuple[int, ...]


def pack(examples: Sequence[Encoded], max_tokens: int) -> list[Packed]:
    """Pack examples by best-fit decreasing (TRL's packer), in the order it gives.

    Longer examples are cut at `max_tokens`.

    Args:
        examples: The examples.
        max_tokens: Most tokens of a sequence.
    """
    from datasets import Dataset
    from trl.data_utils import pack_dataset

    columns = {
        "input_ids": [example.ids for example in examples],
        "labels": [example.labels for example in examples],
    }
    packed = pack_dataset(Dataset.from_dict(columns), max_tokens, "bfd")
    return [
        Packed(tuple(row["input_ids"]), tuple(row["labels"]), _positions(row["seq_lengths"]))
        for row in packed.to_list()
    ]


def alone(example: Encoded, max_tokens: int) -> Packed:
    """An example that is a sequence by itself, cut at `max_tokens`."""
    ids = example.ids[:max_tokens]
    return Packed(ids, example.labels[:max_tokens], _positions([len(ids)]))


def efficiency(packed: Sequence[Packed], max_tokens: int) -> float:
    """Share of the tokens of full sequences that are not padding."""
    return sum(len(sequence.ids) for sequence in packed) / (max_tokens * len(packed))


def _positions(lengths: Sequence[int]) -> tuple[int, ...]:
    return tuple(position for length in lengths for position in range(length))
