"""Live extraction: the data set of a small project, what fails alone, and what a second run does."""

import re
from dataclasses import replace

import pytest

from ntp.data.dataset import Dataset
from ntp.data.lean import extract as extraction
from ntp.data.lean.extract import extract
from ntp.data.terms import TERMS, load_terms
from ntp.envs.lean.factory import LeanReplFactory
from ntp.envs.lean.positions import Lines
from ntp.errors import DataError, EnvError
from ntp.types import Proved, Reached
from tests.fixtures.lake import BASIC, SMALL, STANDIN, make_repl, write_lake

ALL = ["**/*.lean"]


@pytest.fixture(scope="module")
def made(small_repl, tmp_path_factory):
    """What a second extraction says, and the data set."""
    directory = tmp_path_factory.mktemp("data")
    extract(small_repl, directory, ALL)
    return extract(small_repl, directory, ALL), Dataset.load(directory)


@pytest.fixture(scope="module")
def dataset(made):
    return made[1]


def steps_of(dataset, name):
    return dataset.records[name].steps


def test_theorems_are_where_their_source_has_them(dataset):
    assert list(dataset.records) == ["Small.swap", "Small.both", "Small.cases", "Small.term", "user"]
    lines = Lines(BASIC)
    swap = dataset.records["Small.swap"]
    theorem = swap.theorem
    begin, cut, end = (
        lines.offset(p) for p in (theorem.declaration.begin, theorem.proof.begin, theorem.proof.end)
    )
    assert theorem.statement == "@[simp]\ntheorem swap (p q : Prop) (h : p ∧ q) : q ∧ p"
    assert BASIC[begin:cut].rstrip() == theorem.statement
    assert BASIC[cut:end].startswith(":= by\n") and BASIC[cut:end].endswith("exact h.1")
    assert (swap.prover, swap.module, swap.kind) == ("lean", "Small.Basic", "theorem")


def test_steps_have_the_text_and_place_of_the_source_and_the_goals_of_lean(dataset):
    constructor, right, left = steps_of(dataset, "Small.swap")
    lines = Lines(BASIC)
    assert [s.tactic for s in (constructor, right, left)] == ["constructor", "exact h.2", "exact h.1"]
    assert [BASIC[lines.offset(s.span.begin) : lines.offset(s.span.end)] for s in (right, left)] == [
        "exact h.2", "exact h.1"
    ]  # fmt: skip
    assert constructor.num_goals_after == 2 and constructor.after == right.before
    assert right.before.conclusion == "q" and right.before.hypotheses[0] == "case left"
    assert (right.num_other_goals, right.after) == (0, None), "a bullet shows its goal alone"


def test_tactics_in_tactics_are_steps_too(dataset):
    cases = steps_of(dataset, "Small.cases")
    assert [s.tactic.split("\n")[0] for s in cases] == [
        "cases h", "case inl =>", "right", "assumption", "case inr =>", "left", "assumption"
    ]  # fmt: skip
    assert cases[1].tactic == "case inl =>\n  right\n  assumption", "without the indentation of its place"
    assert (cases[1].num_other_goals, cases[1].num_goals_after) == (1, 1)
    assert cases[1].other_goals and cases[1].state.count("⊢") == 2
    assert [s.tactic for s in steps_of(dataset, "Small.both")] == ["constructor", "exact given p h"]


def test_premises_are_what_tactics_name(dataset):
    have, inner, last = steps_of(dataset, "user")
    (use,) = inner.premises
    assert (use.full_name, use.file) == ("Small.swap", "Small/Basic.lean") and use in have.premises
    assert [(u.full_name, u.file) for u in last.premises] == [("And.intro", "")]
    premises = {p.full_name: p for p in dataset.premises}
    assert (premises["Small.given"].kind, premises["Small.given"].statement) == (
        "axiom", "axiom given (p : Prop) : p → p"
    )  # fmt: skip
    assert premises["And.intro"].kind == "external" and "a ∧ b" in premises["And.intro"].statement


def test_constants_of_terms_are_kept_beside_it(dataset):
    dependencies, terms = load_terms(dataset.directory / TERMS)
    by_name = {record.full_name: record for record in dependencies}
    assert "Small.swap" in (by_name["user"].term or ()) and by_name["user"].is_prop
    assert by_name["Small.term"].term is None, "nothing is known of a proof that is a term"
    assert by_name["Small.given"].is_prop and by_name["And.intro"].is_prop
    assert [len(t.steps) for t in terms] == [len(r.steps) for r in dataset.iter_theorems()]
    assert terms[-1].theorem_id == "user" and "Small.swap" in terms[-1].steps[1].constants
    assert terms[-1].steps[0].hypotheses is None


def test_files_have_their_imports_texts_and_errors(made, small_repl):
    done, dataset = made
    files = {file.path: file for file in dataset.files}
    assert files["Small/User.lean"].imports == ("Small/Basic.lean", "Init")
    assert re.match(r"[12]:\d+: ", files["Small/Broken.lean"].error)
    assert dataset.sources == {name: text for name, text in SMALL.items() if "Broken" not in name}
    assert len(done.failures) == 1 and done.failures[0].startswith("Small/Broken.lean:")
    assert done.left_out.num_theorems_with_sorry == 1 and done.left_out.num_tactics_repeated >= 1
    assert done.left_out.num_theorems_without_tactics == 1 and done.left_out.num_proofs_not_closed == 0
    assert dataset.metadata.prover == "lean"


def test_every_theorem_can_be_posed_and_proved_again(dataset, small_repl):
    env = LeanReplFactory(project=str(small_repl.project.directory), command=small_repl.project.command)()
    try:
        for record in dataset.iter_theorems():
            session = env.open(record.theorem)
            state, outcome = session.root, None
            for step in top_level(record.steps):
                outcome = session.step(state, step.tactic)
                state = outcome.state if isinstance(outcome, Reached) else state
            # The right side of `<;>` is recorded once and runs on every goal.
            if record.steps and record.theorem.id != "Small.both":
                assert outcome == Proved(), record.theorem.id
    finally:
        env.close()


def top_level(steps):
    """The steps that are not inside others."""
    end = -1
    for step in steps:
        if step.span.begin >= end:
            end = step.span.end
            yield step


def test_a_second_run_elaborates_what_has_failed_only_and_two_runs_write_the_same_bytes(
    small_repl, made, tmp_path
):
    done, dataset = made
    assert done.num_resumed_files == 2
    extract(small_repl, tmp_path, ALL, num_workers=2)
    for path in sorted(p for p in dataset.directory.rglob("*.json*") if p.is_file()):
        again = tmp_path / path.relative_to(dataset.directory)
        assert again.read_bytes() == path.read_bytes(), path


@pytest.fixture
def write(tmp_path):
    return lambda **files: write_lake(tmp_path / "p", {f"{n}.lean": t for n, t in files.items()})


GOOD = "theorem good (p : Prop) (h : p) : p := by\n  exact h\n"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("theorem a : True := by\n  standin_exit137", "1:1: the process ended"),
        ("theorem a : True := by\n  standin_kill", "1:1: the process ended"),
        (
            "theorem a : True := by\n  standin_hang",
            "1:1: not done within 0.05 minutes: raise data.file_minutes",
        ),
        ("theorem a : True := by\n  standin_endless", "1:1: the answer passed 64 MiB"),
        ("theorem a : True := by\n  standin_badjson", "1:1: not an answer of the REPL"),
        ("theorem a : True := (", "1:1: its tokens cannot be followed: ')' is missing"),
        ("import Nowhere\n" + GOOD, "1:1: unknown module prefix 'Nowhere'"),
        ("\n  theorem a : True := by\n    exact nothing", "2:3: Unknown identifier `nothing`"),
    ],
)
def test_a_file_fails_alone(write, tmp_path, bad, message):
    root = write(Bad=bad, Good=GOOD)
    repl = make_repl(root, file_timeout_s=3.0)
    done = extract(repl, tmp_path / "data", ALL, num_workers=2)
    assert len(done.failures) == 1 and done.failures[0].startswith(f"Bad.lean:{message}")
    dataset = Dataset.load(tmp_path / "data")
    assert list(dataset.records) == ["good"] and dataset.metadata.num_failed_files == 1


def test_a_repl_that_dies_when_tactics_run_again_fails_the_file(write, tmp_path):
    """The third request is the first tactic."""
    root = write(Good=GOOD, Other=GOOD.replace("exact h", "assumption"))
    with pytest.raises(DataError, match=r"none of 2 files elaborates; Good\.lean:1:1: the process ended"):
        extract(make_repl(root, STANDIN, "--fault", "exit137@3"), tmp_path / "data", ALL)
    done = extract(make_repl(root), tmp_path / "data", ALL)
    assert done.num_resumed_files == 0 and not done.failures


def test_a_repl_that_does_not_work_is_an_error_of_its_own(write, tmp_path):
    root = write(Good=GOOD)
    with pytest.raises(EnvError, match="no REPL answers"):
        extract(make_repl(root, STANDIN, "--stderr", "error: broken"), tmp_path / "data", ALL)
    with pytest.raises(EnvError, match=r"cannot be started|no REPL answers"):
        extract(make_repl(root, ["/nowhere/repl"]), tmp_path / "data", ALL)


def test_what_does_not_run_again_is_counted(write, tmp_path):
    text = "theorem a (p : Prop) (h : p) : p := by\n  try exact nothing\n  all_goals exact h\n"
    text += "theorem b : 1 + 1 = 2 := by\n  native_decide\n"
    done = extract(make_repl(write(A=text)), tmp_path / "data", ALL)
    dataset = Dataset.load(tmp_path / "data")
    assert [s.tactic for s in dataset.records["a"].steps] == [
        "try exact nothing", "all_goals exact h", "exact h"
    ]  # fmt: skip
    assert dataset.records["b"].steps == ()
    assert (done.left_out.num_tactics_failed, done.left_out.num_tactics_refused) == (1, 1)


def test_an_edit_makes_only_its_file_again(write, tmp_path, monkeypatch):
    root = write(A=GOOD, B=GOOD.replace("good", "other"))
    extract(make_repl(root), tmp_path / "data", ALL)
    (root / "A.lean").write_text(GOOD.replace("good", "better"))
    assert extract(make_repl(root), tmp_path / "data", ALL).num_resumed_files == 1
    (root / "lean-toolchain").write_text("leanprover/lean4:v4.10.0\n")
    assert extract(make_repl(root), tmp_path / "data", ALL).num_resumed_files == 0
    monkeypatch.setattr(extraction, "EXTRACTOR_VERSION", extraction.EXTRACTOR_VERSION + 1)
    assert extract(make_repl(root), tmp_path / "data", ALL).num_resumed_files == 0


def test_nothing_to_extract_is_one_line(write, tmp_path):
    root = write(A=GOOD)
    with pytest.raises(DataError, match=r"no file of .* matches \['X\.lean'\]"):
        extract(make_repl(root), tmp_path / "data", ["X.lean"])
    repl = make_repl(root)
    gone = replace(repl, project=replace(repl.project, directory=tmp_path / "gone"))
    with pytest.raises(DataError, match="is no directory"):
        extract(gone, tmp_path / "data", ALL)
