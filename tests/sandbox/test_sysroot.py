import subprocess

import pytest

from ntp.envs.coq.project import CoqProject
from ntp.errors import ConfigError, EnvError
from ntp.sandbox.isolation import environment, sandbox_for
from ntp.sandbox.limits import Limits
from ntp.sandbox.sysroot import find_program, host_path, require_sysroot


@pytest.fixture
def sysroot(tmp_path):
    """A small root file system with links as distributions have them."""
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/lib/prover").mkdir(parents=True)
    (root / "usr/bin/prover").write_text("#!/bin/sh\n")
    (root / "bin").symlink_to("usr/bin")
    (root / "opt").symlink_to("/usr/lib/prover")
    (root / "usr/lib/up").symlink_to("../../../../../usr")
    (root / "loop").symlink_to("loop")
    return root


def test_links_are_followed_as_the_other_system_would(sysroot):
    assert host_path(sysroot, "/bin/prover") == sysroot / "usr/bin/prover"
    assert host_path(sysroot, "/opt/x") == sysroot / "usr/lib/prover/x"
    assert host_path(sysroot, "/usr/lib/up/bin") == sysroot / "usr/bin"
    assert host_path(sysroot, "/../../etc") == sysroot / "etc"
    assert host_path(sysroot, "/loop/x").is_relative_to(sysroot)


def test_programs_are_found_there_and_not_here(sysroot):
    assert find_program(sysroot, "prover") == "/usr/bin/prover"
    assert find_program(sysroot, "/bin/prover") == "/bin/prover"
    assert find_program(sysroot, "sh") is None


def test_what_is_no_root_file_system_is_named(sysroot, tmp_path):
    require_sysroot(sysroot, "env.sysroot")
    with pytest.raises(ConfigError, match=r"env\.sysroot=.*missing is not a directory"):
        require_sysroot(tmp_path / "missing", "env.sysroot")
    with pytest.raises(ConfigError, match=r"env\.sysroot=.* is no root file system: it has no /usr/bin"):
        require_sysroot(sysroot / "usr/lib", "env.sysroot")


def test_only_bubblewrap_can_change_the_root(sysroot):
    with pytest.raises(EnvError, match=r"env\.sysroot needs bubblewrap"):
        sandbox_for(Limits(sysroot=sysroot, isolation="limits"))


def shell(script, limits):
    command = sandbox_for(limits).command(["sh", "-c", script], limits)
    return subprocess.run(command, env=environment(limits), capture_output=True, text=True, check=False)


def test_a_process_sees_the_other_root_and_what_is_made_visible(installation, tmp_path):
    """This machine's files are not there, and nothing is writable."""
    if installation.sysroot is None:
        pytest.skip("the prover of this machine needs no other root")
    project = tmp_path / "project"
    project.mkdir()
    (project / "A.v").write_text("hello")
    (tmp_path / "hidden").write_text("")
    limits = CoqProject(project, prover=installation).limits(Limits(scratch_mb=1))
    done = shell(f"cat {project}/A.v; ls {tmp_path} /home; pwd; id -u", limits)
    assert "hello" in done.stdout and "hidden" not in done.stdout and "/tmp" in done.stdout.split()
    for path in ("/x", "/usr/x", "/etc/x", f"{project}/x", "/home/x"):
        assert shell(f"touch {path}", limits).returncode != 0
    assert shell("touch /tmp/x && head -c 3000000 /dev/zero > /tmp/y", limits).returncode != 0
    assert shell("cat /proc/sys/kernel/hostname > /proc/sys/kernel/hostname", limits).returncode != 0
    assert not list(project.glob("x")) and not (installation.sysroot / "x").exists()


def test_the_environment_names_nothing_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("COQLIB", "/usr/lib/coq")
    monkeypatch.setenv("LANG", "C.UTF-8")
    assert "COQLIB" in environment(Limits())
    inside = environment(Limits(sysroot=tmp_path))
    assert "COQLIB" not in inside and inside["LANG"] == "C.UTF-8" and "/usr/bin" in inside["PATH"].split(":")
