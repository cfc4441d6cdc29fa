"""Names across files: the same one twice, parts of declarations, files that were not selected."""

import pytest

from ntp.data.dataset import Dataset
from ntp.data.lean.assemble import assemble
from ntp.data.lean.constants import Constant
from ntp.data.lean.lake import LakeProject
from ntp.data.lean.recorder import FileExtract, TheoremExtract
from ntp.data.records import FileRecord, PremiseRecord, PremiseUse, StepRecord, TheoremRecord
from ntp.data.terms import TERMS, DependencyRecord, StepTerms, TheoremTerms, load_terms
from ntp.errors import DataError
from ntp.jsonl import atomic_write, dump_record
from ntp.types import Goal, Span, Theorem
from tests.fixtures.lake import write_lake

SPAN = Span(0, 10)


def theorem(file, *used):
    step = StepRecord("exact x", SPAN, Goal((), "x"), 0, None, 0, tuple(PremiseUse(n, "") for n in used))
    record = TheoremRecord(
        Theorem("same", file, "theorem same", SPAN, SPAN), "lean", file[:-5], "theorem", "", (step,)
    )
    terms = TheoremTerms("same", (StepTerms(used, None),))
    return TheoremExtract(record, terms, DependencyRecord("same", True, used))


@pytest.fixture
def dataset(tmp_path):
    texts = {
        "A.lean": "structure Pair where\n",
        "B.lean": "import C\n",
        "C.lean": "import D\n",
        "D.lean": "theorem far : True := trivial\ntheorem unused : True := trivial\n",
        "E.lean": "theorem far : True := trivial\n",
    }
    root = write_lake(tmp_path / "p", texts)
    pair = PremiseRecord("Pair", "structure", texts["A.lean"].strip(), "A.lean", SPAN)
    same = [PremiseRecord("same", "theorem", "theorem same", f, SPAN) for f in ("A.lean", "B.lean")]
    extracts = [
        FileExtract(
            FileRecord("A.lean", "A", (), "", 1, 1), (theorem("A.lean", "Pair.mk", "Nat.succ"),),
            (pair, same[0]), (Constant("Pair.mk", "Pair", False), Constant("Nat.succ", "Nat → Nat", False)),
        ),
        FileExtract(
            FileRecord("B.lean", "B", ("C.lean",), "", 1, 1), (theorem("B.lean", "same", "far"),),
            (same[1],), (Constant("far", "True", True),),
        ),
    ]  # fmt: skip
    shards = [tmp_path / f"{number}.json" for number in range(2)]
    for shard, extract in zip(shards, extracts, strict=True):
        with atomic_write(shard) as stream:
            stream.write(dump_record(extract))
    assemble(LakeProject(root), shards, tmp_path / "data")
    return Dataset.load(tmp_path / "data")


def test_a_name_that_two_files_have_is_its_own_in_each(dataset):
    assert list(dataset.records) == ["same", "same#2"]
    (own, far) = dataset.records["same#2"].steps[0].premises
    assert own == PremiseUse("same", "B.lean") and far == PremiseUse("far", "D.lean")
    _, terms = load_terms(dataset.directory / TERMS)
    assert [record.theorem_id for record in terms] == ["same", "same#2"]


def test_what_comes_with_a_declaration_is_in_its_file(dataset):
    premises = {(p.full_name, p.file): p for p in dataset.premises}
    assert (premises["Pair.mk", "A.lean"].kind, premises["Pair.mk", "A.lean"].statement) == (
        "derived",
        "Pair",
    )
    assert premises["Nat.succ", ""].kind == "external" and premises["Nat.succ", ""].span is None


def test_premises_of_files_that_were_not_selected_are_found_through_imports(dataset):
    found = [(p.full_name, p.file, p.kind) for p in dataset.premises if p.full_name in ("far", "unused")]
    assert found == [("far", "D.lean", "theorem")]


def test_whether_a_constant_is_a_proof_is_kept_with_what_uses_it(dataset):
    dependencies, _ = load_terms(dataset.directory / TERMS)
    assert {d.full_name: (d.is_prop, d.term) for d in dependencies} == {
        "same": (True, ("Pair.mk", "Nat.succ")), "same#2": (True, ("same", "far")),
        "Pair.mk": (False, None), "Nat.succ": (False, None), "far": (True, None),
    }  # fmt: skip


def test_a_file_that_was_changed_meanwhile_is_refused(tmp_path):
    root = write_lake(tmp_path / "p", {"A.lean": "new"})
    with atomic_write(tmp_path / "a.json") as stream:
        stream.write(dump_record(FileExtract(FileRecord("A.lean", "A", (), "0" * 64, 1, 1))))
    with pytest.raises(DataError, match="was changed while it was extracted"):
        assemble(LakeProject(root), [tmp_path / "a.json"], tmp_path / "data")
