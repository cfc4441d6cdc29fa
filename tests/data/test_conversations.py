"""Instruction and chat data is read strictly."""

import json

import pytest

from ntp.data.conversations import Completion, Conversation, Message, read_examples
from ntp.errors import DataError

ASKED, SAID = {"role": "user", "content": "P"}, {"role": "assistant", "content": "auto."}


def write(path, *rows):
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def test_the_formats_of_trl_are_read(tmp_path):
    path = write(
        tmp_path / "train.jsonl",
        {"messages": [ASKED, SAID], "metadata": {"declId": "a"}},
        {"prompt": "P", "completion": "auto."},
        {"prompt": [ASKED], "completion": [SAID]},
    )
    both = (Message("user", "P"), Message("assistant", "auto."))
    assert list(read_examples(path)) == [
        Conversation(both),
        Completion("P", "auto."),
        Conversation(both, first_trained=1),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"messages": [{"role', ":2: Unterminated string"),
        ([], ":2: not a JSON object"),
        ({"text": "P"}, ":2: give messages, or prompt and completion"),
        ({"messages": [ASKED]}, ":2: no message of the assistant"),
        ({"messages": "P"}, ":2: messages: give a list"),
        ({"messages": [{"role": "user"}]}, ":2: messages: give role and content"),
        ({"prompt": [SAID], "completion": [ASKED]}, ":2: no message of the assistant"),
        ({"prompt": "P", "completion": ""}, ":2: the completion is empty"),
    ],
)
def test_a_line_that_is_no_example_is_named(tmp_path, row, message):
    path = write(tmp_path / "train.jsonl", {"messages": [ASKED, SAID]}, row)
    with pytest.raises(DataError) as caught:
        list(read_examples(path))
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_file_that_is_missing_or_empty(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        list(read_examples(tmp_path / "nowhere.jsonl"))
    with pytest.raises(DataError, match="holds no example"):
        list(read_examples(write(tmp_path / "empty.jsonl")))
