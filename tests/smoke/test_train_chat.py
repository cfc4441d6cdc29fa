"""A model is trained on chat data from the command line, resumed, and refused what it cannot learn from."""

import json

import pytest

pytestmark = pytest.mark.slow

ROWS = [
    {
        "messages": [
            {"role": "user", "content": f"Hypotheses:\n(none)\n\nGoal:\n{n} + 0 = {n}"},
            {"role": "assistant", "content": "```coq\nProof.\n  reflexivity.\nQed.\n```"},
        ]
    }
    for n in range(40)
]
SMALL = [
    *("model=tiny", "model.hidden_size=32", "model.num_layers=1", "model.num_heads=2"),
    *("model.intermediate_size=64", "model.vocab_size=400", "module.chat_template=chatml"),
    *("module.max_tokens=256", "module.batch_size=2", "module.warmup_steps=0", "optimizer.lr=3e-3"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("chat")
    for name, rows in (("train", ROWS[:32]), ("val", ROWS[32:])):
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return directory


@pytest.fixture(scope="module")
def options(data):
    return [
        "+experiment=sft_chat",
        *SMALL,
        f"data.path={data}/train.jsonl",
        f"data.val_path={data}/val.jsonl",
    ]


def summary(directory):
    return json.loads((directory / "summary.json").read_text())


def test_the_answer_is_learned(own_cli, options):
    run = own_cli.succeed(*options, "trainer.val_check_interval=50", "trainer.max_steps=150")
    assert summary(run)["val/nll"] < 1.0, "from 6 nats, the logarithm of the vocabulary"
    assert (run / "policy").is_dir()


def test_instructions_are_learned_too(own_cli, data):
    rows = [
        {"prompt": f"[STATE]\n{n} = {n}\n[/STATE]\n[TAC]\n", "completion": "auto.\n[/TAC]"} for n in range(20)
    ]
    path = data / "instructions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = own_cli.succeed("+experiment=sft_chat", *SMALL, f"data.path=[{path}]", "trainer.max_steps=5")
    assert summary(run)["train/nll"] > 0


def test_what_cannot_be_learned_from_is_one_line(own_cli, options, data, tmp_path):
    assert "module.chat_template=FILE" in own_cli.fail(*options, "module.chat_template=null")
    assert "no such file" in own_cli.fail(*options, "data.path=/nowhere.jsonl")
    (tmp_path / "bad.jsonl").write_text('{"messages": []}\n')
    assert "bad.jsonl:1: messages: give a list" in own_cli.fail(*options, f"data.path={tmp_path}/bad.jsonl")
    assert "raise module.max_tokens" in own_cli.fail(*options, "module.max_tokens=5")
