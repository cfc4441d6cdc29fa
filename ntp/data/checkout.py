"""Checks out a repository at a commit. What it holds is not trusted: nothing of it is run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ntp.data.sources import Origin
from ntp.errors import DataError

_TIMEOUT_S = 1800.0
# No hooks, no filters that run programs, no links (which may lead out of the checkout), no further protocols.
SAFE = [
    "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=false", "-c", "core.fsmonitor=false",
    "-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false",
    "-c", "protocol.ext.allow=never", "-c", "credential.helper=", "-c", "core.autocrlf=false",
    "-c", "log.showSignature=false",
]  # fmt: skip
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "GIT_LFS_SKIP_SMUDGE": "1"}
# No protocol at all: a repository that lacks objects may name a program that fetches them.
READING = {**_ENVIRONMENT, "GIT_ALLOW_PROTOCOL": ""}


def check_out(url: str, commit: str, directory: Path) -> None:
    """Clone a repository with its history and check out a commit, or its newest.

    Args:
        url: What `git clone` takes.
        commit: A commit, tag or branch; empty for the newest commit.
        directory: Where the checkout goes; a complete one is kept.

    Raises:
        DataError: There is no such repository or commit, or it cannot be fetched.
    """
    if url.startswith("-") or commit.startswith("-"):
        raise DataError(f"{url} {commit}: is no repository")
    done = directory / ".git" / "ntp-complete"
    if done.exists():
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.parent.mkdir(parents=True, exist_ok=True)
    git(["clone", "--quiet", "--no-checkout", "--", url, str(directory)], url, _ENVIRONMENT)
    git(
        ["-C", str(directory), "checkout", "--quiet", "--detach", commit or "HEAD", "--"],
        f"{url} {commit}".strip(),
    )
    done.touch()


def origin_of(directory: Path, name: str, licence: str = "") -> Origin:
    """Where a checkout comes from; only the name where it is no git repository."""
    if not (directory / ".git").exists():
        return Origin(name, licence=licence)
    try:
        commit, date = git(["-C", str(directory), "log", "-1", "--format=%H %cs"], str(directory)).split()
        url = git(
            ["-C", str(directory), "config", "--default", "", "remote.origin.url"], str(directory)
        ).strip()
    except (DataError, ValueError):
        return Origin(name, licence=licence)
    return Origin(name, _without_secrets(url), commit, licence, date)


def git(arguments: Sequence[str], what: str, variables: Mapping[str, str] = READING) -> str:
    """What a git command prints.

    Args:
        arguments: Without `git`.
        what: What is worked on, for the message.
        variables: Environment variables; by default nothing can be fetched.

    Raises:
        DataError: It fails.
    """
    command = ["git", *SAFE, *arguments]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{_without_secrets(what)}: git: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise DataError(f"{_without_secrets(what)}: {_without_secrets(said[-1])}")
    return done.stdout.decode(errors="replace")


def _without_secrets(text: str) -> str:
    """The text without the user and password of URLs."""
    before, found, after = text.partition("://")
    if not found:
        return text
    head, at, tail = after.partition("@")
    return f"{before}://{tail}" if at and "/" not in head else text
