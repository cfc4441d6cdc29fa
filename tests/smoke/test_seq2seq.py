"""An encoder-decoder policy through the whole path from the command line, with the real Coq."""

import json

import pytest

pytestmark = [pytest.mark.coq, pytest.mark.slow]


@pytest.fixture(scope="module")
def options(small, byt5):
    data = [option for option in small if not option.startswith("model.")]
    limits = ["model.max_state_tokens=200", "model.max_tactic_tokens=16"]
    return [*data, "model=reprover", f"model.name_or_path={byt5}", *limits]


def summary(directory):
    return json.loads((directory / "summary.json").read_text())


def test_trained_then_searched_with(cli, options):
    sft = cli.succeed("+experiment=sft", *options, "trainer.max_steps=4", "trainer.val_check_interval=4")
    assert summary(sft)["val/perplexity"] > 1
    found = cli.succeed(
        "+experiment=search_eval",
        *options,
        f"policy.checkpoint={sft}",
        "evaluation.max_theorems=2",
        "evaluation.one_shot_tactics=[]",
        "search.sampling.num_samples=2",
        "search.best_first.max_expansions=2",
    )
    assert (found / "report.html").is_file()


def test_a_model_as_published_is_tuned(cli, options, byt5):
    gfn = cli.succeed(
        "+experiment=gfn_tb",
        *options,
        f"policy.checkpoint={byt5}",
        "loss=tb",
        "trainer.max_steps=1",
        "module.num_theorems=3",
        "module.num_on_policy=2",
        "module.keep_unsolved=1",
    )
    assert summary(gfn)["num_steps"] == 1
    assert json.loads((gfn / "policy" / "ntp_policy.json").read_text())["model_type"] == "t5"
