"""A task, a loss and a prover from outside the package: the code blocks of docs/extending.md."""

import json
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/extending.md"
BLOCK = re.compile(r"^```(?:python|yaml)\n# ((?:toys|conf)/\S+)\n(.*?)^```", re.M | re.S)

pytestmark = [pytest.mark.coq, pytest.mark.slow]


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A folder with the modules and YAML files of the page."""
    folder = tmp_path_factory.mktemp("outside")
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) == 6, [name for name, _ in blocks]
    for name, text in blocks:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def run(cli, outside, small, warm):
    """Runs a command line with the folder's groups; returns the output directory and what was said."""

    def call(*arguments, fails=False, small=small):
        options = ["--config-dir", str(outside / "conf"), f"paths.outputs={cli.outputs}"]
        done = warm.run("ntp.run", *options, *arguments, *small, PYTHONPATH=str(outside))
        assert (done.returncode != 0) == fails, done.stderr[-3000:]
        return (done.stderr if fails else Path(done.stdout.splitlines()[-1])), done.stderr

    return call


def test_a_task_from_outside(run):
    directory, _ = run("task=longest", "name=longest")
    assert json.loads((directory / "summary.json").read_text())["num_chars"] == len(
        (directory / "longest.txt").read_text()
    )
    again, said = run("task=longest", "name=longest")
    assert again == directory and "already made" in said


def test_a_loss_from_outside(run, sft_policy):
    tuning = [
        "+experiment=gfn_tb",
        "loss=proof_gradient",
        f"policy.checkpoint={sft_policy}",
        "trainer.max_steps=1",
    ]
    directory, _ = run(
        *tuning, "loss.scale=0.5", "module.num_theorems=3", "module.num_on_policy=2", "trainer.max_time=null"
    )
    config = (directory / "config.yaml").read_text()
    assert "_target_: toys.losses.ProofGradient" in config and "scale: 0.5" in config
    said, _ = run(*tuning, "loss.scael=0.5", fails=True)
    assert "scael" in said


def test_a_prover_from_outside(run, tmp_path):
    (tmp_path / "list.txt").write_text("theorem one : 1 = 1\ntheorem two : 2 = 2\n")
    tactics = "+evaluation.policies.toy={tactics: [done., sleep.]}"
    data = ["data=statements", f"data.path={tmp_path}/list.txt", "evaluation.one_shot_tactics=[]"]
    chosen = ["+experiment=search_eval", "env=toy", "~evaluation.policies.policy"]
    directory, _ = run(*chosen, *data, tactics, small=())
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["toy/num_solved"] == 2 and summary["toy/num_attempts_proved"] == 2
    assert summary["toy/num_attempts_stuck"] == 2
