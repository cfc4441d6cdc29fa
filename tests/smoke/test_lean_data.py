"""Published Lean data from the command line, without Lean."""

import json

import pytest

pytestmark = pytest.mark.slow

SFT = ["trainer.max_steps=8", "trainer.val_check_interval=4", "trainer.limit_val_batches=2"]
TINY = ["model.hidden_size=32", "model.num_layers=1", "model.num_heads=2", "model.intermediate_size=64"]


@pytest.fixture(scope="module")
def data(benchmark_parts, write_benchmark, tmp_path_factory):
    parts = benchmark_parts()
    # Validation needs a proof.
    parts["random/val.json"][0]["traced_tactics"] = parts["random/train.json"][1]["traced_tactics"]
    directory = write_benchmark(tmp_path_factory.mktemp("benchmark"), parts)
    return ["data=leandojo", f"data.path={directory}"]


def summary(directory):
    return json.loads((directory / "summary.json").read_text())


def test_a_benchmark_is_learned_from(cli, data):
    numbers = summary(cli.succeed("+experiment=sft", *data, *TINY, *SFT))
    assert numbers["num_steps"] == 8
    assert 0 <= numbers["val/exact_match"] <= 1
    assert numbers["val/perplexity"] > 1


def test_statistics_are_printed_and_kept(cli, data):
    done = cli("+experiment=data_statistics", *data)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "num_theorems_without_tactics" in done.stdout
    (directory,) = cli.outputs.glob("data_statistics-*")
    assert done.stdout.splitlines()[-1] == str(directory)
    numbers = summary(directory)
    assert (numbers["all/num_theorems"], numbers["val/num_tactics"], numbers["num_premises"]) == (4, 2, 4)
    assert numbers["head/constructor"] == 2


def test_statements_without_proofs_cannot_be_learned_from(cli, tmp_path):
    (tmp_path / "list.txt").write_text("theorem one : 1 = 1\n")
    line = cli.fail("+experiment=sft", "data=statements", f"data.path={tmp_path}/list.txt", *TINY, *SFT)
    assert "statements without proofs" in line


def test_mistakes_in_a_benchmark_are_one_line(cli, data, tmp_path):
    line = cli.fail("+experiment=sft", *data, "data.split.test_files=[a]", *TINY, *SFT)
    assert "data.split.test_files cannot choose" in line
    (tmp_path / "random").mkdir()
    (tmp_path / "random/train.json").write_text('[{"url": "')
    line = cli.fail("+experiment=sft", "data=leandojo", f"data.path={tmp_path}", *TINY, *SFT)
    assert "random/train.json: not valid JSON" in line
