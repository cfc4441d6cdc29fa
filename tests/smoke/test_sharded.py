"""A frozen backbone shared out between two processes, from the command line, with the real Coq."""

import json
import os
import signal

import pytest
import torch

from tests.processes import wait_until

pytestmark = [pytest.mark.coq, pytest.mark.slow]

SHARDED = ["trainer.strategy=fsdp", "trainer.devices=2", "trainer.accelerator=cpu"]
SFT = ["+experiment=sft", "trainer.max_steps=6", "trainer.val_check_interval=3", "module.batch_size=5"]


@pytest.fixture(scope="module")
def options(small, pretrained):
    """A slice of the library, and a model as pretrained ones are."""
    data = [option for option in small if not option.startswith("model.")]
    model = ["model=pretrained", f"model.name_or_path={pretrained}", "adapter.r=2", "model.dtype=float32"]
    return [*data, *model, "model.max_state_tokens=64", "model.max_tactic_tokens=12"]


def summary(directory):
    return json.loads((directory / "summary.json").read_text())


def assert_equal_results(ours, theirs):
    """To rounding, in numbers and weights."""
    expected = {name: value for name, value in summary(theirs).items() if name != "wall_s"}
    assert {name: summary(ours)[name] for name in expected} == pytest.approx(expected, rel=1e-4, abs=1e-4)
    weights = [torch.load(d / "last.ckpt", weights_only=True)["state_dict"] for d in (ours, theirs)]
    for name, weight in weights[1].items():
        torch.testing.assert_close(weights[0][name], weight, atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def sft(cli, options):
    return cli.succeed(*SFT, *options)


def test_tuning_that_is_stopped_and_resumed_gives_what_one_process_gives(cli, options, sft, tmp_path):
    gfn = ["+experiment=gfn_tb", *options, f"policy.checkpoint={sft}", "policy.experiment=null"]
    gfn += ["trainer.max_steps=6", "trainer.max_time=null", "tracking.checkpoint_every_n_steps=1"]
    # Where failures keep the prior's odds, a policy that solves nothing has no gradient but that of rounding.
    gfn += [
        "module.num_theorems=3",
        "module.num_on_policy=3",
        "module.keep_unsolved=1",
        "reward.alpha_fail=0.5",
        "reward.max_failure_mass=1",
    ]
    whole = cli.succeed(*gfn)
    own, directory = cli.with_outputs(tmp_path, keeping="extract_coq-*"), tmp_path / whole.name
    said = stopped(own, directory, *gfn, *SHARDED)
    assert said.count("stopped by SIGTERM after step") == 1, said
    assert not (directory / "COMPLETE").exists(), "the run was over before it could be stopped"
    assert own.succeed(*gfn, *SHARDED, "resume=true") == directory
    assert_equal_results(directory, whole)


def stopped(cli, directory, *arguments):
    """Begin a run, ask it to end after its first step, and return what it says."""
    process = cli.begin(*arguments)
    assert wait_until(lambda: (directory / "last.ckpt").exists() or process.poll() is not None, 300)
    assert process.poll() is None, process.communicate()[1][-3000:]
    os.kill(process.pid, signal.SIGTERM)
    return process.communicate(timeout=120)[1]


def test_what_cannot_be_sharded_is_refused_in_one_line(cli, small, options):
    assert "and there is one" in cli.fail(*SFT, *options, "trainer.strategy=fsdp")
    assert "all are trained" in cli.fail(*SFT, *small, *SHARDED)
