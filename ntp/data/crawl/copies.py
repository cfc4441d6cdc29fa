"""Copies of repositories, and copies of others' directories in them, by the identities of their files.

Git names a file by a hash of its content, so a copied file is found without being read. Files that were
changed are not; theorems that are nearly the same are found when data is written (`ntp.data.duplicates`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

# A repository is a copy if this share of its files is in one older repository.
COPY_SHARE = 0.8
# A directory is somebody else's if all of its files, and at least so many, are in older repositories.
_FEWEST_FILES = 3


@dataclass(frozen=True, slots=True)
class Contents:
    """The sources of a repository: path and identity of each file."""

    name: str
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Copied:
    """What a repository has copied.

    Attributes:
        original: The older repository of which it is a copy; empty if it is none.
        directories: Directories whose files all are in older repositories, none below another.
    """

    original: str
    directories: tuple[str, ...]


def find_copies(repositories: Sequence[Contents]) -> dict[str, Copied]:
    """What each repository has copied from the ones before it.

    Args:
        repositories: From the oldest to the newest.
    """
    owners: dict[str, list[str]] = {}
    found = {}
    for repository in repositories:
        identities = {identity for _, identity in repository.files}
        shared = Counter(owner for identity in identities for owner in owners.get(identity, ()))
        original, number = min(shared.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
        if identities and number >= COPY_SHARE * len(identities):
            found[repository.name] = Copied(original, ())
            continue
        found[repository.name] = Copied("", _copied_directories(repository, owners))
        for identity in identities:
            owners.setdefault(identity, []).append(repository.name)
    return found


def _copied_directories(repository: Contents, owners: dict[str, list[str]]) -> tuple[str, ...]:
    below: dict[str, list[str]] = defaultdict(list)
    for path, identity in repository.files:
        for parent in PurePosixPath(path).parents:
            if parent.name:
                below[str(parent)].append(identity)
    copied = {
        directory
        for directory, identities in below.items()
        if len(identities) >= _FEWEST_FILES and all(identity in owners for identity in identities)
    }
    return tuple(
        sorted(d for d in copied if not any(str(parent) in copied for parent in PurePosixPath(d).parents))
    )
