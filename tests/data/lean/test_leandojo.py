import json

import pytest

from ntp.data.lean.leandojo import LeanDojoBenchmark, module_name
from ntp.data.records import PremiseUse
from ntp.envs.lean.positions import pack_position
from ntp.errors import DataError
from ntp.types import Goal, Span

LOGIC, MAIN, CORE = "Small/Logic.lean", "Small/Main.lean", ".lake/packages/lean4/src/lean/Init/Core.lean"


@pytest.fixture
def parts(benchmark_parts):
    return benchmark_parts()


def place(line):
    return Span(pack_position(line, 1), pack_position(line + 3, 9))


def test_theorems_come_in_order_with_ids_of_their_own(write_benchmark, parts, tmp_path):
    benchmark = LeanDojoBenchmark.read(write_benchmark(tmp_path, parts))
    theorems = [record.theorem for record in benchmark.theorems()]
    assert [(t.id, t.file, t.declaration) for t in theorems] == [
        ("Logic.first", LOGIC, place(50)),
        ("Main.term", MAIN, place(10)),
        ("Main.twice", MAIN, place(20)),
        ("Main.twice#2", MAIN, place(30)),
    ]
    assert [t.statement for t in theorems] == ["theorem first : P", "def x := 1", "", ""]
    assert all(t.proof == Span(t.declaration.end, t.declaration.end) for t in theorems)


def test_the_splits_are_those_of_the_folders(write_benchmark, parts, tmp_path):
    benchmark = LeanDojoBenchmark.read(write_benchmark(tmp_path, parts))
    assert benchmark.parts == {
        "random": {
            "train": ("Main.twice", "Main.twice#2"),
            "val": ("Main.term",),
            "test": ("Logic.first",),
        },
        "novel_premises": {
            "train": ("Logic.first", "Main.term"),
            "val": ("Main.twice#2",),
            "test": ("Main.twice",),
        },
    }


def test_steps_hold_states_and_premises(write_benchmark, parts, tmp_path):
    benchmark = LeanDojoBenchmark.read(write_benchmark(tmp_path, parts))
    first, term, twice, again = benchmark.theorems()
    (step,) = first.steps
    assert (step.before, step.after, step.num_goals_after) == (Goal(("x : ℕ",), "P"), None, 0)
    assert step.premises == (PremiseUse("Pair", LOGIC),), "a constructor stands for its declaration"
    assert benchmark.num_steps_without_goal == 1
    assert term.steps == ()
    constructor, left = twice.steps
    assert (constructor.num_goals_after, constructor.after) == (2, Goal(("case left",), "A"))
    assert left.tactic == "exact id a"
    assert left.premises == (PremiseUse("id", CORE),)
    assert again.steps[0].premises == (PremiseUse("gone", "Small/Gone.lean"),), "not in the corpus"
    assert (twice.closes, again.closes, term.closes) == (True, False, False)


def test_premises_and_files(write_benchmark, parts, tmp_path):
    parts["random/test.json"][0]["url"] = "https://example.org/other"
    benchmark = LeanDojoBenchmark.read(write_benchmark(tmp_path, parts))
    premises = list(benchmark.premises())
    assert [(p.file, p.full_name) for p in premises] == [
        (CORE, "id"),
        (LOGIC, "Pair"),
        (LOGIC, "Logic.first"),
        (MAIN, "Main.term"),
    ]
    assert premises[0].span == Span(pack_position(40, 1), pack_position(42, 9))
    core, logic, main = benchmark.files()
    assert (core.module, logic.module) == ("Init.Core", "Small.Logic")
    assert (main.imports, main.num_theorems, main.commit) == ((LOGIC,), 3, "c0ffee")
    assert (logic.url, core.url) == ("https://example.org/other", main.url)


def test_without_a_corpus_premises_are_as_they_are_named(write_benchmark, parts, tmp_path):
    del parts["corpus.jsonl"]
    benchmark = LeanDojoBenchmark.read(write_benchmark(tmp_path, parts))
    first = next(benchmark.theorems())
    assert first.theorem.statement == ""
    assert first.steps[0].premises == (PremiseUse("Pair.mk", LOGIC),)
    assert list(benchmark.premises()) == []
    assert [(file.path, file.imports) for file in benchmark.files()] == [(LOGIC, ()), (MAIN, ())]


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("Mathlib/Data/Nat/Basic.lean", "Mathlib.Data.Nat.Basic"),
        (".lake/packages/batteries/Batteries/Logic.lean", "Batteries.Logic"),
        ("lake-packages/std/Std/Logic.lean", "Std.Logic"),
        (".lake/packages/lean4/src/lean/Init/Core.lean", "Init.Core"),
        ("src/data/nat/basic.lean", "data.nat.basic"),
        ("_target/deps/lean/library/init/core.lean", "init.core"),
    ],
)
def test_module_names(path, module):
    assert module_name(path) == module


@pytest.mark.parametrize("where", ["corpus", "theorem", "premise"])
def test_lean_3_is_told_by_where_its_packages_lie(write_benchmark, parts, tmp_path, where):
    assert LeanDojoBenchmark.read(write_benchmark(tmp_path, parts)).prover == "lean"
    core = "_target/deps/lean/library/init/core.lean"
    if where == "corpus":
        parts["corpus.jsonl"].append({"path": core, "imports": [], "premises": []})
    elif where == "theorem":
        parts["random/val.json"][0]["file_path"] = core
        parts["novel_premises/train.json"][0]["file_path"] = core
    else:
        parts["random/test.json"][0]["traced_tactics"][0]["annotated_tactic"][1][0]["def_path"] = core
    benchmark = LeanDojoBenchmark.read(write_benchmark(tmp_path, parts))
    assert benchmark.prover == next(benchmark.theorems()).prover == "lean3"


def change(parts, name, path, value):
    *steps, last = path
    target = parts[name]
    for step in steps:
        target = target[step]
    target[last] = value


def set_position(where, value):
    paths = {
        "theorem": ("random/train.json", [0, "start"]),
        "premise": ("corpus.jsonl", [1, "premises", 1, "end"]),
        "use": (
            "random/train.json",
            [1, "traced_tactics", 1, "annotated_tactic", 1, 0, "def_pos"],
        ),
    }
    return lambda parts: change(parts, *paths[where], value)


def on_two_parts(parts):
    parts["random/val.json"].append(parts["random/train.json"][0])


MISTAKES = {
    "a key lacks": (
        lambda parts: parts["random/val.json"][0].pop("file_path"),
        r"random/val\.json: theorem 1: does not have the format of a LeanDojo Benchmark: .*file_path",
    ),
    "a tactic is none": (
        lambda parts: change(parts, "random/train.json", [1, "traced_tactics", 0, "tactic"], 5),
        r"random/train\.json: theorem 2: does not have the format .*traced_tactics\[0\]\.tactic",
    ),
    "a theorem in two splits": (on_two_parts, r"val\.json: theorem 2: Main\.twice .* is also in train"),
    "a circle": (
        lambda parts: change(parts, "corpus.jsonl", [0, "imports"], [MAIN]),
        r"corpus\.jsonl: the imports form a cycle: .*Main\.lean -> .*",
    ),
    "a file imported that is not there": (
        lambda parts: change(parts, "corpus.jsonl", [0, "imports"], ["Nowhere.lean"]),
        r"corpus\.jsonl: \.lake/.* imports Nowhere\.lean, which is not in it",
    ),
    "a file twice": (
        lambda parts: parts["corpus.jsonl"].append(parts["corpus.jsonl"][0]),
        r"corpus\.jsonl: \.lake/.*Core\.lean occurs twice",
    ),
    "a line 0": (set_position("theorem", [0, 1]), r"Main\.twice\): position 0:1 is outside its file"),
    "a premise before its file": (
        set_position("use", [-3, 1]),
        r"theorem 2: premise id in .*Core\.lean: position -3:1 is outside its file",
    ),
    "a premise that ends before it begins": (
        set_position("premise", [9, 1]),
        r"Logic\.lean: Pair: ends at 9:1, before its start at 10:1",
    ),
    "a file of two commits": (
        lambda parts: change(parts, "random/val.json", [0, "commit"], "other"),
        r"val\.json: theorem 1: Small/Main\.lean comes from two versions",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_a_benchmark_are_named(write_benchmark, parts, tmp_path, name):
    spoil, message = MISTAKES[name]
    spoil(parts)
    with pytest.raises(DataError, match=message) as error:
        benchmark = LeanDojoBenchmark.read(write_benchmark(tmp_path, parts))
        list(benchmark.premises())
        list(benchmark.theorems())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("file", ["random/train.json", "novel_premises/test.json"])
def test_a_truncated_split_is_named(write_benchmark, parts, tmp_path, file):
    path = write_benchmark(tmp_path, parts) / file
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=rf"{file}: not valid JSON \(.*truncated\): the file is damaged"):
        LeanDojoBenchmark.read(tmp_path)


def test_a_damaged_corpus_line_is_named(write_benchmark, parts, tmp_path):
    path = write_benchmark(tmp_path, parts) / "corpus.jsonl"
    lines = path.read_text().split("\n")
    path.write_text("\n".join([lines[0], lines[1][:50], lines[2]]))
    with pytest.raises(DataError, match=r"corpus\.jsonl:2: not valid JSON"):
        LeanDojoBenchmark.read(tmp_path)


def test_a_missing_split_and_a_wrong_folder(write_benchmark, parts, tmp_path):
    (write_benchmark(tmp_path, parts) / "random/val.json").unlink()
    with pytest.raises(DataError, match=r"random/val\.json: cannot be read"):
        LeanDojoBenchmark.read(tmp_path)
    with pytest.raises(DataError, match=r"it has no folder random or novel_premises"):
        LeanDojoBenchmark.read(tmp_path / "random")


def test_the_published_sample(shared_data):
    """Counted independently: what json says against what the records say."""
    directory = shared_data("leandojo_benchmark_4_sample")
    raw = {s: json.loads((directory / f"random/{s}.json").read_text()) for s in ("train", "val", "test")}
    benchmark = LeanDojoBenchmark.read(directory)
    records = {record.theorem.id: record for record in benchmark.theorems()}
    assert {part: len(ids) for part, ids in benchmark.parts["random"].items()} == {
        part: len(theorems) for part, theorems in raw.items()
    }
    for part, theorems in raw.items():
        for theorem in theorems:
            record = records[theorem["full_name"]]
            assert theorem["full_name"] in benchmark.parts["random"][part]
            tactics = theorem["traced_tactics"]
            assert [step.tactic for step in record.steps] == [t["tactic"].strip() for t in tactics]
            assert [step.state for step in record.steps] == [t["state_before"] for t in tactics]
            names = [{use["full_name"] for use in t["annotated_tactic"][1]} for t in tactics]
            assert [{use.full_name for use in step.premises} for step in record.steps] == names
            assert record.closes == (tactics[-1]["state_after"] == "no goals")
