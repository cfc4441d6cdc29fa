import pytest

from ntp.envs.coq.build_files import LoadPath, find_build_file, is_skipped, read_options
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.errors import ConfigError, EnvError

COQ_PROJECT = """\
# A comment with -R nothing Nothing
-R theories My.Project
-Q lib Lib   -I plugin
-arg -impredicative-set
-arg "-w -all,+notation"
-docroot x
COQDOCFLAGS = -utf8
theories/A.v
"""
DUNE = """\
; generated
(coq.theory
 (name My.Sub)
 (package my)
 (theories Lib)
 (flags (:standard -w -none -impredicative-set)))
(rule (targets x) (action (run (echo "(coq.theory (name Not.This))"))))
"""


def test_coq_project(tmp_path):
    (tmp_path / "_CoqProject").write_text(COQ_PROJECT)
    found = find_build_file(tmp_path)
    assert found.load_paths == [LoadPath("-R", "theories", "My.Project"), LoadPath("-Q", "lib", "Lib")]
    assert found.options == ["-I", "plugin", "-impredicative-set", "-w", "-all,+notation"]


def test_dune_files(tmp_path):
    for directory in ("theories/sub", "_build/default/theories/sub", ".git"):
        (tmp_path / directory).mkdir(parents=True)
        (tmp_path / directory / "dune").write_text(DUNE)
    found = find_build_file(tmp_path)
    assert found.load_paths == [LoadPath("-R", "theories/sub", "My.Sub")]
    assert found.options == ["-w", "-none", "-impredicative-set"]


def test_a_build_file_that_cannot_be_read(tmp_path):
    (tmp_path / "dune").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"dune: cannot be read .* give env\.load_paths"):
        find_build_file(tmp_path)


def test_nothing_is_declared(tmp_path):
    assert find_build_file(tmp_path).load_paths == []


def test_options_that_do_not_change_the_meaning_are_left_out():
    assert read_options(["-q", "-native-compiler", "no", "-noinit"], "x") == ["-noinit"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-l", "x.v"], "the option -l cannot be used"),
        (["-w"], "lacks its value"),
    ],
)
def test_other_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=f"env.options: .*{message}"):
        read_options(options, "env.options")


def test_directories_of_build_systems_are_skipped():
    assert is_skipped(("_build", "default", "A.v")) and is_skipped((".git", "A.v"))
    assert not is_skipped(("theories", "A.v")) and not is_skipped((".#A.v",))


@pytest.mark.coq
def test_what_does_not_exist_is_an_error_before_anything_runs(tmp_path):
    given = [{"flag": "-R", "directory": "nowhere", "name": "My"}]
    with pytest.raises(ConfigError, match=r"env\.load_paths: .*nowhere \(My\) is not a directory"):
        _ = CoqEnvFactory(root=str(tmp_path), load_paths=given).project
    with pytest.raises(EnvError, match=r"env\.root=.*missing is not a directory"):
        _ = CoqEnvFactory(root=str(tmp_path / "missing")).project
    with pytest.raises(ConfigError, match=r"lacks flag"):
        _ = CoqEnvFactory(root=str(tmp_path), load_paths=[{"directory": ".", "name": "My"}]).project


@pytest.mark.coq
def test_a_project_is_found_by_its_build_file(tmp_path):
    (tmp_path / "theories").mkdir()
    (tmp_path / "_CoqProject").write_text("-R theories My\n-arg -noinit\n")
    project = CoqEnvFactory(root=str(tmp_path)).project
    assert project.load_paths == (LoadPath("-R", "theories", "My"),)
    assert "-noinit" in project.command("theories/A.v")
    given = CoqEnvFactory(root=str(tmp_path), options=["-impredicative-set"]).project
    assert given.options == ("-impredicative-set",)
