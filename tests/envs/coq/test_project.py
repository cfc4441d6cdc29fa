import pytest

from ntp.envs.coq.build_files import LoadPath
from ntp.envs.coq.project import CoqProject, check_version, find_tool, standard_library_directory
from ntp.errors import EnvError, InitError


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


def test_missing_tool_names_the_command_that_installs_it():
    with pytest.raises(EnvError, match=r"coqidetop\.missing was not found on PATH.*apt-get install coq"):
        find_tool("coqidetop.missing")


@pytest.mark.parametrize("version", ["8.15.2", "8.4pl4", "9.0.0", "", "unknown"])
def test_other_versions_are_refused(version):
    with pytest.raises(EnvError, match=r"found Coq .*supported are 8\.16"):
        check_version(version)


def test_known_versions_pass():
    check_version("8.16.1")
    check_version("8.20+alpha")


@pytest.mark.coq
def test_the_command_names_load_paths_and_knows_the_prelude(stdlib, tmp_path):
    project = CoqProject(tmp_path, (LoadPath("-R", "theories", "My.Lib"),))
    command = project.command("theories/A.v")
    begin = command.index("-R")
    assert command[begin : begin + 3] == ["-R", str(tmp_path / "theories"), "My.Lib"]
    assert command[-2:] == ["-topfile", str(tmp_path / "theories/A.v")]
    assert "-noinit" not in command and "-noinit" not in stdlib.command("Bool/Bool.v")
    assert "-noinit" in stdlib.command("Init/Logic.v")
    assert stdlib.root == standard_library_directory()
