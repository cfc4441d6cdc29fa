"""Attempts are mined with real Coq and an ensemble of verifiers is trained on them, from the command line."""

import json

import pytest
from omegaconf import OmegaConf

from ntp.data.attempts import INCORRECT, LABELS, AttemptRecord
from ntp.data.examples import PreferenceRecord
from ntp.jsonl import read_jsonl

pytestmark = pytest.mark.coq

# A policy that has seen enough to prove a few of its training theorems.
LEARNS = ["model.hidden_size=64", "trainer.max_steps=250", "module.batch_size=16", "optimizer.lr=3e-3"]
MINES = [
    "data.split.test_files=[Relations/*.v]",  # Bool.v is the easy part: to be learned from
    "data.split.val_fraction=0.15",
    "data.split.verifier_fraction=0",  # nothing can be spared, for the studies either
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
    for part in ("train", "val"):
        attempts = list(read_jsonl(mined / f"attempts-{part}.jsonl", AttemptRecord))
        assert len(attempts) == summary[f"{part}/num_attempts"] > 0
        for label in LABELS:
            assert sum(a.label == label for a in attempts) == summary[f"{part}/num_{label}"]
        assert all((a.distance is not None) == (a.label == "proved") for a in attempts)
        by_edge = {(a.theorem_id, a.state, a.tactic): a for a in attempts}
        pairs = list(read_jsonl(mined / f"preferences-{part}.jsonl", PreferenceRecord))
        assert len(pairs) == summary[f"{part}/num_pairs"]
        for pair in pairs:
            assert by_edge[pair.theorem_id, pair.prompt.removesuffix("\n"), pair.chosen].label == "proved"
            assert pair.rejected_label in INCORRECT
    assert summary["train/num_proved"] > 0
    assert summary["train/num_error"] > 0


def test_mining_that_was_interrupted_keeps_its_parts(cli, overrides, mined):
    attempts = (mined / "attempts-train.jsonl").read_bytes()
    parts = sorted((mined / "parts").iterdir())
    kept = {part: part.stat().st_mtime_ns for part in parts[:-1]}
    parts[-1].unlink()
    (mined / "COMPLETE").unlink()
    assert cli.succeed("+experiment=mine_attempts", *overrides, "resume=true") == mined
    assert (mined / "attempts-train.jsonl").read_bytes() == attempts
    assert {part: part.stat().st_mtime_ns for part in kept} == kept


def test_shards_mine_what_one_run_mines(cli, overrides, mined):
    shards = [*overrides, "mining.num_shards=3"]
    cli.succeed("-m", "+experiment=mine_attempts", "+sweep=mining_shards", *shards)
    merged = cli.succeed("+experiment=mine_attempts", *shards)
    assert merged != mined
    for part in ("train", "val"):
        for name in (f"attempts-{part}.jsonl", f"preferences-{part}.jsonl"):
            assert (merged / name).read_bytes() == (mined / name).read_bytes()
    assert (merged / "summary.json").read_bytes() == (mined / "summary.json").read_bytes()


@pytest.mark.parametrize("experiment", ["verifier_dpo", "verifier_bce"])
def test_an_ensemble_is_trained_and_saved_as_adapters(cli, overrides, mined, experiment):
    run = cli.succeed(
        f"+experiment={experiment}", *overrides, "trainer.max_steps=3", "module.num_heads=2", "module.r=2"
    )
    assert json.loads((run / "verifier/head_1/adapter_config.json").read_text())["peft_type"] == "LORA"
    calibration = json.loads((run / "verifier/calibration.json").read_text())
    assert calibration.pop("features") == {"kind": "joint", "length_exponent": 0.0, "beta": 0.1}
    combination = calibration.pop("combination")
    assert (
        set(combination) == {"weights", "disagreement_weight", "offset"} and len(combination["weights"]) == 2
    )
    assert {name: len(values) for name, values in calibration.items()} == {
        "mean": 2, "std": 2, "slope": 2, "offset": 2
    }  # fmt: skip


QUICK = "trainer.max_steps=3", "module.num_heads=2", "module.r=2"


@pytest.fixture(scope="module")
def verified(overrides):
    """Overrides for what uses verifiers: where they and their backbone come from."""
    checkpoint = overrides[-1].removeprefix("policy.checkpoint=")
    quick = ",".join(f'"{override}"' for override in QUICK)
    return [*overrides, f"verifier.backbone.checkpoint={checkpoint}", f"verifier.overrides=[{quick}]"]


def test_a_policy_is_rewarded_by_verifiers(cli, verified, mined):
    run = cli.succeed(
        "+experiment=gfn_tb", *verified, "reward=verifier_ensemble", "aggregation=uwo", "loss=pairwise",
        "module.keep_unsolved=1.0", "module.max_depth=1", "trainer.max_steps=3", "optimizer.lr=1e-4",
    )  # fmt: skip
    summary = json.loads((run / "summary.json").read_text())
    assert 0 < summary["verifier/probability"] < 1
    assert summary["verifier/disagreement"] > 0
    config = OmegaConf.load(run / "config.yaml")
    assert config.reward.aggregation._target_.endswith("UncertaintyWeighted")


def test_a_reward_whose_failures_could_win_is_refused(cli, verified, mined):
    error = cli.fail("+experiment=gfn_tb", *verified, "reward=verifier_ensemble", "reward.gap=1")
    assert "gives failures 9" in error


@pytest.mark.parametrize("score", ["verifier", "mixed"])
def test_best_first_search_is_guided_by_verifiers(cli, verified, mined, score):
    run = cli.succeed(
        "+experiment=search_eval", *verified, f"search.score={score}", "search.best_first.max_expansions=4",
        "search.sampling.num_samples=2", "evaluation.max_theorems=4",
    )  # fmt: skip
    assert json.loads((run / "summary.json").read_text())["policy_best_first/env_steps"] > 0


def test_an_unknown_score_is_named(cli, verified, mined):
    error = cli.fail("+experiment=search_eval", *verified, "search.score=verifyer")
    assert "search.score=verifyer is unknown: choose one of policy, verifier, mixed" in error


def quoted(*overrides):
    return "[" + ",".join(f'"{override}"' for override in overrides) + "]"


def test_verifiers_are_reported_beside_the_backbone(cli, overrides, mined):
    # So small a policy proves nothing on its test split: it is judged on its validation attempts instead.
    tested = cli.succeed("+experiment=mine_attempts", *overrides, "mining.splits=[test]")
    (tested / "attempts-test.jsonl").write_bytes((mined / "attempts-val.jsonl").read_bytes())
    run = cli.succeed(
        "+experiment=verifier_eval", *overrides, "~study.variants.dpo_single",
        "study.variants.dpo_ensemble=" + quoted("+experiment=verifier_dpo", *QUICK),
        "study.variants.bce_single=" + quoted("+experiment=verifier_bce", *QUICK, "module.num_heads=1"),
    )  # fmt: skip
    metrics = json.loads((run / "metrics.json").read_text())
    ensemble = [f"dpo_ensemble {aggregation}" for aggregation in ("mean", "wco", "uwo", "learned")]
    assert list(metrics) == ["backbone", "backbone per token", *ensemble, "bce_single"]
    assert all(0 <= seeds[0]["auroc"] <= 1 for seeds in metrics.values())
    assert "| backbone |" in (run / "report.md").read_text()
    assert (run / "best_of_k.svg").read_text().startswith("<svg")
    curves = json.loads((run / "reliability.json").read_text())
    assert list(curves) == list(metrics)
    for name, (bins,) in curves.items():
        total = sum(b["num_tactics"] for b in bins)
        error = sum(b["num_tactics"] / total * abs(b["probability"] - b["share_correct"]) for b in bins)
        assert error == pytest.approx(metrics[name][0]["ece"], abs=1e-5)


def test_over_optimisation_is_shown_along_training(cli, overrides, mined):
    quick = "verifier.overrides=[" + ",".join(f"'{override}'" for override in QUICK) + "]"
    small = quoted(
        "+experiment=gfn_verifier_only",
        "trainer.max_steps=5",
        "module.num_theorems=3",
        "module.num_on_policy=2",
        quick,
    )
    run = cli.succeed(
        "+experiment=overoptimisation", *overrides, f"study.variants.single={small}",
        "~study.variants.mean", "~study.variants.wco", "~study.variants.uwo",
    )  # fmt: skip
    (single,) = json.loads((run / "curves.json").read_text())["curves"]["single"]
    assert len(single["verifier/probability"]["steps"]) == 5
    summary = json.loads((run / "summary.json").read_text())
    assert summary["single/gap"] == pytest.approx(summary["single/proxy_end"] - summary["single/kernel_end"])
    assert (run / "overoptimisation.svg").read_text().startswith("<svg")


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
