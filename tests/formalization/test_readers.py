import json
import logging
from collections import Counter

import pytest

from ntp.errors import DataError
from ntp.formalization.hub import read_hub
from ntp.formalization.readers import Reading, read_pairs
from ntp.formalization.records import Pair, write_pairs

COQ = {
    "id": "x",
    "informal": "It holds.",
    "statement": "Theorem x : True.\nProof. exact I. Qed.",
    "split": "valid",
}


@pytest.fixture
def write(tmp_path):
    def make(*rows, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return make


@pytest.mark.parametrize(
    ("name", "prover", "splits", "topics"),
    [
        ("proofnet/lean3_test.jsonl", "lean3", {"test": 185}, {"Rudin", "Munkres"}),
        ("proofnet/lean3_valid.jsonl", "lean3", {"valid": 184}, {"Rudin", "Munkres"}),
        ("proofnet/lean4.jsonl", "lean", {"valid": 185, "test": 186}, {None}),
        ("minif2f/lean4.jsonl", "lean", {"valid": 244, "test": 244}, {"amc", "imo"}),
        ("minif2f_rocq/statements.jsonl", "coq", {"valid": 244, "test": 244}, {"amc", "imo"}),
    ],
)
def test_published_sets(shared_data, name, prover, splits, topics):
    pairs = read_pairs(shared_data(name))
    lines = sum(bool(line.strip()) for line in shared_data(name).read_text().splitlines())
    assert len(pairs) == lines
    assert Counter(pair.split for pair in pairs) == {**dict.fromkeys(splits, 0), **_sizes(splits, lines)}
    assert {pair.prover for pair in pairs} == {prover}
    assert topics <= {pair.topic for pair in pairs}
    assert len({pair.id for pair in pairs}) == len(pairs)
    for pair in pairs:
        assert not pair.informal.startswith("/--") and "sorry" not in pair.formal
        assert pair.formal.endswith(".") if prover == "coq" else not pair.formal.endswith((":=", "by"))


def _sizes(splits, lines):
    """The sizes; a set of one part is as long as its file."""
    return splits if len(splits) > 1 else dict.fromkeys(splits, lines)


def test_a_row_becomes_a_pair(write):
    assert read_pairs(write(COQ)) == [
        Pair("x", "It holds.", "Theorem x : True.", "", "coq", "valid", write(COQ).parent.name, None)
    ]


def test_docstrings_and_what_stands_before_a_declaration(write):
    row = {
        "name": "amc12a_1",
        "informal_prefix": "/-- One is one.-/\n",
        "formal_statement": "abbrev one := 1\n\ntheorem amc12a_1 (x : ℕ) : x = one := by sorry",
        "header": "import Mathlib",
        "split": "test",
    }
    (pair,) = read_pairs(write(row))
    assert (pair.informal, pair.topic, pair.prover) == ("One is one.", "amc", "lean")
    assert pair.header == "import Mathlib\nabbrev one := 1"
    assert pair.formal == "theorem amc12a_1 (x : ℕ) : x = one"


def test_prompt_and_completion(write):
    rows = [{"prompt": f"Show {i}.", "completion": f"Lemma l{i} : {i} = {i}."} for i in range(3)]
    pairs = read_pairs(write(*rows, name="own_train.jsonl"), Reading(header="Require Import Arith."))
    assert [pair.split for pair in pairs] == ["train"] * 3
    assert {pair.header for pair in pairs} == {"Require Import Arith."}
    assert len({pair.id for pair in pairs}) == 3


def test_what_was_written_here_is_read_as_it_is(tmp_path):
    pair = Pair("a", "b", "c", "", "coq", "train", "own", "t")
    write_pairs(tmp_path / "pairs.jsonl", [pair])
    assert read_pairs(tmp_path / "pairs.jsonl", Reading(split="test")) == [pair]


def test_empty_and_repeated_rows_are_left_out_with_a_warning(write, caplog):
    rows = [COQ, {**COQ, "informal": " "}, COQ, {**COQ, "informal": "Other."}]
    with caplog.at_level(logging.WARNING):
        pairs = read_pairs(write(*rows))
    assert [pair.id for pair in pairs] == ["x", "x#2"]
    assert "1 rows are left out: empty" in caplog.text and "1 rows are left out: repeated" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no pair"),
        (b'{"informal": "a"}\n', "no column formal"),
        (b'{"informal": ["a"], "formal": "Theorem a : True."}\n', "informal is a list, not a text"),
        (b'{"informal": "a", "formal": "Theorem a : True"}\n', "no sentence states a theorem"),
        (b'{"informal": "a", "formal": "what?"}\n', "cannot be seen what prover"),
        (b'{"informal": "a", "formal": "Theorem a : True.", "split": "x"}\n', "unknown split 'x'"),
        (b'{"informal": "caf\xe9", "formal": "Theorem a : True."}\n', ":1: not UTF-8"),
        (b'{"informal": "a", \n', ":1: not valid JSON"),
        (b"[1]\n", "not a JSON object"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, content, message):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_pairs(path)


def test_columns_and_provers_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"data\.prover=agda is unknown"):
        Reading(prover="agda")
    with pytest.raises(DataError, match=r"data\.columns=proof is unknown"):
        Reading(columns={"proof": "x"})
    with pytest.raises(DataError, match="cannot be read"):
        read_pairs(tmp_path / "none.jsonl")


def test_a_saved_hub_data_set_keeps_its_splits(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = {
        "link": ["l"],
        "formal statement": ['lemma "a = (a::nat)"'],
        "generated informal statement": ["A number is itself."],
        "keep or not": [1],
    }
    parts = {name: datasets.Dataset.from_dict(rows) for name in ("train", "validation")}
    parts["validation"] = datasets.Dataset.from_dict(
        {**rows, "link": ["m"], "formal statement": ['lemma "b"']}
    )
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "debug1_af"))
    pairs = read_hub(str(tmp_path / "debug1_af"))
    assert [(pair.split, pair.prover, pair.source) for pair in pairs] == [
        ("train", "isabelle", "debug1_af"),
        ("valid", "isabelle", "debug1_af"),
    ]


def test_a_csv_file_and_its_mistakes(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("nl,fl\nIt holds.,Theorem x : True.\n")
    (pair,) = read_hub(str(path), Reading(columns={"informal": "nl", "formal": "fl"}))
    assert (pair.informal, pair.formal, pair.split) == ("It holds.", "Theorem x : True.", "test")
    with pytest.raises(DataError, match=r"give data\.columns\.informal"):
        read_hub(str(path))
    with pytest.raises(DataError, match="give a file that ends in"):
        path.rename(tmp_path / "rows.txt")
        read_hub(str(tmp_path / "rows.txt"))
