"""Runs the command line as a user does, in processes of its own."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ntp.evaluation.results import TheoremResult
from ntp.jsonl import read_jsonl

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
    # Runs are compared with one another: none may lose a tactic to a machine that stood still for a moment.
    "env.tactic_timeout_s=10",
]


class Cli:
    """`python -m ntp.run` with an output directory.

    Args:
        outputs: The output directory.
        warm: Runs it in a process that has imported everything.
    """

    def __init__(self, outputs: Path, warm) -> None:
        self.outputs = outputs
        self._warm = warm

    def with_outputs(self, outputs: Path, keeping: str = "") -> "Cli":
        """The command line with outputs of its own, and copies of those of these that match a pattern."""
        for path in self.outputs.glob(keeping) if keeping else ():
            shutil.copytree(path, outputs / path.name)
        return Cli(outputs, self._warm)

    def arguments(self, *arguments: str) -> list[str]:
        # Hydra takes options before overrides only.
        options = [argument for argument in arguments if argument.startswith("-")]
        overrides = [argument for argument in arguments if not argument.startswith("-")]
        return [*options, f"paths.outputs={self.outputs}", *overrides]

    def begin(self, *arguments: str, **options) -> subprocess.Popen[str]:
        """Start it in the background and cold, its standard error in a pipe."""
        command = [sys.executable, "-m", "ntp.run", *self.arguments(*arguments)]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, text=True, **pipes, **options)

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self._warm.run("ntp.run", *self.arguments(*arguments), **variables)

    def succeed(self, *arguments: str) -> Path:
        """Run, and return the output directory, which is the last line printed."""
        done = self(*arguments)
        assert done.returncode == 0, done.stderr[-3000:]
        return Path(done.stdout.splitlines()[-1])

    def fail(self, *arguments: str, **variables: str) -> str:
        """Run something that cannot work, and return the one line that says why."""
        done = self(*arguments, **variables)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, done.stderr[-3000:]
        return lines[0]


@pytest.fixture(scope="session")
def cli(tmp_path_factory, warm) -> Cli:
    return Cli(tmp_path_factory.mktemp("outputs"), warm)


@pytest.fixture(scope="module")
def own_cli(cli, tmp_path_factory) -> Cli:
    """The command line with outputs of this file's own."""
    return cli.with_outputs(tmp_path_factory.mktemp("outputs"))


@pytest.fixture(scope="session")
def small() -> list[str]:
    return list(SMALL)


@pytest.fixture(scope="session")
def sft_policy(cli, small) -> Path:
    """The output directory of a short supervised run."""
    return cli.succeed("+experiment=sft", *small, "trainer.max_steps=2")


@pytest.fixture(scope="module")
def search_eval(small, sft_policy) -> list[str]:
    """A small evaluation with every method."""
    return [
        "+experiment=search_eval",
        *small,
        f"policy.checkpoint={sft_policy}",
        "evaluation.max_theorems=12",
        "search.sampling.num_samples=4",
        "search.best_first.max_expansions=3",
    ]


@pytest.fixture(scope="session")
def assert_same_results() -> Callable[[Path, Path], None]:
    """Compares two evaluations in everything but times, and log-probabilities to rounding."""
    return _assert_same_results


def _results(directory, method):
    """Everything but times; log-probabilities, which rounding in other batches changes, beside it."""
    found = read_jsonl(directory / method, TheoremResult)
    timeless = [replace(result, wall_s=0.0, cpu_s=0.0) for result in found]
    log_probs: list[float] = []
    return _without_log_probs([asdict(result) for result in timeless], log_probs), log_probs


def _without_log_probs(value, log_probs):
    """A nested value without its log-probabilities, which are appended to a list."""
    if isinstance(value, dict):
        log_probs += [value["log_prob"]] if "log_prob" in value else []
        return {k: _without_log_probs(v, log_probs) for k, v in value.items() if k != "log_prob"}
    if isinstance(value, list | tuple):
        return [_without_log_probs(item, log_probs) for item in value]
    return value


def _assert_same_results(merged: Path, whole: Path) -> None:
    methods = {path.name for path in whole.glob("results-*.jsonl")}
    assert methods and methods == {path.name for path in merged.glob("results-*.jsonl")}
    for method in methods:
        ours, theirs = _results(merged, method), _results(whole, method)
        assert ours[0] == theirs[0]
        assert ours[1] == pytest.approx(theirs[1], abs=1e-4)
    ours, theirs = (json.loads((path / "summary.json").read_text()) for path in (merged, whole))
    assert any("wall_s" in name for name in theirs)
    for name, value in theirs.items():
        assert "wall_s" in name or ours[name] == value, name
