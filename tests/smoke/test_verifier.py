"""Attempts are mined with real Coq and an ensemble of verifiers is trained on them, from the command line."""

import json

import pytest

from ntp.data.attempts import INCORRECT, LABELS, AttemptRecord
from ntp.data.jsonl import read_jsonl
from ntp.data.preferences import PreferenceRecord

pytestmark = pytest.mark.coq

# A policy that has seen enough to prove a few of its training theorems.
LEARNS = ["model.hidden_size=64", "trainer.max_steps=250", "module.batch_size=16", "optimizer.lr=3e-3"]
MINES = [
    "data.split.test_files=[Relations/*.v]",  # Bool.v is the easy part: to be learned from
    "data.split.val_fraction=0.15",
    "mining.num_theorems={train: 40, val: 30, test: 8}",
    "mining.sampling.num_samples=8",
    "mining.best_first.max_expansions=4",
    "mining.min_tries=4",
]


@pytest.fixture(scope="module")
def overrides(cli, small):
    learned = cli.succeed("+experiment=sft", *small, *LEARNS, *MINES)
    return [*small, LEARNS[0], *MINES, f"policy.checkpoint={learned}"]


@pytest.fixture(scope="module")
def mined(cli, overrides):
    return cli.succeed("+experiment=mine_attempts", *overrides)


def test_every_attempt_has_a_label_and_pairs_follow_from_them(mined):
    summary = json.loads((mined / "summary.json").read_text())
    for side in ("train", "val", "test"):
        attempts = list(read_jsonl(mined / f"attempts-{side}.jsonl", AttemptRecord))
        assert len(attempts) == summary[f"{side}/num_attempts"] > 0
        for label in LABELS:
            assert sum(a.label == label for a in attempts) == summary[f"{side}/num_{label}"]
        assert all((a.distance is not None) == (a.label == "proved") for a in attempts)
        by_edge = {(a.theorem_id, a.state, a.tactic): a for a in attempts}
        pairs = list(read_jsonl(mined / f"preferences-{side}.jsonl", PreferenceRecord))
        assert len(pairs) == summary[f"{side}/num_pairs"]
        for pair in pairs:
            assert by_edge[pair.theorem_id, pair.prompt, pair.chosen].label == "proved"
            assert pair.rejected_label in INCORRECT
    assert summary["train/num_proved"] > 0
    assert summary["train/num_error"] > 0


def test_mining_that_was_interrupted_keeps_its_shards(cli, overrides, mined):
    attempts = (mined / "attempts-train.jsonl").read_bytes()
    shards = sorted((mined / "shards").iterdir())
    kept = {shard: shard.stat().st_mtime_ns for shard in shards[:-1]}
    shards[-1].unlink()
    (mined / "COMPLETE").unlink()
    assert cli.succeed("+experiment=mine_attempts", *overrides, "resume=true") == mined
    assert (mined / "attempts-train.jsonl").read_bytes() == attempts
    assert {shard: shard.stat().st_mtime_ns for shard in kept} == kept


@pytest.mark.parametrize("experiment", ["verifier_dpo", "verifier_mle"])
def test_an_ensemble_is_trained_and_saved_as_adapters(cli, overrides, mined, experiment):
    run = cli.succeed(
        f"+experiment={experiment}", *overrides, "trainer.max_steps=3", "module.num_heads=2", "module.r=2"
    )
    assert json.loads((run / "verifier/head_1/adapter_config.json").read_text())["peft_type"] == "LORA"
    calibration = json.loads((run / "verifier/calibration.json").read_text())
    assert {name: len(values) for name, values in calibration.items()} == {
        "mean": 2, "std": 2, "slope": 2, "offset": 2
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda lines: [line for line in lines if "proved" not in line], "no state has both a correct"),
        (lambda lines: [lines[0], lines[1][:30], *lines[2:]], "attempts-val.jsonl:2: not valid JSON"),
    ],
)
def test_spoilt_attempts_are_named(cli, overrides, mined, spoil, message):
    path = mined / "attempts-val.jsonl"
    whole = path.read_text()
    path.write_text("\n".join(spoil(whole.splitlines())) + "\n")
    try:
        error = cli.fail("+experiment=verifier_dpo", *overrides, "module.num_heads=1")
    finally:
        path.write_text(whole)
    assert "attempts-val.jsonl" in error
    assert message in error


def test_a_verifier_without_heads(cli, overrides, mined):
    error = cli.fail("+experiment=verifier_dpo", *overrides, "module.num_heads=0")
    assert "num_heads=0" in error
