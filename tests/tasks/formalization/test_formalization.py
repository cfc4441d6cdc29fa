import json
from dataclasses import replace

import pytest

from ntp.errors import ConfigError, DataError
from ntp.formalization.records import Pair, load_pairs, write_pairs
from ntp.tasks.formalization import evaluate, pairs, train
from ntp.tasks.formalization.options import PAIRS_FILE, check_prompts, part
from tests.fixtures.lake import STANDIN, write_lake

PAIR = Pair("a", "One is one.", "Theorem a : 1 = 1.", "", "coq", "train", "own", "numbers")
TINY = [
    *(
        "model=tiny",
        "model.vocab_size=300",
        "model.hidden_size=32",
        "model.num_layers=1",
        "model.num_heads=2",
    ),
    *("model.intermediate_size=64", "model.max_state_tokens=64", "model.max_tactic_tokens=24"),
]
EVAL = ["formalization_eval", *TINY, "data=pairs", "data.path=own.jsonl"]


@pytest.fixture
def made(tmp_path):
    """The output directory of the stage `pairs`: eight pairs of each part."""
    numbers = range(8)
    write_pairs(
        tmp_path / PAIRS_FILE,
        [
            Pair(f"{split}{i}", f"{i} is {i}.", f"Theorem a : {i} = {i}.", "", "coq", split, "own", "numbers")
            for split in ("train", "valid", "test")
            for i in numbers
        ],
    )
    return tmp_path


def test_published_pairs_become_a_file_and_completions(make_context, tmp_path):
    rows = [
        {"id": "x", "informal": "It holds.", "formal": "Theorem x : True.", "split": "train"},
        {"id": "y", "informal": "It fails.", "formal": "Theorem y : False.", "split": "test"},
    ]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    context = make_context("formalization_pairs", "data=pairs", f"data.path={path}")
    numbers = pairs.run(replace(context, mlflow=None))
    assert (numbers["num_pairs"], numbers["train/num_pairs"], numbers["valid/num_pairs"]) == (2, 1, 0)
    assert [pair.id for pair in load_pairs(context.directory / PAIRS_FILE)] == ["x", "y"]
    (line,) = (context.directory / "test.jsonl").read_text().splitlines()
    assert json.loads(line) == {"prompt": "It fails.", "completion": "Theorem y : False."}


def test_training_is_on_the_training_part_alone(make_context, made):
    context = make_context("formalization_sft", *TINY, "data=pairs", "data.path=own.jsonl")
    module, datamodule = train.build(context.cfg, None, {"pairs": made})
    (batch,) = datamodule.val_dataloader()
    assert {pair.state for pair in batch} == {f"{i} is {i}.\nIn Coq:\n" for i in range(8)}
    assert module.selected_by == "val/nll"
    context.cfg.module.max_state_chars = 3
    with pytest.raises(DataError, match="every training pair is too long"):
        train.build(context.cfg, None, {"pairs": made})


def test_the_pairs_of_a_sample_are_those_of_every_larger_one(make_context, made):
    all_pairs = load_pairs(made / PAIRS_FILE)
    few, many = (
        evaluate._chosen(make_context(*EVAL, f"formalization.max_pairs={n}").cfg, all_pairs) for n in (3, 6)
    )
    assert len(few) == 3 and set(few) < set(many)
    assert {pair.split for pair in many} == {"test"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["formalization.template=x"], "must contain"),
        (["formalization.split=train5"], "choose one of train, valid, test"),
        (["formalization.choice=best"], "choose random or nearest"),
        (["formalization.shots=[]"], "shots is empty"),
        (["formalization.shots=[2]", "formalization.split=train"], "examples would leak"),
    ],
)
def test_prompts_that_cannot_work_are_refused(make_context, overrides, message):
    with pytest.raises(ConfigError, match=message):
        check_prompts(make_context(*EVAL, *overrides).cfg)


def test_what_is_asked_of_other_data_is_refused(make_context):
    for task, experiment in ((evaluate, "formalization_eval"), (pairs, "formalization_pairs")):
        with pytest.raises(ConfigError, match="formalization is about pairs of statements"):
            task.TASK.check(make_context(experiment, "data=coq_core").cfg)
    with pytest.raises(ConfigError, match=r"data\.path is missing"):
        pairs.TASK.check(make_context("formalization_pairs", "data=pairs").cfg)
    with pytest.raises(ConfigError, match="leave nothing to train on"):
        pairs.TASK.check(make_context("formalization_pairs", "data.test_fraction=0.95").cfg)


def test_a_prover_has_to_fit_the_pairs(make_context):
    cfg = make_context(*EVAL, "env=lean_repl").cfg
    with pytest.raises(ConfigError, match="pairs are for coq and env is lean"):
        evaluate._checkers(cfg, [PAIR])
    with pytest.raises(DataError, match="no pair for examples is in the split valid, only in train"):
        part([PAIR], "valid", "examples")


@pytest.mark.coq
def test_an_evaluation_is_continued_and_reported(make_context, made, monkeypatch, capsys):
    asked = ("formalization.shots=[0,2]", "formalization.num_samples=2", "formalization.max_pairs=5")
    context = make_context(*EVAL, *asked, "policy.checkpoint=somewhere")
    model, _ = train.build(make_context("formalization_sft", *EVAL[1:]).cfg, None, {"pairs": made})
    model.save(made)
    context = replace(
        context,
        inputs={"pairs": made, "policy/fine_tuned": made},
        mlflow=type("None", (), {"log_artifact": staticmethod(lambda _: None)})(),
    )
    monkeypatch.setattr(evaluate, "_PART_SIZE", 2)
    numbers = evaluate.run(context)
    printed = capsys.readouterr().out
    assert {name.partition("/")[0] for name in numbers} == {"fine_tuned_0shot", "fine_tuned_2shot"}
    assert numbers["fine_tuned_0shot/num_pairs"] == 5
    assert 0 <= numbers["fine_tuned_2shot/bleu"] <= numbers["fine_tuned_2shot/bleu_best"] <= 1
    for text in ("type_check", "What the prover says", "tok:13a", "fine_tuned_2shot"):
        assert text in printed
    # A second run asks no model for what is there.
    monkeypatch.setattr(evaluate, "load_arm", lambda *_: pytest.fail("asked again"))
    assert evaluate.run(context) == numbers


def test_docstrings_of_a_lake_project_become_pairs(make_context, tmp_path):
    text = "/-- From {0} and {0} follows {0} -/\ntheorem t (p q : Prop) (h : p ∧ {1}) : {1} := h.2\n"
    root = write_lake(
        tmp_path / "own", {"Own/A.lean": text.format("it", "q"), "Own/B.lean": text.format("p", "p")}
    )
    command = f"env.command={[*STANDIN]}".replace(" ", "")
    options = ("data=lean_docstrings", "env=lean_repl", f"env.project={root}", command)
    context = make_context("formalization_pairs", *options)
    numbers = pairs.run(replace(context, mlflow=None))
    assert numbers["num_pairs"] == 2
    assert {pair.topic for pair in load_pairs(context.directory / PAIRS_FILE)} == {"Own.A", "Own.B"}
    assert set(pairs.TASK.reads(context.cfg)["content"]) == {"Own/A.lean", "Own/B.lean"}
