"""An evaluation in shards, made by a sweep and merged, against the same in one run, with the real Coq."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ntp.evaluation.results import TheoremResult
from ntp.jsonl import read_jsonl, write_jsonl

pytestmark = [pytest.mark.coq, pytest.mark.slow]


@pytest.fixture(scope="module")
def whole(own_cli, search_eval):
    return own_cli.succeed(*search_eval)


def directories(done: subprocess.CompletedProcess[str]) -> list[Path]:
    """The output directories of a sweep's jobs, in order; the last line is the sweep's own."""
    assert done.returncode == 0, done.stderr[-3000:]
    return [Path(line) for line in done.stdout.splitlines()[:-1] if Path(line).is_absolute()]


@pytest.fixture(scope="module")
def shards(own_cli, search_eval):
    """Both shards, after the second was killed in mid-work and the sweep sent again."""
    sweep = ["-m", *search_eval, "+sweep=shards", "evaluation.num_shards=2"]
    first = own_cli.succeed(*search_eval, "evaluation.shard=0/2")
    process = own_cli.begin(*sweep)
    deadline = time.monotonic() + 200
    begun: list[Path] = []
    while not begun and time.monotonic() < deadline:
        begun = [
            p.parent
            for p in own_cli.outputs.glob("search_eval-*/results-one_shot.jsonl")
            if p.parent != first
        ]
        begun = [path for path in begun if not (path / "COMPLETE").exists()]
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (second,) = begun
    assert not (second / "COMPLETE").exists(), "the shard was over before it could be killed"
    before = (first / "COMPLETE").stat().st_mtime_ns, (second / "results-one_shot.jsonl").stat().st_mtime_ns
    assert directories(own_cli(*sweep, "resume=true")) == [first, second]
    after = (first / "COMPLETE").stat().st_mtime_ns, (second / "results-one_shot.jsonl").stat().st_mtime_ns
    assert after == before, "only what is missing is made"
    return first, second


def test_shards_merge_to_what_one_run_finds(own_cli, search_eval, whole, shards, assert_same_results):
    merged = own_cli.succeed(*search_eval, "evaluation.num_shards=2")
    assert merged != whole
    assert_same_results(merged, whole)


def test_a_lost_shard_is_named_and_made_again(own_cli, search_eval, whole, shards, assert_same_results):
    _, lost = shards
    shutil.rmtree(lost)
    done = own_cli(*search_eval, "evaluation.num_shards=2", "force=true")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "needs search_eval (shard/1), which is made first" in done.stderr
    assert "(shard/0)" not in done.stderr
    assert_same_results(Path(done.stdout.splitlines()[-1]), whole)


def test_shards_that_make_no_whole_are_refused(own_cli, search_eval, shards):
    _, second = shards
    file = second / "results-policy.jsonl"
    kept = file.read_text()
    file.write_text("".join(kept.splitlines(keepends=True)[1:]))
    try:
        line = own_cli.fail(*search_eval, "evaluation.num_shards=2", "force=true")
    finally:
        file.write_text(kept)
    assert "1 theorems missing" in line


def test_shards_follow_the_times_of_an_earlier_run(own_cli, search_eval, whole):
    """The costliest theorem of an earlier run is alone in a shard if its record says so."""
    found = list(read_jsonl(whole / "results-policy.jsonl", TheoremResult))
    earlier = own_cli.outputs / "earlier"
    earlier.mkdir()
    costly = [replace(r, wall_s=100.0 if i == 0 else 1.0) for i, r in enumerate(found)]
    write_jsonl(earlier / "results-policy.jsonl", costly)
    shard = own_cli.succeed(*search_eval, "evaluation.shard=0/2", f"evaluation.costs={earlier}")
    names = [r.theorem for r in read_jsonl(shard / "results-policy.jsonl", TheoremResult)]
    assert names == [found[0].theorem]
