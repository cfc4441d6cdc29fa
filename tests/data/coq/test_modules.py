import pytest

from ntp.data.coq.declarations import read_command
from ntp.data.coq.modules import Library, find_library, module_name
from ntp.envs.coq.build_files import LoadPath
from ntp.envs.coq.project import CoqProject, standard_library

LIBRARY = Library(
    {"L.A": "A.v", "L.sub.A": "sub/A.v", "L.sub.B": "sub/B.v"},
    {"Coq.Init.Tactics": "Coq/Init/Tactics.v", "Coq.Program.Tactics": "Coq/Program/Tactics.v"},
)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("L.A.x", "A.v"),
        ("L.A.M.x", "A.v"),
        ("L.sub.A.x", "sub/A.v"),
        ("Coq.Program.Tactics.x", "Coq/Program/Tactics.v"),
        ("L.x", None),
        ("x", None),
    ],
)
def test_a_name_belongs_to_its_longest_module(name, file):
    assert LIBRARY.file_of(name) == file


@pytest.mark.parametrize(
    "sentence",
    [
        "From Coq Require Import List.",
        "From Coq.Lists Require Import List.",
        "Require Import Coq.Lists.List.",
        "From Stdlib Require Import List.",
    ],
)
def test_rocq_takes_the_old_name_of_the_library_for_its_own(sentence):
    library = Library({"Stdlib.Lists.List": "Lists/List.v"}, {"Corelib.Init.Logic": "Corelib/Init/Logic.v"})
    assert library.imports(read_command(sentence), "Stdlib.Bool.Bool") == ["Lists/List.v"]


@pytest.mark.parametrize(
    ("sentence", "module", "imports"),
    [
        ("Require Import B.", "L.sub.A", ["sub/B.v"]),
        ("Require Export A B.", "L.sub.B", ["sub/A.v", "sub/B.v"]),
        ("Require A.", "L.C", ["A.v"]),
        ("From L Require Import sub.A.", "L.C", ["sub/A.v"]),
        ("From L.sub Require A.", "L.C", ["sub/A.v"]),
        ("From Coq.Program Require Import Tactics.", "L.C", ["Coq.Program.Tactics"]),
        ("Require Import Coq.Program.Tactics.", "L.C", ["Coq.Program.Tactics"]),
        ("From X Require Unknown.", "L.C", ["X.Unknown"]),
        ("Import B.", "L.C", []),
        ("Lemma x : True.", "L.C", []),
    ],
)
def test_imports(sentence, module, imports):
    assert LIBRARY.imports(read_command(sentence), module) == imports


def test_the_deepest_load_path_names_a_module(tmp_path):
    project = CoqProject(tmp_path, (LoadPath("-R", ".", "Top"), LoadPath("-Q", "a/b", "Deep")))
    assert module_name(project, "a/X.v") == "Top.a.X"
    assert module_name(project, "a/b/c/X.v") == "Deep.c.X"
    assert module_name(CoqProject(tmp_path), "a/X.v") == "X"


@pytest.mark.coq
def test_the_standard_library_is_known_from_inside_and_outside(tmp_path):
    project = standard_library()
    inside = find_library(project, ["Arith/PeanoNat.v"])
    assert inside.file_of("Coq.Arith.PeanoNat.Nat.add_comm") == "Arith/PeanoNat.v"
    outside = find_library(CoqProject(tmp_path), [])
    assert outside.file_of("Coq.Arith.PeanoNat.Nat.add_comm") == "Coq/Arith/PeanoNat.v"
