"""The whole path from the command line, on a small slice of the standard library with the real Coq."""

import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from tests.processes import wait_until

pytestmark = [pytest.mark.coq, pytest.mark.slow]

SFT = ["trainer.max_steps=12", "trainer.val_check_interval=6", "tracking.checkpoint_every_n_steps=3"]
GFN = [
    "policy.experiment=null",
    "trainer.max_steps=6",
    "trainer.max_time=null",
    "tracking.checkpoint_every_n_steps=1",
    "module.num_theorems=3",
    "module.num_on_policy=3",
]


@pytest.fixture(scope="module")
def sft(cli, small):
    return cli.succeed("+experiment=sft", *small, *SFT)


@pytest.fixture(scope="module")
def gfn(cli, small, sft):
    return cli.succeed("+experiment=gfn_tb", *small, *GFN, f"policy.checkpoint={sft}")


def summary(directory):
    return json.loads((directory / "summary.json").read_text())


def weights(directory):
    return torch.load(directory / "last.ckpt", weights_only=True)["state_dict"]


def test_a_run_leaves_what_the_contract_says(sft):
    assert summary(sft)["num_steps"] == 12
    assert summary(sft)["val/perplexity"] > 1
    for name in ("config.yaml", "provenance.json", "COMPLETE", "policy/ntp_policy.json"):
        assert (sft / name).is_file()
    assert set(json.loads((sft / "provenance.json").read_text())) >= {"git_commit", "seed"}


def test_the_extraction_it_needed_was_made_and_is_reused(cli, small, sft):
    (extraction,) = cli.outputs.glob("extract_coq-*")
    assert summary(extraction)["num_failed_files"] == 0
    done = cli("+experiment=extract_coq", *small)
    assert "already made" in done.stderr
    assert done.stdout.splitlines()[-1] == str(extraction)


def test_the_best_weights_on_validation_data_are_kept(cli, small, sft):
    """With a learning rate that ruins the model: warm-up makes the first steps harmless."""
    ruin = ["name=ruined", "optimizer.lr=0.3", "module.warmup_steps=100", "trainer.val_check_interval=2"]
    ruined = [cli.succeed("+experiment=sft", *small, *SFT, *ruin, f"module.keep_best={k}") for k in (1, 0)]
    kept, last = map(summary, ruined)
    assert kept["best_step"] < kept["num_steps"] and "best_step" not in last
    assert kept["val/nll"] < last["val/nll"]
    ours, theirs = (load_file(directory / "policy/model.safetensors") for directory in ruined)
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)
    end = weights(ruined[0])
    assert all(torch.equal(end[name], tensor) for name, tensor in weights(ruined[1]).items())
    assert not (ruined[0] / "best.ckpt").exists()


@pytest.fixture(scope="module")
def search_eval(small, gfn):
    return [
        "+experiment=search_eval",
        *small,
        "policy.experiment=null",
        f"policy.checkpoint={gfn}",
        "evaluation.max_theorems=12",
        "search.sampling.num_samples=4",
        "search.best_first.max_expansions=3",
    ]


@pytest.fixture(scope="module")
def evaluated(cli, search_eval):
    return cli.succeed(*search_eval)


def test_evaluation_counts_every_theorem(evaluated):
    directory = evaluated
    numbers = summary(directory)
    assert numbers["num_theorems"] == 12
    for method in ("one_shot", "policy", "policy_best_first"):
        outcomes = [value for name, value in numbers.items() if name.startswith(f"{method}/num_theorems_")]
        assert sum(outcomes) == 12
        assert numbers[f"{method}/wall_s"] > 0
    assert numbers["one_shot/env_steps"] > 0
    assert numbers["one_shot/num_solved"] > 0, "auto proves something in Bool"
    assert numbers["one_shot/num_solved"] <= numbers["one_shot/num_distinct_proofs"]
    for name in ("report.md", "report.html", "results-one_shot.jsonl", "results-policy.jsonl"):
        assert (directory / name).stat().st_size > 0


def begin(cli, directory, *arguments):
    """A training run in the background, once its first checkpoint is there."""
    process = cli.begin(*arguments)
    assert wait_until(lambda: (directory / "last.ckpt").exists() or process.poll() is not None, 300)
    assert process.poll() is None, process.communicate()[1][-3000:]
    return process


@pytest.mark.parametrize(
    ("experiment", "signum"),
    [("sft", signal.SIGKILL), ("gfn_tb", signal.SIGKILL), ("gfn_tb", signal.SIGTERM)],
)
def test_a_run_that_is_ended_resumes_to_the_same_weights(cli, small, sft, gfn, experiment, signum, tmp_path):
    """A signal in mid-training, then the same command with resume=true, against the undisturbed run."""
    if experiment == "sft":
        undisturbed, arguments = sft, ["+experiment=sft", *small, *SFT]
    else:
        undisturbed = gfn
        arguments = ["+experiment=gfn_tb", *small, *GFN, f"policy.checkpoint={sft}"]
    own, directory = cli.with_outputs(tmp_path, keeping="extract_coq-*"), tmp_path / undisturbed.name
    process = begin(own, directory, *arguments)
    os.kill(process.pid, signum)
    _, said = process.communicate()
    assert not (directory / "COMPLETE").exists(), "the run was over before it could be killed"
    killed_at = torch.load(directory / "last.ckpt", weights_only=True)["global_step"]
    assert 0 < killed_at < summary(undisturbed)["num_steps"]
    if signum == signal.SIGTERM:
        assert process.returncode == -signal.SIGTERM
        assert f"stopped by SIGTERM after step {killed_at}" in said
        assert "Traceback" not in said

    assert own.succeed(*arguments, "resume=true") == directory
    ours, theirs = weights(directory), weights(undisturbed)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    clocks = {"wall_s"}
    assert {k: v for k, v in summary(directory).items() if k not in clocks} == {
        k: v for k, v in summary(undisturbed).items() if k not in clocks
    }
