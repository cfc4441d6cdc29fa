"""One split of the theorems of all outputs, in which no evaluation part repeats what training shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ntp.data.drawing import draw_parts
from ntp.data.duplicates import Member, duplicate_groups, leaks
from ntp.data.splits import Split, SplitOptions
from ntp.seeding import derive_seed

TRAIN, DEV, TEST, FILE_DEV, FILE_TEST = "train", "dev", "test", "file_split_dev", "file_split_test"
PARTS = (TRAIN, DEV, TEST, FILE_DEV, FILE_TEST)


def parts_of_split(split: Split) -> dict[str, str]:
    """Part of each theorem by the files of a data set's split: `train` or one of the parts of whole files."""
    parts = dict.fromkeys((*split.train, *split.verifier), TRAIN)
    return parts | dict.fromkeys(split.val, FILE_DEV) | dict.fromkeys(split.test, FILE_TEST)


def parts_by_drawing(members: Sequence[Member], options: SplitOptions) -> dict[str, str]:
    """The same for theorems of several repositories, whose files are drawn together.

    Args:
        members: The theorems; a file is that of a repository, the id up to the first colon.
        options: Seed and fractions; `test_files` are globs of `repository/file`.
    """
    files = {member.id: f"{member.id.partition(':')[0]}/{member.record.theorem.file}" for member in members}
    sizes = dict(Counter(files.values()))
    seed, fractions = options.seed, (options.val_fraction, options.test_fraction, 0.0)
    test, val, _ = draw_parts(sizes, seed, *fractions, options.test_files)
    return {
        name: FILE_TEST if file in test else FILE_DEV if file in val else TRAIN
        for name, file in files.items()
    }


def parts_by_date(dates: Mapping[str, str | None], train_before: str, test_from: str) -> dict[str, str]:
    """The same by when each theorem was created: `train` before a day, `file_split_test` from a day on.

    Theorems in between, and those of unknown date, are in no part.

    Args:
        dates: Date of each theorem, as YYYY-MM-DD.
        train_before: The first day that is no longer for training.
        test_from: The first day of the test part, not before `train_before`.
    """
    known = {name: date for name, date in dates.items() if date is not None}
    return {
        name: TRAIN if date < train_before else FILE_TEST
        for name, date in known.items()
        if date < train_before or date >= test_from
    }


def without_leaks(
    members: Sequence[Member], parts: dict[str, str], dev_fraction: float, test_fraction: float, seed: int
) -> tuple[dict[str, str], int]:
    """Draw `dev` and `test` from the training files, and drop what repeats a theorem of another part.

    Duplicates (`ntp.data.duplicates`) are drawn together.

    Args:
        members: The theorems, in a fixed order.
        parts: `train` or a part of whole files, for every theorem that is in the data's split.
        dev_fraction: Share of the training files' theorems in `dev`.
        test_fraction: The same for `test`.
        seed: Seed of the draw.

    Returns:
        The part of each theorem that is kept, and how many were dropped.
    """
    groups = duplicate_groups(members)
    drawn_parts: dict[str, str] = {}
    for member in members:
        if member.id not in parts:
            continue
        part = parts[member.id]
        if part == TRAIN:
            drawn = derive_seed("declaration split", seed, groups[member.id]) / 2**63
            part = DEV if drawn < dev_fraction else TEST if drawn < dev_fraction + test_fraction else TRAIN
        drawn_parts[member.id] = part
    leaking = leaks(drawn_parts, groups)
    return {name: part for name, part in drawn_parts.items() if name not in leaking}, len(leaking)
