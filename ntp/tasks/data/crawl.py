"""Find the repositories of Coq and Lean on GitHub: a list for `extract_repos`, and what is left out."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig
from rich.console import Console

from ntp.bounds import NonNegativeFloat
from ntp.data.crawl.copies import Contents, Copied, find_copies
from ntp.data.crawl.github import GitHub
from ntp.data.crawl.journal import Journal, read_journal
from ntp.data.crawl.search import search
from ntp.errors import ConfigError
from ntp.jsonl import write_jsonl
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.stage import read
from ntp.workflow.task import Task

JOURNAL, LIST, LEFT_OUT = "journal.jsonl", "repositories.yaml", "left_out.jsonl"
_PROVERS = {"Lean": "lean"}
_SUFFIXES = {"coq": ".v", "lean": ".lean"}


@dataclass(frozen=True)
class CrawlOptions:
    """What is looked for on GitHub. A token in the environment variable GITHUB_TOKEN raises its limits.

    Attributes:
        languages: As GitHub calls them; Coq was renamed, and not every repository has been looked at since.
        first: First day of creation, as YYYY-MM-DD.
        last: Last day of creation; null for today.
        licences: SPDX identifiers of licences that are taken; empty for any, also none.
        earlier: Directory of an earlier crawl, whose answers are used again where they still hold.
        base_url: Address of GitHub's interface.
        wait_s: Seconds after a secondary limit that does not say how long to wait.
        pause_s: Seconds between two requests.
    """

    languages: list[str] = field(default_factory=lambda: ["Coq", "Rocq Prover", "Lean"])
    first: str = "2008-01-01"
    last: str | None = None
    licences: list[str] = field(
        default_factory=lambda: [
            "MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "CC0-1.0", "Unlicense", "MPL-2.0",
            "LGPL-2.1", "LGPL-3.0", "GPL-2.0", "GPL-3.0", "AGPL-3.0", "CECILL-2.1", "CECILL-B", "CECILL-C",
        ]
    )  # fmt: skip
    earlier: str | None = None
    base_url: str = "https://api.github.com"
    wait_s: NonNegativeFloat = 60.0
    pause_s: NonNegativeFloat = 0.1


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A repository that is not taken, and why."""

    name: str
    reason: str


def run(context: Context) -> dict[str, float]:
    """Search, look at the newest commit of each repository, and write the list."""
    options = context.cfg.crawl
    if options.earlier is not None and Path(options.earlier).resolve() == context.directory.resolve():
        raise ConfigError("crawl.earlier is this crawl itself: resume=true goes on with it")
    journal = Journal(context.directory / JOURNAL)
    earlier = read_journal(Path(options.earlier) / JOURNAL) if options.earlier is not None else {}
    github = GitHub(journal, earlier, options.base_url, options.wait_s, options.pause_s)
    left_out: list[LeftOut] = []
    found = _found(github, options)
    taken = [item for item in found if not _refused(item, options, left_out)]
    contents, commits = _contents(github, taken, left_out)
    copies = find_copies(contents)
    left_out += [
        LeftOut(name, f"a copy of {copied.original}") for name, copied in copies.items() if copied.original
    ]
    kept = [item for item in taken if item["name"] in copies and not copies[item["name"]].original]
    entries = [_entry(item, commits[item["name"]], copies[item["name"]]) for item in kept]
    context.write({LIST: yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)})
    write_jsonl(context.directory / LEFT_OUT, sorted(left_out, key=lambda out: out.name))
    journal.close()
    reasons = Counter(out.reason.partition(" of ")[0] for out in left_out)
    console = Console(stderr=True)
    for reason, number in reasons.most_common():
        console.print(f"{number:,} left out: {reason}", highlight=False)
    return {
        "num_found": len(found),
        "num_taken": len(entries),
        "num_left_out": len(left_out),
        "num_requests": github.num_asked,
        "num_unchanged": github.num_unchanged,
    }


def _found(github: GitHub, options: DictConfig) -> list[Mapping[str, Any]]:
    """Every repository once, the oldest first."""
    first, last = _day(options.first), _day(options.last) if options.last else datetime.date.today()
    items = {
        item["name"]: item for language in options.languages for item in search(github, language, first, last)
    }
    return sorted(items.values(), key=lambda item: (item["created"], item["name"]))


def _refused(item: Mapping[str, Any], options: DictConfig, left_out: list[LeftOut]) -> bool:
    reason = ""
    if item["fork"]:
        reason = "a fork"
    elif options.licences and item["licence"] not in options.licences:
        reason = f"licence {item['licence'] or 'unknown'}"
    if reason:
        left_out.append(LeftOut(item["name"], reason))
    return bool(reason)


def _contents(
    github: GitHub, items: Sequence[Mapping[str, Any]], left_out: list[LeftOut]
) -> tuple[list[Contents], dict[str, str]]:
    """Sources and newest commit of each repository that has any."""
    contents: list[Contents] = []
    commits: dict[str, str] = {}
    with ProgressReporter("repositories", len(items), "repositories") as progress:
        for item in items:
            name = item["name"]
            newest = github.get(f"/repos/{name}/commits", {"sha": item["branch"], "per_page": 1})
            if not newest.value:
                left_out.append(LeftOut(name, "empty" if newest.status == 409 else "gone"))
            else:
                commit = newest.value[0]
                tree = github.get(f"/repos/{name}/git/trees/{commit['tree']}", {"recursive": 1})
                files = _sources(item, tree.value["files"] if tree.value else ())
                if files:
                    commits[name] = commit["sha"]
                    contents.append(Contents(name, tuple(files)))
                else:
                    left_out.append(LeftOut(name, "no sources"))
            progress.advance(1)
    return contents, commits


def _sources(item: Mapping[str, Any], files: Sequence[Sequence[Any]]) -> list[tuple[str, str]]:
    suffix = _SUFFIXES[_prover(item)]
    return [(path, identity) for path, identity, _ in files if path.endswith(suffix)]


def _prover(item: Mapping[str, Any]) -> str:
    return _PROVERS.get(item["language"], "coq")


def _entry(item: Mapping[str, Any], commit: str, copied: Copied) -> dict[str, Any]:
    """An entry of the list; names are unique, since GitHub's owners have no `--` in their names."""
    entry: dict[str, Any] = {
        "name": item["name"].replace("/", "--"),
        "url": item["url"],
        "commit": commit,
        "prover": _prover(item),
        "licence": item["licence"],
    }
    if entry["prover"] == "lean":
        entry["include"] = ["**/*.lean"]
    if copied.directories:
        entry["exclude"] = [
            f"{directory}/**/*{_SUFFIXES[entry['prover']]}" for directory in copied.directories
        ]
    return entry


def _day(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no day: give crawl.first and crawl.last as YYYY-MM-DD") from None


def _check(cfg: DictConfig) -> None:
    options = cfg.crawl
    first, last = _day(options.first), _day(options.last) if options.last else datetime.date.today()
    if first > last:
        raise ConfigError(f"crawl.first={first} is after crawl.last={last}")
    if options.earlier is not None and not (Path(options.earlier) / JOURNAL).is_file():
        raise ConfigError(f"crawl.earlier={options.earlier}: no crawl here ({JOURNAL} is missing)")


def _reads(cfg: DictConfig) -> dict[str, Any]:
    values = read(cfg, "crawl")
    for name in ("wait_s", "pause_s", "earlier"):
        values["crawl"].pop(name, None)
    values["crawl"]["last"] = cfg.crawl.last or datetime.date.today().isoformat()
    return values


TASK = Task(name="crawl", run=run, reads=_reads, check=_check)
