import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp.data.records import PremiseUse, StepRecord, TheoremRecord
from ntp.data.splits import (
    KINDS,
    load_or_make_split,
    load_split,
    make_split,
    save_split,
    statement_key,
)
from ntp.errors import DataError
from ntp.types import Goal, Span, Theorem

SPAN = Span(0, 1)


def make_record(index, file, premises=(), statement=None, name=None):
    name = name or f"F{file}.t{index}"
    text = statement or f"Lemma t{index} : {index} = {index}."
    uses = tuple(PremiseUse(f"P{p}", "p.v") for p in premises)
    step = StepRecord("auto.", SPAN, Goal((), f"{index} = {index}"), 0, None, 0, uses)
    return TheoremRecord(Theorem(name, f"{file}.v", text, SPAN, SPAN), "coq", "F", "Lemma", "Qed", (step,))


def library(num_files=20, per_file=10):
    # Every file's theorems use a common premise; odd ones also one of their own file.
    return [
        make_record(f * per_file + i, f, ("all", f"of{f}") if i % 2 else ("all",))
        for f in range(num_files)
        for i in range(per_file)
    ]


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=3, max_size=12),
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(KINDS),
    data=st.data(),
)
def test_files_are_whole_and_the_splits_disjoint(sizes, seed, kind, data):
    records = [make_record(f"{f}_{i}", f, (f"of{f}",)) for f, n in enumerate(sizes) for i in range(n)]
    split = make_split(records, kind, seed, 0.1, 0.1)
    file_of = {r.theorem.id: r.theorem.file for r in records}
    parts = [split.train, split.val, split.test]
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(records)
    files = [{file_of[i] for i in part} for part in parts]
    assert sum(map(len, files)) == len(set().union(*files))
    assert make_split(iter(records), kind, seed, 0.1, 0.1) == split


def test_the_fractions_are_met_as_near_as_files_allow():
    split = make_split(library(), "random", 3, 0.1, 0.2)
    assert (len(split.train), len(split.val), len(split.test)) == (140, 20, 40)


def test_theorems_for_verifiers_are_taken_from_training_alone():
    whole, parted = (
        make_split(library(), "random", 3, 0.1, 0.2, verifier_fraction=fraction) for fraction in (0.0, 0.3)
    )
    assert whole.verifier == ()
    assert (len(parted.train), len(parted.verifier)) == (80, 60)
    assert {*parted.train, *parted.verifier} == {*whole.train}
    assert (parted.val, parted.test) == (whole.val, whole.test)


@pytest.mark.parametrize("seed", range(5))
def test_no_big_file_is_a_side_by_itself(seed):
    big = [make_record(f"big{i}", 99) for i in range(40)]
    split = make_split([*library(), *big], "random", seed, 0.1, 0.2)
    assert 20 <= len(split.val) <= 30
    assert len({i.partition(".")[0] for i in split.val}) > 1


def test_the_seed_decides_and_order_within_splits_is_that_of_the_data():
    records = library()
    splits = [make_split(records, "random", seed) for seed in range(4)]
    assert len({split.test for split in splits}) == 4
    order = [r.theorem.id for r in records]
    for split in splits:
        for part in (split.train, split.val, split.test):
            assert list(part) == sorted(part, key=order.index)


def test_novel_premises_are_not_used_in_training():
    records = library()
    split = make_split(records, "novel_premises", 1, 0.1, 0.1)
    used = {r.theorem.id: {use.full_name for use in r.steps[0].premises} for r in records}
    in_training = set().union(*(used[i] for i in split.train))
    assert all(used[i] - in_training for i in (*split.val, *split.test))
    # Half of the theorems of the evaluation files use nothing new.
    assert split.num_without_novel_premise == len(split.val) + len(split.test) == 20
    assert split.train == make_split(records, "random", 1, 0.1, 0.1).train


def test_repeated_statements_leave_the_evaluation_splits():
    statements = [
        ("a", 0, "Lemma a :\n  x = y."),
        ("b", 1, "Theorem b : x   = y."),
        ("c", 1, "Lemma c : y = x."),
        ("d", 1, "#[local] Lemma d : y = x."),
        ("e", 0, "Lemma e : a."),
    ]
    records = [make_record(0, file, statement=text, name=f"F.{name}") for name, file, text in statements]
    split = make_split(records, test_files=["1.v"], val_fraction=0)
    assert (split.train, split.test, split.num_duplicates) == (("F.a", "F.e"), ("F.c",), 2)


def named(statement, name):
    return make_record(0, 0, statement=statement, name=name)


def test_statement_keys():
    key = statement_key(named("Lemma e : x = e.", "A.e"))
    assert key == statement_key(named("#[local]\nTheorem  e' :\n x = e.", "A.e'")) == ": x = e."
    assert statement_key(named("Next Obligation.", "A.f_obligation_1")) == "⊢ 0 = 0"
    assert statement_key(named("Lemma l : y.", "A.l#2")) == ": y."


def test_files_can_be_named():
    split = make_split(library(4), test_files=["1.v", "[23].v"], val_fraction=0)
    assert {i.split(".")[0] for i in split.test} == {"F1", "F2", "F3"}
    assert {i.split(".")[0] for i in split.train} == {"F0"}
    assert split.val == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "other"}, "unknown split 'other'"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "leave something to train on"),
        (
            {"val_fraction": 0.3, "test_fraction": 0.3, "verifier_fraction": 0.4},
            "leave something to train on",
        ),
        ({"val_fraction": -0.1}, "leave something to train on"),
        ({"test_files": ["nothing.v"]}, r"the test split of 200 theorems \(random\) is empty"),
        ({"test_files": ["*"]}, "the train split"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(DataError, match=message):
        make_split(library(), **options)


def test_an_empty_split_is_an_error():
    with pytest.raises(DataError, match="is empty: extract more files"):
        make_split([])
    with pytest.raises(DataError, match="is empty"):
        make_split([make_record(0, 0), make_record(1, 0)])
    shared = [make_record(i, i, ("all",)) for i in range(9)]
    with pytest.raises(DataError, match=r"split of 9 theorems \(novel_premises\) is empty"):
        make_split(shared, "novel_premises")


def test_a_saved_split_is_checked(tmp_path):
    path = tmp_path / "split.json"
    split = make_split(library(), "novel_premises", 5)
    save_split(split, path)
    assert load_split(path) == split
    changed = json.loads(path.read_text())
    changed["test"], changed["train"] = changed["test"][:-1], changed["train"] + changed["test"][-1:]
    path.write_text(json.dumps(changed))
    with pytest.raises(DataError, match=r"split\.json: its content does not match its hash"):
        load_split(path)


@pytest.mark.coq
def test_a_data_set_keeps_its_split(small_extraction):
    dataset, _ = small_extraction
    options = {"kind": "random", "seed": 0, "val_fraction": 0.0, "test_fraction": 0.3}
    split = load_or_make_split(dataset, **options)
    assert load_or_make_split(dataset, **options) == split
    assert {r.theorem.file for r in dataset.select(split.test)} == {"Base.v"}
    (path,) = (dataset.directory / "splits").iterdir()
    other = make_split(library(), **options)
    save_split(other, path)
    with pytest.raises(DataError, match="made from other theorems"):
        load_or_make_split(dataset, **options)
    path.unlink()
