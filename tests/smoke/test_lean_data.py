"""Published Lean data from the command line, without Lean."""

import json

import pytest

pytestmark = pytest.mark.slow


def test_a_benchmark_is_learned_from(cli, small, benchmark_parts, write_benchmark, tmp_path):
    parts = benchmark_parts()
    # Validation needs a proof.
    parts["random/val.json"][0]["traced_tactics"] = parts["random/train.json"][1]["traced_tactics"]
    data = ["data=leandojo", f"data.path={write_benchmark(tmp_path, parts)}"]
    model = [option for option in small if option.startswith("model.")]
    directory = cli.succeed("+experiment=sft", *data, *model, "trainer.max_steps=8")
    numbers = json.loads((directory / "summary.json").read_text())
    assert numbers["num_steps"] == 8
    assert 0 <= numbers["val/exact_match"] <= 1, "validated at the end, although no check came before"
    assert numbers["val/perplexity"] > 1
