"""The crawler, against a server that answers and refuses as GitHub does."""

import json
import os
import random
import signal
import time

import pytest
import yaml

from ntp.data.repositories import read_repositories

pytestmark = pytest.mark.slow

# More of both for a study: experiments/2026-11-28-data-formats.md.
NUM_REPOSITORIES = int(os.environ.get("NTP_CRAWL_REPOSITORIES", "240"))
NUM_KILLS = int(os.environ.get("NTP_CRAWL_KILLS", "4"))
TOKEN = "ghp_not_a_real_token"


@pytest.fixture
def crawl(own_cli, tmp_path):
    """The command line with outputs of its own, and the options of a crawl of a server."""

    def of(server, *options):
        own = own_cli.with_outputs(tmp_path)
        fixed = ["crawl.last=2024-01-01", "crawl.wait_s=0", "crawl.pause_s=0", f"crawl.base_url={server.url}"]
        return own, ["+experiment=crawl", *fixed, *options]

    return of


def expected(server):
    """What is to be taken, and what of it left out, by an independent look at what the server has."""
    ordered = sorted(server.repositories.values(), key=lambda r: (r["created"], r["name"]))
    taken, owners = {}, {}
    for repository in ordered:
        suffix = ".lean" if repository["language"] == "Lean" else ".v"
        files = {p: i for p, i in repository["files"].items() if p.endswith(suffix)}
        usable = repository["licence"] not in ("NOASSERTION", None) and repository["kind"] != "fork"
        if not usable or not files:
            continue
        identities = set(files.values())
        if any(len(identities & theirs) >= 0.8 * len(identities) for theirs in owners.values()):
            continue
        seen = set().union(*owners.values()) if owners else set()
        copied = []
        # What is taken over may have taken over something itself: `vendor/vendor` may be all that is known.
        for place in ("theories/", "vendor/", "vendor/vendor/", "vendor/vendor/vendor/"):
            below = [identity for path, identity in files.items() if path.startswith(place)]
            inside = any(place.startswith(known) for known in copied)
            if len(below) >= 3 and set(below) <= seen and not inside:
                copied.append(place)
        assert "theories/" not in copied
        taken[repository["name"].replace("/", "--")] = [f"{place}**/*{suffix}" for place in copied]
        owners[repository["name"]] = identities
    return taken


def test_originals_are_taken_and_copies_are_not(crawl, github_server, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    server = github_server(NUM_REPOSITORIES)
    own, command = crawl(server)
    done = own(*command)
    assert done.returncode == 0, done.stderr[-3000:]
    directory = own.succeed(*command)
    entries = yaml.safe_load((directory / "repositories.yaml").read_text())
    assert {entry["name"]: entry.get("exclude", []) for entry in entries} == expected(server)
    assert any(entry.get("exclude") for entry in entries), "a directory of somebody else's"
    assert len(read_repositories(directory / "repositories.yaml")) == len(entries), "extract_repos reads it"
    reasons = [json.loads(line)["reason"] for line in (directory / "left_out.jsonl").read_text().splitlines()]
    for reason in ("a fork", "empty", "gone", "no sources", "licence unknown", "licence NOASSERTION"):
        assert reason in reasons
    assert any(reason.startswith("a copy of owner") for reason in reasons)
    assert server.statuses[403] > 0 and server.statuses[502] > 0, "limits were met"
    assert set(server.asked.values()) == {1}, "nothing is asked for twice"
    assert server.tokens == {f"token {TOKEN}"}
    for path in directory.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    assert TOKEN not in done.stderr + done.stdout


def test_a_crawl_that_is_killed_finds_the_same(crawl, github_server, warm):
    server = github_server(NUM_REPOSITORIES)
    own, command = crawl(server)
    rng = random.Random(1)
    for kill in range(NUM_KILLS):
        before = sum(server.statuses.values())
        pid = warm.start("ntp.run", *own.arguments(*command, "resume=true"))
        # All kills together come before the end: there are more requests than repositories.
        goal = before + rng.randrange(1, NUM_REPOSITORIES // (NUM_KILLS - 1))
        deadline = time.monotonic() + 120
        while sum(server.statuses.values()) < goal and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        assert warm.wait(pid).returncode == -signal.SIGKILL, f"kill {kill}: the crawl was over"
    directory = own.succeed(*command, "resume=true")
    entries = yaml.safe_load((directory / "repositories.yaml").read_text())
    assert {entry["name"]: entry.get("exclude", []) for entry in entries} == expected(server)
    repeated = sum(number - 1 for number in server.asked.values())
    assert repeated <= 2 * NUM_KILLS, "what was answered is kept"


def test_what_has_not_changed_is_not_sent_again(crawl, github_server, own_cli, tmp_path):
    server = github_server(60)
    own, command = crawl(server)
    first = own.succeed(*command)
    asked, unchanged = sum(server.asked.values()), server.statuses[304]
    name = next(n for n, r in server.repositories.items() if r["kind"] == "own" and r["licence"] == "MIT")
    server.repositories[name]["files"]["theories/New.v"] = "f" * 40
    server.repositories[name]["files"]["theories/New.lean"] = "e" * 40
    other = own_cli.with_outputs(tmp_path / "other")
    again = other.succeed(*command, f"crawl.earlier={first}")
    assert server.statuses[304] - unchanged == asked - 1
    summary = json.loads((again / "summary.json").read_text())
    assert summary["num_unchanged"] == asked - 1


def test_languages_with_more_than_a_thousand_results_are_found_whole(crawl, github_server):
    server = github_server(2500)
    server.limits = False
    for repository in server.repositories.values():  # so that nothing but searches is asked
        repository["licence"] = None
    own, command = crawl(server)
    directory = own.succeed(*command)
    assert json.loads((directory / "summary.json").read_text())["num_found"] == 2500


def test_mistakes_are_one_line(crawl, github_server):
    server = github_server(5)
    own, command = crawl(server)
    assert "is no day" in own.fail(*command, "crawl.first=yesterday")
    assert "is after crawl.last" in own.fail(*command, "crawl.first=2025-01-01")
    assert "no crawl here" in own.fail(*command, "crawl.earlier=/nowhere")
    server.close()
    line = own.fail(*command)
    assert "GitHub cannot be asked for /search/repositories" in line and "resume=true" in line
