"""An encoder-decoder policy through the whole path from the command line, with the real Coq."""

import json

import pytest

pytestmark = [pytest.mark.coq, pytest.mark.slow]


@pytest.fixture(scope="module")
def options(small, byt5):
    data = [option for option in small if not option.startswith("model.")]
    limits = ["model.max_state_tokens=200", "model.max_tactic_tokens=16"]
    return [*data, "model=reprover", f"model.name_or_path={byt5}", *limits]


@pytest.fixture(scope="module")
def sft(cli, options):
    return cli.succeed("+experiment=sft", *options, "trainer.max_steps=4", "trainer.val_check_interval=4")


def summary(directory):
    return json.loads((directory / "summary.json").read_text())


def test_supervised_then_tuned_then_searched(cli, options, sft):
    assert summary(sft)["val/perplexity"] > 1
    gfn = cli.succeed(
        "+experiment=gfn_tb",
        *options,
        f"policy.checkpoint={sft}",
        "loss=tb",
        "trainer.max_steps=1",
        "module.num_on_policy=2",
        "module.keep_unsolved=1",
    )
    assert summary(gfn)["num_steps"] == 1
    found = cli.succeed(
        "+experiment=search_eval",
        *options,
        f"policy.checkpoint={gfn}",
        "evaluation.max_theorems=2",
        "evaluation.one_shot_tactics=[]",
        "search.sampling.num_samples=2",
        "search.best_first.max_expansions=2",
    )
    assert (found / "report.html").is_file()


def test_a_model_as_published_is_searched_with(cli, options, byt5):
    directory = cli.succeed(
        "+experiment=search_eval",
        *options,
        f"policy.checkpoint={byt5}",
        "evaluation.max_theorems=1",
        "evaluation.one_shot_tactics=[]",
        "search.sampling.num_samples=2",
        "search.best_first.max_expansions=1",
    )
    assert (directory / "report.html").is_file()


def test_a_causal_config_on_an_encoder_decoder_is_one_line(cli, small, byt5):
    data = [option for option in small if not option.startswith("model.")]
    line = cli.fail("+experiment=sft", *data, "model=pretrained", f"model.name_or_path={byt5}")
    assert "encoder-decoder model (t5)" in line
