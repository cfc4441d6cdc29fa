import numpy as np
import pytest

from ntp.errors import DataError
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.examples import retrieval_examples


def brute_force(of, files, premises, records):
    """Accessible premises by following imports one by one and comparing positions."""
    imports = {f.path: f.imports for f in files}
    seen, pending = set(), list(imports[of.file])
    while pending:
        file = pending.pop()
        if file not in seen:
            seen.add(file)
            pending += imports.get(file, ())
    found = set()
    for p in premises:
        if (
            p.kind == "external"
            or p.file in seen
            or (p.file == of.file and p.span is not None and p.span.end <= of.declaration.begin)
        ):
            found.add(p.full_name)
        elif p.file == of.file and p.span is None:
            ends = [
                r.theorem.proof.end
                for r in records
                if r.theorem.file == p.file
                and any(use.full_name == p.full_name for s in r.steps for use in s.premises)
            ]
            if ends and min(ends) <= of.declaration.begin:
                found.add(p.full_name)
    return found


@pytest.mark.parametrize("seed", range(25))
def test_accessible_premises_are_those_of_a_brute_force_walk(seed, random_project):
    files, premises, records = random_project(seed)
    corpus = PremiseCorpus(premises, files, records)
    assert sorted(p.full_name for p in corpus.premises) == sorted(p.full_name for p in premises)
    for record in records:
        wanted = brute_force(record.theorem, files, premises, records)
        mask = corpus.mask(record.theorem)
        assert {corpus.premises[i].full_name for i in np.flatnonzero(mask)} == wanted
        ranges = corpus.accessible(record.theorem)
        assert sum(end - begin for begin, end in ranges) == mask.sum()
        begin, end = corpus.own(record.theorem)
        own = {p.full_name for p in corpus.premises[begin:end]}
        assert own == {p.full_name for p in premises if p.file == record.theorem.file} & wanted


def test_two_theorems_of_one_offset_in_different_files_see_different_premises(build):
    premises = [build.premise("a.p", "a.v", 0), build.premise("b.p", "b.v", 0)]
    corpus = PremiseCorpus(premises, [build.file("a.v"), build.file("b.v", "a.v")], [])
    assert corpus.mask(build.theorem("t", "a.v", 50)).tolist() == [True, False]
    assert corpus.mask(build.theorem("t", "b.v", 50)).tolist() == [True, True]
    assert corpus.mask(build.theorem("t", "b.v", 0)).tolist() == [True, False]


def test_a_benchmark_theorem_sees_what_its_context_imports(build):
    premises = [build.premise(f"{n}.p", f"{n}.lean", 0) for n in "abc"]
    files = [build.file("a.lean", module="Lib.A"), build.file("b.lean", "a.lean", module="Lib.B")]
    corpus = PremiseCorpus(premises, [*files, build.file("c.lean", module="Lib.C")], [])
    context = "import Lib.B\n\nopen Nat"
    assert corpus.mask(build.theorem("t", "", 0, context=context)).tolist() == [True, True, False]
    assert corpus.mask(build.theorem("t", "", 0, context="import Lib")).all()
    with pytest.raises(DataError, match="no module Elsewhere"):
        corpus.mask(build.theorem("t", "", 0, context="import Elsewhere"))
    with pytest.raises(DataError, match=r"theorem t: its file 'x\.lean' is not in the data set"):
        corpus.mask(build.theorem("t", "x.lean", 0))


def test_a_corpus_without_premises_is_an_error(build):
    with pytest.raises(DataError, match="no premises"):
        PremiseCorpus([], [build.file("a.v")], [])


def test_the_key_is_of_the_documents(build):
    def key(*names):
        return PremiseCorpus([build.premise(n, "a.v", 9 * i) for i, n in enumerate(names)], [], []).key

    assert key("x", "y") == key("x", "y")
    assert len({key("x", "y"), key("x"), key("y", "x"), key("x", "z")}) == 4


def test_examples_hold_what_a_step_names_and_can_see(build):
    premises = [build.premise("p", "a.v", 0), build.premise("q", "a.v", 20), build.premise("late", "a.v", 90)]
    uses = [("q", "a.v"), ("late", "a.v"), ("p", "a.v"), ("unknown", "a.v"), ("p", "b.v")]
    steps = [("first", uses), ("none", []), ("late only", [("late", "a.v")]), ("last", [("p", "a.v")])]
    records = [build.record(build.theorem("t", "a.v", 50), steps)]
    corpus = PremiseCorpus(premises, [build.file("a.v")], records)
    examples = retrieval_examples(corpus, records)
    named = [(e.state, [corpus.premises[n].full_name for n in e.used]) for e in examples]
    assert named == [("⊢ first", ["q", "p"]), ("⊢ last", ["p"])]
