import json
from collections import Counter

import pytest

from ntp.data.lean.statements import read_statements
from ntp.errors import DataError
from ntp.types import Span

HEADER = "import Mathlib\n"


def entry(name, statement, **others):
    return json.dumps({"name": name, "formal_statement": statement, **others})


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "ending", ["", " :=", " := by", " := by\n", " := by sorry", "\n  := sorry", " := by\n  sorry\n"]
)
def test_statements_end_before_the_proof(tmp_path, ending):
    statement = "theorem t (h : f := by exact x) :\n  1 = 1"
    path = write(tmp_path / "list.jsonl", entry("t", statement + ending, header="open Nat\n"))
    (record,) = read_statements(path, HEADER).records
    theorem = record.theorem
    assert (theorem.statement, theorem.context) == (statement, "open Nat\n")
    assert (theorem.id, theorem.file, record.kind, record.steps) == ("t", "list.jsonl", "theorem", ())
    assert theorem.declaration == theorem.proof == Span(0, 0)


def test_splits_are_those_of_the_file_and_names_are_made_unique(tmp_path):
    path = write(
        tmp_path / "list.jsonl",
        entry("a", "theorem a : A := by", split="valid"),
        entry("b", "lemma b : B := by", split="test"),
        "",
        entry("a", "noncomputable def a : C :=", split="test"),
    )
    statements = read_statements(path, HEADER)
    assert statements.parts == {"train": (), "val": ("a",), "test": ("b", "a#2")}
    assert [record.kind for record in statements.records] == ["theorem", "lemma", "def"]
    assert {record.theorem.context for record in statements.records} == {HEADER}


def test_a_plain_list_is_a_test_side(tmp_path):
    path = write(
        tmp_path / "list.txt",
        "-- mine",
        "theorem one : 1 = 1 := by sorry",
        "",
        "∀ n : ℕ, n + 0 = n",
        "@[simp] private lemma two (n : ℕ) : n = n",
    )
    statements = read_statements(path, HEADER)
    assert [record.theorem.statement for record in statements.records] == [
        "theorem one : 1 = 1",
        "theorem statement_4 : ∀ n : ℕ, n + 0 = n",
        "@[simp] private lemma two (n : ℕ) : n = n",
    ]
    assert statements.parts == {"train": (), "val": (), "test": ("one", "statement_4", "two")}


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("l.jsonl", ["{}"], r"l\.jsonl:1: not a statement: .*formal_statement"),
        ("l.jsonl", [entry("a", "theorem a : A"), '{"name": "b"'], r"l\.jsonl:2: not a statement"),
        ("l.jsonl", [entry("a", "theorem a : A", split="dev")], "unknown split 'dev'"),
        ("l.jsonl", [entry("a", "1 = 1")], "'1 = 1' declares no theorem"),
        ("l.txt", ["example : 1 = 1"], "the statement has no name"),
        ("l.txt", ["-- nothing"], "contains no statement"),
    ],
)
def test_mistakes_are_named(tmp_path, name, lines, message):
    with pytest.raises(DataError, match=message):
        read_statements(write(tmp_path / name, *lines), HEADER)


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.txt"):
        with pytest.raises(DataError, match=r"cannot be read .*set data\.path to a file"):
            read_statements(path, HEADER)
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(DataError, match="not UTF-8"):
        read_statements(tmp_path / "latin", HEADER)


@pytest.mark.parametrize(
    ("name", "parts", "prover"),
    [
        ("minif2f/lean4.jsonl", {"train": 0, "val": 244, "test": 244}, "lean"),
        ("proofnet/lean4.jsonl", {"train": 0, "val": 185, "test": 186}, "lean"),
        ("proofnet/lean3_test.jsonl", {"train": 0, "val": 0, "test": 186}, "lean3"),
    ],
)
def test_published_sets(shared_data, name, parts, prover):
    path = shared_data(name)
    statements = read_statements(path, HEADER)
    entries = list(map(json.loads, path.read_text().splitlines()))
    assert {part: len(ids) for part, ids in statements.parts.items()} == parts
    assert max(Counter(r.theorem.id for r in statements.records).values()) == 1
    for record, given in zip(statements.records, entries, strict=True):
        theorem = record.theorem
        assert given["formal_statement"].startswith(theorem.statement)
        assert given["formal_statement"][len(theorem.statement) :].split() in ([":=", "by"], [":="])
        assert theorem.context == given.get("header", given.get("src_header"))
        assert record.prover == prover


def contexts(tmp_path, name, *lines):
    return [
        (record.theorem.context, record.theorem.statement)
        for record in read_statements(write(tmp_path / name, *lines), "import Mathlib\nopen Real").records
    ]


def test_what_stands_before_a_theorem_is_its_context(tmp_path):
    with_variable = entry(
        "x", "variable (k : ℕ)\n\ntheorem x (h : k = 1) : 1 = k := by\n  sorry", header="import A\n"
    )
    with_imports = entry("x", "import Mathlib\nopen Nat\n\n@[simp] theorem x : p := by\n  sorry")
    with_definition = entry("x", "def sol : ℕ := 3\n\n/-- Doc. -/\ntheorem x : sol = 3 := by\n  sorry")
    both = entry("x", "import B\nopen Nat\ntheorem x : p := sorry", header="import A\nopen Set")
    assert contexts(tmp_path, "a.jsonl", with_variable, with_imports, with_definition, both) == [
        ("import A\nvariable (k : ℕ)", "theorem x (h : k = 1) : 1 = k"),
        ("import Mathlib\nopen Nat", "@[simp] theorem x : p"),
        ("import Mathlib\nopen Real\ndef sol : ℕ := 3", "/-- Doc. -/\ntheorem x : sol = 3"),
        ("import A\nimport B\nopen Set\nopen Nat", "theorem x : p"),
    ]


def test_an_entry_with_several_theorems_is_refused(tmp_path):
    two = entry("x", "theorem a : p := sorry\ntheorem b : q := sorry")
    with pytest.raises(DataError, match=r"a\.jsonl:1: more than one theorem"):
        contexts(tmp_path, "a.jsonl", two)


def test_a_statement_of_several_lines_is_one(tmp_path):
    lines = ["import Mathlib", "open Nat", "", "theorem two_lines (a b : ℕ)", "    (h : a = b) : b = a := by"]
    assert contexts(tmp_path, "list.txt", *lines, "  sorry", "∀ n : ℕ,", "  n = n") == [
        ("import Mathlib\nopen Nat", "theorem two_lines (a b : ℕ)\n    (h : a = b) : b = a"),
        ("import Mathlib\nopen Nat", "theorem statement_7 : ∀ n : ℕ,\n  n = n"),
    ]
    with pytest.raises(DataError, match=r"list\.txt:1: namespace is no statement"):
        contexts(tmp_path, "list.txt", "namespace A", "theorem a : p")


def test_a_byte_order_mark_and_blank_lines_are_no_damage(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + entry("x", "theorem x : p := sorry").encode() + b"\n\n  \n")
    assert len(read_statements(path, "").records) == 1
