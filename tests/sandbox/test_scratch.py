"""Temporary directories of killed processes are removed by the next process, and no others."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ntp.sandbox import process as child_process

START = """
import time
from ntp.sandbox.limits import Limits
from ntp.sandbox.process import ChildProcess
child = ChildProcess(["cat"], Limits(isolation="limits"))
print(child.cwd, flush=True)
time.sleep(THEN)
child.close()
"""


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """Where temporary directories are made in the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def start(directory):
    """Starts a process with a prover that ends after some seconds; it and the prover's directory."""
    started = []

    def start_one(then=1000):
        code = START.replace("THEN", str(then))
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    yield start_one
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def run_another(start):
    """Runs a process with a prover to its end."""

    def run():
        process, path = start(then=0)
        assert process.wait() == 0
        assert not path.exists()

    return run


def make_old(path):
    for name in path.iterdir():
        os.utime(name, (0, 0), follow_symlinks=False)
    os.utime(path, (0, 0))


def test_what_a_killed_process_left_is_removed_once_it_is_old(directory, start, run_another):
    killed, left = start()
    (left / "large").mkdir()
    (left / "large" / "file").write_text("text")
    killed.kill()
    killed.wait()
    run_another()
    assert left.is_dir()
    make_old(left)
    run_another()
    assert not list(directory.iterdir())


def test_who_runs_keeps_its_own(start, run_another):
    _, path = start()
    make_old(path)
    run_another()
    assert path.is_dir()


def test_what_others_named_alike_stays(directory, run_another):
    (directory / "ntp-notes").mkdir()
    (directory / "ntp-file").write_text("text")
    elsewhere = directory / "elsewhere"
    for path in (elsewhere, directory / "ntp-of-a-link"):
        path.mkdir()
    (elsewhere / child_process._LOCK_NAME).touch()
    (directory / "ntp-of-a-link" / child_process._LOCK_NAME).symlink_to(elsewhere / child_process._LOCK_NAME)
    (directory / "ntp-link").symlink_to(elsewhere)
    before = sorted(directory.rglob("*"))
    for path in (elsewhere, directory / "ntp-notes", directory / "ntp-of-a-link"):
        make_old(path)
    run_another()
    assert sorted(directory.rglob("*")) == before


def test_closing_twice_removes_it_once(directory):
    made = child_process.Scratch()
    assert made.path.parent == directory
    made.close()
    made.close()
    assert not list(directory.iterdir())
