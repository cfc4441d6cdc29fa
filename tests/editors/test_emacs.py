"""Emacs drives the server through eglot."""

import subprocess
from pathlib import Path

import pytest

from tests.editors.conftest import MINUTES

pytestmark = [pytest.mark.coq, pytest.mark.slow]


@pytest.fixture
def emacs(program):
    path = program("emacs")
    has = [
        path,
        "--batch",
        "--eval",
        "(progn (package-initialize) (kill-emacs (if (require 'eglot nil t) 0 1)))",
    ]
    if subprocess.run(has, capture_output=True, timeout=MINUTES).returncode:
        pytest.skip("eglot is missing: make editors")
    return path


def test_it_completes_a_proof_with_what_the_kernel_accepted(emacs, source, checkout, environment, compiles):
    assert not compiles(source)
    script = Path(__file__).with_name("drive.el")
    done = subprocess.run(
        [emacs, "--batch", "-l", script, source, checkout],
        env=environment,
        capture_output=True,
        text=True,
        timeout=MINUTES,
    )
    assert "inserted:" in done.stdout, done.stderr[-2000:]
    assert compiles(source), source.read_text()
