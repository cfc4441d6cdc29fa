import logging
from dataclasses import replace
from pathlib import Path

import pytest

from ntp.data.coq.modules import module_name
from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.installation import SERVERS, CoqInstallation, check_version
from ntp.envs.coq.project import CoqProject, standard_library
from ntp.errors import ConfigError, EnvError
from ntp.sandbox.limits import Limits
from ntp.types import Proved

COQ = "#!/bin/sh\ncase $1 in --version) echo 'The {name}, version {version}';; -where) echo {where};; esac\n"


@pytest.fixture
def pretend(tmp_path):
    """Writes a program that says of itself what a test wants, and a library beside it."""

    def make(version, name="Rocq Prover", theories=True, stdlib=False):
        where = tmp_path / "lib"
        if theories:
            (where / "theories/Init").mkdir(parents=True)
        if stdlib:
            (where / "user-contrib/Stdlib/Init").mkdir(parents=True)
        program = tmp_path / "coqidetop"
        program.write_text(COQ.format(name=name, version=version, where=where))
        program.chmod(0o755)
        return CoqInstallation(str(program)), where

    return make


@pytest.mark.parametrize("version", ["8.15.2", "8.4pl4", "", "unknown"])
def test_old_versions_are_refused(version):
    with pytest.raises(EnvError, match=r"found Coq .*supported are Coq 8\.16 to Rocq 9\.2"):
        check_version(version)


def test_known_versions_pass_and_newer_ones_are_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        for version in ("8.16.1", "8.20+alpha", "9.0.0", "9.2"):
            check_version(version)
        assert not caplog.records
        check_version.cache_clear()
        check_version("9.3.1")
        check_version("10.0")
    assert [record.getMessage().split()[1] for record in caplog.records] == ["9.3.1", "10.0"]


def test_a_missing_program_names_the_command_that_installs_it():
    missing = CoqInstallation("coqidetop.missing")
    with pytest.raises(EnvError, match=r"coqidetop\.missing was not found on PATH.*apt-get install coq"):
        _ = missing.program


def test_the_first_name_on_the_path_is_taken(own_path, tmp_path, pretend):
    pretend("9.2")
    own_path(tmp_path)
    assert CoqInstallation().program == str(tmp_path / "coqidetop")
    (tmp_path / SERVERS[0]).write_text("#!/bin/sh\n")
    (tmp_path / SERVERS[0]).chmod(0o755)
    assert CoqInstallation().program == str(tmp_path / SERVERS[0])


def test_libraries_before_and_since_rocq(pretend):
    installation, where = pretend("8.20.1", "Coq Proof Assistant", stdlib=True)
    assert [(lib.directory, lib.name) for lib in installation.libraries] == [(where / "theories", "Coq")]


def test_rocq_has_its_standard_library_in_a_package(pretend):
    installation, where = pretend("9.2", stdlib=True)
    assert [lib.name for lib in installation.libraries] == ["Corelib", "Stdlib"]
    (where / "theories/Init/Logic.v").write_text("(* the file *)")
    (where / "user-contrib/Stdlib/Init/Logic.v").write_text("(* passes it on *)")
    (where / "user-contrib/Stdlib/Init/Other.v").write_text("(* another *)")
    project = standard_library(installation)
    assert project.files() == ["Init/Logic.v", "Init/Other.v"]
    assert (project.read("Init/Logic.v"), project.read("Init/Other.v")) == ("(* the file *)", "(* another *)")
    assert "-noinit" in project.command("Init/Logic.v") and "-noinit" not in project.command("Init/Other.v")


def test_a_standard_library_that_is_missing(pretend):
    installation, _ = pretend("9.2")
    with pytest.raises(EnvError, match=r"the standard library is not at .*Stdlib.*install libcoq-stdlib"):
        standard_library(installation)


def test_a_library_that_is_missing(pretend):
    installation, _ = pretend("8.16.1", theories=False)
    with pytest.raises(EnvError, match=r"the standard library is not at .*theories.*apt-get install coq"):
        standard_library(installation)


def test_a_program_that_does_not_run(tmp_path):
    program = tmp_path / "coqidetop"
    program.write_text("#!/bin/sh\necho cannot open shared object >&2; exit 3\n")
    program.chmod(0o755)
    with pytest.raises(EnvError, match=r"coqidetop does not run: cannot open shared object.*install coq"):
        _ = CoqInstallation(str(program)).version


@pytest.mark.parametrize(
    ("sysroot", "problem"),
    [("missing", "is not a directory"), ("file", "is not a directory"), ("empty", "is no root file system")],
)
def test_a_sysroot_that_is_none(tmp_path, sysroot, problem):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=rf"env\.sysroot=.*{sysroot} {problem}"):
        _ = CoqEnvFactory(sysroot=str(tmp_path / sysroot)).project


def test_a_sysroot_without_coq(tmp_path):
    (tmp_path / "usr/bin").mkdir(parents=True)
    with pytest.raises(EnvError, match=r"coqidetop\.opt was not found in .*install Coq there"):
        _ = CoqEnvFactory(sysroot=str(tmp_path)).project


@pytest.mark.coq
def test_a_project_outside_the_sysroot_is_proved_in_it(installation, tmp_path, proofs):
    # In a directory that root file systems have too.
    source = "Lemma one : 1 = 1.\nProof. reflexivity. Qed.\n"
    (tmp_path / "A.v").write_text(source)
    ((theorem, tactics),) = proofs("A.v", source)
    env = CoqEnv(CoqProject(tmp_path, prover=installation), limits=Limits(memory_mb=1024))
    try:
        session = env.open(theorem)
        assert session.step(session.root, tactics[0]) == Proved()
        assert env.check_proof(theorem, tactics).accepted
    finally:
        env.close()


def test_a_sysroot_may_be_given_relative_to_the_working_directory(installation, monkeypatch):
    if installation.sysroot is None:
        pytest.skip("the prover of this machine needs no other root")
    monkeypatch.chdir(installation.sysroot.parent)
    relative = replace(installation, sysroot=Path(installation.sysroot.name))
    assert relative.libraries == installation.libraries
    first, second = (standard_library(prover) for prover in (relative, installation))
    assert module_name(first, "Bool/Bool.v") == module_name(second, "Bool/Bool.v") != "Bool"


def test_a_program_that_is_no_coq_in_a_sysroot(installation):
    if installation.sysroot is None:
        pytest.skip("the prover of this machine needs no other root")
    with pytest.raises(EnvError, match=r"found Coq of unknown version, supported are Coq 8.16 to Rocq 9.2"):
        standard_library(replace(installation, server="/usr/bin/cat"))


def test_a_coq_that_speaks_another_protocol_in_a_sysroot(installation, tmp_path):
    """The compiler: the right version and library, but it answers no request."""
    if installation.sysroot is None:
        pytest.skip("the prover of this machine needs no other root")
    (tmp_path / "A.v").write_text("")
    prover = replace(installation, server="coqc")
    with pytest.raises(EnvError, match=r"coqc.*protocol"):
        CoqIdeTop(CoqProject(tmp_path, prover=prover), "A.v")
