"""A retriever trained on real Coq data, measured beside BM25, and premises read by a policy."""

import json

import pytest

pytestmark = pytest.mark.coq

DATA = [
    "data.include=[Bool/*.v,Relations/*.v]",
    "data.split.test_files=[Relations/Operators_Properties.v]",
    "data.split.val_fraction=0.15",
]
TINY = ["model.hidden_size=32", "model.vocab_size=400", "module.batch_size=8", "trainer.max_steps=30"]


def test_a_retriever_is_trained_and_measured_beside_bm25(cli):
    overrides = f"retrieval.overrides={json.dumps(TINY)}"
    directory = cli.succeed("+experiment=retrieval_eval", *DATA, overrides)
    summary = json.loads((directory / "summary.json").read_text())
    for method in ("bm25", "dense"):
        for prefix in ("", "val/"):
            assert 0 < summary[f"{prefix}{method}/mrr"] <= 1
            assert summary[f"{prefix}{method}/recall_at_1"] <= summary[f"{prefix}{method}/recall_at_10"] <= 1
    assert summary["dense/num_steps"] == summary["bm25/num_steps"] > 10
    assert "| test |" in (directory / "report.md").read_text()


def test_a_policy_learns_from_states_with_premises_in_front(cli, small):
    directory = cli.succeed("+experiment=sft", *small, "retrieval=bm25", "trainer.max_steps=3")
    assert (directory / "policy").is_dir()
