import sys
from pathlib import Path

from ntp.doctor.lean import lean_findings, project_finding
from ntp.envs.lean.factory import LeanReplFactory

STANDIN = [sys.executable, "-S", "-E", str(Path(__file__).parents[1] / "standin")]


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_what_is_missing_is_said_with_its_cure(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {f.name: f for f in lean_findings(LeanReplFactory())}
    assert set(found) == {"elan", "lake", "Lean REPL"}
    assert not any(f.ok or f.found for f in found.values())
    assert found["lake"].fix == found["Lean REPL"].fix == "make lean" and "elan-init" in found["elan"].fix


def test_a_repl_that_proves_is_well(tmp_path):
    (repl,) = [f for f in lean_findings(LeanReplFactory(command=STANDIN)) if f.name == "Lean REPL"]
    assert repl.ok and "standin" in repl.found


def test_a_repl_that_does_not_answer_is_not():
    broken = LeanReplFactory(command=[*STANDIN, "--stderr", "error: incompatible header"])
    (repl,) = [f for f in lean_findings(broken) if f.name == "Lean REPL"]
    assert not repl.ok and "different Lean toolchains" in repl.detail


def test_projects(tmp_path):
    assert not project_finding(tmp_path).found
    (tmp_path / "lean-toolchain").write_text("leanprover/lean4:v4.20.0\n")
    assert "lake build" in project_finding(tmp_path).fix
    (tmp_path / ".lake").mkdir()
    assert project_finding(tmp_path).ok and "v4.20.0" in project_finding(tmp_path).found
