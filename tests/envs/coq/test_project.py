import pytest

from ntp.envs.coq.build_files import LoadPath
from ntp.envs.coq.project import CoqProject
from ntp.errors import InitError


def test_files_are_sorted_and_relative(write_project):
    project = write_project({"b/Z.v": "", "A.v": "", "b/notes.txt": ""})
    assert project.files() == ["A.v", "b/Z.v"]
    assert project.files(["b/*.v"]) == ["b/Z.v"]


def test_sources_are_read_as_they_are(write_project):
    project = write_project({})
    (project.root / "A.v").write_bytes("(* é *)\r\n".encode())
    assert project.read("A.v") == "(* é *)\r\n"


def test_unreadable_files_are_named(write_project):
    project = write_project({"p/A.v": ""})
    with pytest.raises(InitError, match=r"B\.v: no such file"):
        project.read("B.v")
    with pytest.raises(InitError, match="outside the project"):
        CoqProject(project.root / "p").read("../../A.v")
    (project.root / "L.v").mkdir()
    with pytest.raises(InitError, match=r"L\.v: cannot be read"):
        project.read("L.v")


@pytest.mark.coq
def test_the_command_names_load_paths_and_knows_the_prelude(stdlib, tmp_path):
    project = CoqProject(tmp_path, (LoadPath("-R", "theories", "My.Lib"),))
    command = project.command("theories/A.v")
    begin = command.index("-R")
    assert command[begin : begin + 3] == ["-R", str(tmp_path / "theories"), "My.Lib"]
    assert command[-2:] == ["-topfile", str(tmp_path / "theories/A.v")]
    assert "-noinit" not in command and "-noinit" not in stdlib.command("Bool/Bool.v")
    assert "-noinit" in stdlib.command("Init/Logic.v")
    assert stdlib.root == stdlib.prover.libraries[0].directory
