"""What tests of editors share: a file with an open proof, and the programs."""

import os
import shutil
import subprocess
import sys

import pytest

from ntp.config.paths import PROJECT_ROOT

# The cursor goes behind the two blanks of the third line.
SOURCE = "Lemma both (A B : Prop) : A /\\ B -> B /\\ A.\nProof.\n  \nQed.\n"
MINUTES = 240.0


@pytest.fixture
def program():
    """The path of a program; skips the test where it is missing."""

    def find(name):
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is missing: make editors")
        return path

    return find


@pytest.fixture
def source(tmp_path):
    """A file with an open proof in a folder of its own."""
    file = tmp_path / "Both.v"
    file.write_text(SOURCE)
    return file


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like a checkout after `make setup`, with the Python that runs the tests."""
    directory = tmp_path / "checkout"
    (directory / ".venv/bin").mkdir(parents=True)
    python = directory / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\ncd "{PROJECT_ROOT}" && exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return directory


@pytest.fixture
def environment(tmp_path):
    """Environment variables of an editor that finds nobody's settings, and of the server that it starts."""
    return {
        **os.environ,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(PROJECT_ROOT),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }


@pytest.fixture
def compiles(program, tmp_path):
    """Whether Coq's own compiler takes a file."""

    def check(file):
        done = subprocess.run(
            [program("coqc"), "-q", file.name], cwd=file.parent, capture_output=True, timeout=MINUTES
        )
        return done.returncode == 0

    return check
