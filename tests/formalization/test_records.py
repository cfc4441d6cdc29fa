from dataclasses import replace

import pytest

from ntp.errors import DataError
from ntp.formalization.records import Pair, load_pairs, write_pairs

PAIR = Pair("a", "Zéro ≤ n", "Theorem a : forall n, 0 <= n.", "Require Import Arith.", "coq", "train", "own")


def test_pairs_are_read_as_written(tmp_path):
    pairs = [PAIR, replace(PAIR, id="b", topic="Rudin")]
    assert write_pairs(tmp_path / "pairs.jsonl", pairs) == 2
    assert load_pairs(tmp_path / "pairs.jsonl") == pairs


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "holds no pair"),
        ([PAIR, replace(PAIR, informal=" \n")], ":2: informal is empty"),
        ([replace(PAIR, formal="")], ":1: formal is empty"),
        ([PAIR, PAIR], "the id 'a' stands in line 1 too"),
    ],
)
def test_empty_and_repeated_records_are_refused(tmp_path, pairs, message):
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    with pytest.raises(DataError, match=message):
        load_pairs(tmp_path / "pairs.jsonl")


def test_a_line_that_is_no_record_is_named(tmp_path):
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, [PAIR])
    path.write_bytes(path.read_bytes() + b'{"schema_version": 2, "id": "b"}\n')
    with pytest.raises(DataError, match=":2: Pair lacks the key"):
        load_pairs(path)
