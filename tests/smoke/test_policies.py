"""One evaluation of policies of different kinds, from the command line, and arms with several seeds."""

import json

import pytest
import torch
from omegaconf import OmegaConf

from ntp.evaluation.inspection import read_results

pytestmark = [pytest.mark.coq, pytest.mark.slow]

FEW = ["evaluation.max_theorems=4", "search.sampling.num_samples=3", "search=[sampling]"]


def test_policies_of_every_kind_are_compared(cli, small, sft_policy, pretrained, byt5, tmp_path):
    """A tiny model we trained, a causal and an encoder-decoder model as published, and fixed tactics."""
    groups = tmp_path / "conf/experiment"
    groups.mkdir(parents=True)
    (groups / "kinds.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n"
        "  - /model@evaluation.policies.causal.model: pretrained\n"
        "  - /model@evaluation.policies.encoder_decoder.model: seq2seq\n"
        "  - override /task: evaluate\n"
        "  - override /search: [sampling]\n"
        "name: kinds\n"
        "evaluation:\n"
        "  baseline: closers\n"
        "  comparisons: [[tiny, causal]]\n"
        "  policies:\n"
        f"    tiny: {{checkpoint: {sft_policy}}}\n"
        f"    cold: {{checkpoint: {sft_policy}, temperature: 1.0e-4}}\n"
        f"    begun: {{checkpoint: {sft_policy}, first_tactics: [intros., induction n.]}}\n"
        f"    causal: {{model: {{name_or_path: {pretrained}, max_tactic_tokens: 8, dtype: float32}}}}\n"
        f"    encoder_decoder: {{model: {{name_or_path: {byt5}, max_tactic_tokens: 8}}}}\n"
        "    closers: {tactics: [auto., 'destruct b; auto.']}\n"
    )
    run = cli.succeed(f"--config-dir={tmp_path}/conf", "+experiment=kinds", *small, *FEW)
    summary = json.loads((run / "summary.json").read_text())
    for name in ("one_shot", "tiny", "causal", "encoder_decoder", "closers"):
        outcomes = [value for key, value in summary.items() if key.startswith(f"{name}/num_theorems_")]
        assert sum(outcomes) == summary["num_theorems"] == 4
    assert summary["causal/num_samples"] >= 12
    assert "solved_difference" in " ".join(key for key in summary if key.startswith("tiny/"))
    different = {
        name: [len({a.tactics for a in result.attempts}) for result in read_results(run)[name]]
        for name in ("tiny", "cold")
    }
    assert set(different["cold"]) == {1} and max(different["tiny"]) > 1
    begun = {a.tactics[0] for result in read_results(run)["begun"] for a in result.attempts}
    assert begun == {"intros.", "induction n."}
    report = (run / "report.md").read_text()
    assert "tiny / causal" in report and "tiny / closers" in report


def test_an_arm_has_a_policy_for_every_seed(cli, small, sft_policy):
    overrides = [
        f"policy.checkpoint={sft_policy}",
        "trainer.max_steps=1",
        "module.num_theorems=3",
        "module.num_on_policy=2",
        # So that a step changes the weights although the policy equals its prior and proves nothing.
        "module.keep_unsolved=1.0",
        "reward.alpha_fail=0.5",
        "reward.max_failure_mass=1",
    ]
    quoted = ", ".join(f"'{override}'" for override in overrides)
    node = f"{{experiment: gfn_tb, overrides: [{quoted}], seeds: [0, 1], seed_key: module.seed}}"
    arguments = ["+experiment=search_eval", "~evaluation.policies.policy", f"+evaluation.policies.gfn={node}"]
    run = cli.succeed(*arguments, *small, *FEW)
    summary = json.loads((run / "summary.json").read_text())
    assert summary["gfn/num_seeds"] == 2
    rates = [summary[f"gfn@{seed}/solved_rate"] for seed in (0, 1)]
    assert summary["gfn/solved_rate"] == pytest.approx(sum(rates) / 2)
    configs = {path: OmegaConf.load(path / "config.yaml") for path in cli.outputs.glob("gfn_tb-*")}
    trained = [path for path, config in configs.items() if config.module.keep_unsolved == 1]
    assert sorted(configs[path].module.seed for path in trained) == [0, 1]
    weights = [torch.load(path / "last.ckpt", weights_only=True)["state_dict"] for path in trained]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_node_that_is_no_policy_is_one_line(cli, small):
    said = cli.fail("+experiment=search_eval", "+evaluation.policies.x={experimnt: sft}", *small)
    assert "evaluation.policies.x" in said and "experimnt" in said and "a policy has experiment" in said
    cold = "+evaluation.policies.x={experiment: sft, temperature: 0}"
    said = cli.fail("+experiment=search_eval", cold, *small)
    assert "evaluation.policies.x.temperature=0.0 is out of range" in said
    said = cli.fail("+experiment=search_eval", "+evaluation.policies.x={}", *small)
    assert "evaluation.policies.x: give checkpoint=PATH or experiment=NAME" in said
