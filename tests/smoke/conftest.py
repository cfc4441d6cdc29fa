"""Runs the command line as a user does, in processes of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# A slice of the library and a model so small that the whole path takes seconds.
SMALL = [
    "data.include=[Bool/*.v,Relations/*.v]",
    "data.split.test_files=[Bool/Bool.v]",
    "model.hidden_size=32",
    "model.num_layers=1",
    "model.num_heads=2",
    "model.intermediate_size=64",
    "model.vocab_size=400",
    "model.max_state_tokens=64",
    "model.max_tactic_tokens=12",
    "model.precision=fp32",
    "env.num_workers=3",
]


class Cli:
    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs

    def command(self, *arguments: str) -> list[str]:
        # Hydra takes options before overrides only.
        options = [argument for argument in arguments if argument.startswith("-")]
        overrides = [argument for argument in arguments if not argument.startswith("-")]
        return [sys.executable, "-m", "ntp.run", *options, f"paths.outputs={self.outputs}", *overrides]

    def __call__(self, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=280, env=environment, **options
        )

    def succeed(self, *arguments: str) -> Path:
        """Run, and return the output directory, which is the last line printed."""
        done = self(*arguments)
        assert done.returncode == 0, done.stderr[-3000:]
        return Path(done.stdout.splitlines()[-1])

    def fail(self, *arguments: str, **options) -> str:
        """Run something that cannot work, and return the one line that says why."""
        done = self(*arguments, **options)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, done.stderr[-3000:]
        return lines[0]


@pytest.fixture(scope="session")
def cli(tmp_path_factory) -> Cli:
    return Cli(tmp_path_factory.mktemp("outputs"))


@pytest.fixture(scope="session")
def small() -> list[str]:
    return list(SMALL)


@pytest.fixture(scope="session")
def sft_policy(cli, small) -> Path:
    """The output directory of a short supervised run."""
    return cli.succeed("+experiment=sft", *small, "trainer.max_steps=2")
