"""A project's own build runs in the sandbox, and leaves no repository that it has made."""

import pytest

from ntp.data.coq.build import build, build_commands, missing
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.project import CoqProject

pytestmark = pytest.mark.coq


def test_a_build_makes_files_and_no_repository(tmp_path):
    (tmp_path / "A.v").write_text("Definition a := 0.\n")
    (tmp_path / "Makefile").write_text("all:\n\tmkdir .git\n\techo evil > .git/config\n\tcoqc A.v\n")
    project = CoqProject(tmp_path)
    assert missing(project) == ["A.v"]
    (command,) = build_commands(tmp_path)
    assert build(project, command, CoqEnvFactory().limits, 60.0) == ""
    assert missing(project) == [] and not (tmp_path / ".git").exists()


def test_a_build_that_fails_says_why(tmp_path):
    (tmp_path / "Makefile").write_text("all:\n\techo Error: no such luck >&2; false\n")
    reason = build(CoqProject(tmp_path), ["make"], CoqEnvFactory().limits, 60.0)
    assert reason.startswith("make: ") and "exit status 2" in reason
