"""Files that coqc accepts and that were read wrongly, or lost, at some time."""

import os

import pytest

from ntp.data.coq.extract import extract
from ntp.data.coq.replay import closing_keyword, tactic_text
from ntp.data.dataset import Dataset
from ntp.envs.coq.build_files import LoadPath
from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.project import CoqProject
from ntp.errors import DataError

pytestmark = pytest.mark.coq

FILES = {
    "Prefixes": b"""
Lemma t1 : True. Proof. exact I. Time Qed.
Lemma t2 : True. Proof. exact I. Timeout 5 Defined.
Time Lemma t3 : True. Proof. Fail exact 0. Succeed exact I. Info 1 exact I. Qed.
Lemma t4 (A B : Prop) : A -> B -> A /\\ B.
Proof. intros a b. split. Time { exact a. Time } exact b. Qed.
""",
    "Commands": b"""
Lemma c1 : True. Proof. #[local] Set Printing All. exact I. Qed.
Lemma c2 : True. Proof. Definition aux := 1. Comments "note". Inspect 1. exact I. Qed.
Lemma c3 : True. Proof. Bind Scope nat_scope with nat. exact I. Qed.
Fail Definition ghost : nat := true.
""",
    "Course": b"""
Lemma r (n : nat) : n + 0 = n.
Proof. destruct n. reflexivity. Restart. induction n as [|n IH].
reflexivity. simpl. rewrite IH. reflexivity. Qed.
Lemma u (A B : Prop) : A -> B -> A /\\ B.
Proof. intros a b. constructor 1. Undo. split. assumption. assumption. Qed.
""",
    "Nested": b"""
Set Nested Proofs Allowed.
Lemma outer : True /\\ 1 = 1.
Proof. split. exact I. Lemma inner : 1 = 1. Proof. reflexivity. Qed. exact inner. Qed.
Lemma after : True. Proof. exact I. Qed.
""",
    "Latin1": b"(* \xc9crit en fran\xe7ais. *)\nLemma l : True. Proof. (* \xe9 *) exact I. Qed.\n",
    "Mark": b"\xef\xbb\xbfLemma b : True. Proof. exact I. Qed.\n",
    "Directory": b'Cd "sub".\nLemma d : True. Proof. exact I. Qed.\n',
    "my-notes": b"Lemma n : True. Proof. exact I. Qed.\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("field")
    for name, text in FILES.items():
        (root / f"{name}.v").write_bytes(text)
    (root / ".#Latin1.v").symlink_to("user@host.1:2")
    return CoqProject(root)


@pytest.fixture(scope="module")
def extraction(project, tmp_path_factory):
    directory = tmp_path_factory.mktemp("extraction")
    summary = extract(project, directory, ["**/*.v"], num_workers=2)
    return summary, Dataset.load(directory)


def test_each_file_that_coqc_takes_is_recorded_and_a_bad_one_fails_alone(extraction):
    summary, dataset = extraction
    assert sorted(failure.partition(":")[0] for failure in summary.failures) == [".#Latin1.v", "my-notes.v"]
    reasons = " ".join(summary.failures)
    assert "my-notes is no name of a Coq module: rename the file" in reasons
    assert "no such file" in reasons
    assert {record.theorem.id for record in dataset.iter_theorems()} == {
        "Prefixes.t1", "Prefixes.t2", "Prefixes.t3", "Prefixes.t4", "Commands.c1", "Commands.c2",
        "Commands.c3", "Course.r", "Course.u", "Nested.outer", "Nested.after", "Latin1.l", "Mark.b",
        "Directory.d",
    }  # fmt: skip
    assert "Commands.ghost" not in {premise.full_name for premise in dataset.premises}


def test_steps_are_the_tactics_that_count(extraction):
    _, dataset = extraction
    steps = {record.theorem.id: [step.tactic for step in record.steps] for record in dataset.iter_theorems()}
    assert steps["Prefixes.t3"] == ["exact I."]
    assert steps["Prefixes.t4"] == ["intros a b.", "split.", "exact a.", "exact b."]
    assert steps["Course.r"][0] == "induction n as [|n IH]."
    assert steps["Course.u"] == ["intros a b.", "split.", "assumption.", "assumption."]
    assert steps["Nested.outer"] == ["split.", "exact I.", "exact inner."]
    others = steps.keys() - {"Prefixes.t3", "Prefixes.t4", "Course.r", "Course.u", "Nested.outer"}
    assert all(steps[name] == ["exact I."] for name in others)
    closings = {record.theorem.id: record.closing for record in dataset.iter_theorems()}
    assert (closings["Prefixes.t1"], closings["Prefixes.t2"]) == ("Qed", "Defined")


def test_the_scripts_are_accepted_again(project, extraction):
    _, dataset = extraction
    env = CoqEnv(project)
    for record in dataset.iter_theorems():
        verdict = env.check_proof(record.theorem, [step.tactic for step in record.steps])
        # The lemma inside the other proof does not exist where that proof begins.
        assert verdict.accepted == (record.theorem.id != "Nested.outer"), (record.theorem.id, verdict)
    env.close()


def test_a_file_with_no_good_name_among_none(tmp_path):
    (tmp_path / "my-notes.v").write_bytes(FILES["my-notes"])
    with pytest.raises(DataError, match=r"none of 1 files replays; my-notes\.v:1:1: my-notes is no name"):
        extract(CoqProject(tmp_path), tmp_path / "out", ["**/*.v"])


def test_sources_built_by_dune_are_found_once(tmp_path):
    theories = tmp_path / "theories"
    built = tmp_path / "_build/default/theories"
    for directory in (theories, built):
        directory.mkdir(parents=True)
        (directory / "A.v").write_text("Lemma a : True. Proof. exact I. Qed.\n")
        (directory / "B.v").write_text("From My Require Import A.\nLemma b : True. Proof. exact a. Qed.\n")
    for name in "AB":
        assert os.system(f"cd {built.parent} && coqc -R theories My theories/{name}.v") == 0
    project = CoqProject(tmp_path, (LoadPath("-R", "theories", "My"),))
    summary = extract(project, tmp_path / "out", ["**/*.v"])
    assert not summary.failures
    dataset = Dataset.load(tmp_path / "out")
    assert [(r.theorem.id, r.theorem.file) for r in dataset.iter_theorems()] == [
        ("My.A.a", "theories/A.v"),
        ("My.B.b", "theories/B.v"),
    ]
    (use,) = list(dataset.iter_theorems())[1].steps[0].premises
    assert (use.full_name, use.file) == ("My.A.a", "theories/A.v")


def test_options_of_coqc_reach_the_prover(tmp_path):
    source = "Definition poly : Set := forall A : Set, A -> A.\nLemma t : True. Proof. exact I. Qed.\n"
    (tmp_path / "I.v").write_text(source)
    with pytest.raises(DataError, match="universe"):
        extract(CoqProject(tmp_path), tmp_path / "without", ["**/*.v"])
    project = CoqProject(tmp_path, options=("-impredicative-set",))
    assert extract(project, tmp_path / "with", ["**/*.v"]).num_theorems == 1


@pytest.mark.parametrize(
    ("text", "tactic"),
    [
        ("auto.", "auto."),
        ("Time  auto (* why *).", "auto ."),
        ("Timeout 3 Time auto.", "auto."),
        ("Info 2 auto.", "auto."),
        ("Fail auto.", None),
        ("Succeed (* x *) auto.", None),
        ("Time {", None),
        ("2 (* the second *) : {", None),
        ("#[export] Hint Resolve x.", None),
        ("Definition x := 1.", None),
        ("Solve_it.", "Solve_it."),
    ],
)
def test_tactics_and_commands(text, tactic):
    assert tactic_text(text) == tactic


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("Qed.", "Qed"),
        ("Time Qed.", "Qed"),
        ("Fail Qed.", ""),
        ("Timeout 2 Defined.", "Defined"),
        ("auto.", ""),
    ],
)
def test_closing_keywords(text, keyword):
    assert closing_keyword(text) == keyword
