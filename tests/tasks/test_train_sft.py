import pytest
import torch

from ntp.data.dataset import Dataset
from ntp.data.lean.import_benchmark import import_leandojo
from ntp.errors import DataError
from ntp.tasks.train_sft import build

TINY = ["model.hidden_size=32", "model.num_layers=1", "model.num_heads=2", "model.intermediate_size=64"]


def test_limits_on_lengths_are_for_training_alone(make_context, benchmark_parts, write_benchmark, tmp_path):
    parts = benchmark_parts()
    (long,) = parts["novel_premises/val.json"][0]["traced_tactics"]
    long["tactic"], long["state_before"] = "rw [gone] at *; simp", "h : C\n⊢ C ∧ C"
    import_leandojo(write_benchmark(tmp_path / "benchmark", parts), tmp_path / "data")
    context = make_context("sft", *TINY, "data=leandojo", "data.split.kind=novel_premises")
    context.cfg.module.max_state_chars = len("x : ℕ\n⊢ P")
    context.cfg.module.max_tactic_chars = len("exact Pair.mk")
    dataset = Dataset.load(tmp_path / "data")
    _, datamodule = build(context.cfg, dataset, {})
    (batch,) = datamodule.val_dataloader()
    assert [(pair.state, pair.tactic) for pair in batch] == [(long["state_before"], long["tactic"])]
    context.cfg.module.max_tactic_chars -= 1
    with pytest.raises(DataError, match="no training examples"):
        build(context.cfg, dataset, {})


def test_data_without_proofs_is_refused(make_context, statements):
    cfg = make_context("sft", *TINY, "data=statements", "data.path=x").cfg
    with pytest.raises(DataError, match="statements without proofs"):
        build(cfg, statements, {})


def test_a_policy_that_is_named_is_trained_further(make_context, benchmark_parts, write_benchmark, tmp_path):
    import_leandojo(write_benchmark(tmp_path / "benchmark", benchmark_parts()), tmp_path / "data")
    context = make_context("sft", *TINY, "data=leandojo", "data.split.kind=novel_premises")
    dataset = Dataset.load(tmp_path / "data")
    first, _ = build(context.cfg, dataset, {})
    with torch.no_grad():
        next(first.policy.parameters()).fill_(0.25)
    first.policy.save(tmp_path / "trained")
    again, _ = build(context.cfg, dataset, {"policy": tmp_path / "trained"})
    assert all(
        torch.equal(a, b) for a, b in zip(first.policy.parameters(), again.policy.parameters(), strict=True)
    )
