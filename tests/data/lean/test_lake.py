import os

import pytest

from ntp.data.lean.lake import LakeProject
from ntp.errors import DataError


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    for name in (
        "A.lean", "A/B.lean", "A/C/D.lean", "lakefile.lean", ".lake/packages/x/X.lean", "build/Y.lean",
        "lake-packages/z/Z.lean", ".hidden/H.lean", "A/notes.md", "src/E.lean",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("def a := 1\n")
    (tmp_path / "Outside.lean").write_text("secret")
    (root / "Link.lean").symlink_to(tmp_path / "Outside.lean")
    (root / "A/New\nLine.lean").write_text("")
    os.mkfifo(root / "Pipe.lean")
    return LakeProject(root)


def test_sources_are_those_of_the_project(project):
    assert project.sources == ("A.lean", "A/B.lean", "A/C/D.lean", "src/E.lean")
    assert project.modules == {"A": "A.lean", "A.B": "A/B.lean", "A.C.D": "A/C/D.lean", "E": "src/E.lean"}


@pytest.mark.parametrize(
    ("include", "exclude", "files"),
    [
        (["**/*.lean"], [], ["A.lean", "A/B.lean", "A/C/D.lean", "src/E.lean"]),
        (["A/**/*.lean"], [], ["A/B.lean", "A/C/D.lean"]),
        (["A/*.lean"], ["**/B.lean"], []),
        (["A.lean", "src/*"], [], ["A.lean", "src/E.lean"]),
        (["*.md"], [], []),
    ],
)
def test_globs_choose_among_them(project, include, exclude, files):
    assert project.files(include, exclude) == files


def test_versions_are_the_toolchain_and_the_manifest(project):
    assert project.toolchain == ""
    before = project.dependencies
    (project.root / "lean-toolchain").write_text("leanprover/lean4:v4.9.0\n")
    assert project.toolchain == "leanprover/lean4:v4.9.0"
    assert LakeProject(project.root).dependencies != before
    assert project.is_built
    assert not LakeProject(project.root / "A").is_built


def test_what_cannot_be_read_is_said(project):
    (project.root / "A.lean").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"A\.lean: not UTF-8"):
        project.read("A.lean")
    (project.root / "A.lean").write_bytes(b" " * ((8 << 20) + 1))
    with pytest.raises(DataError, match="longer than 8 MiB"):
        project.read("A.lean")
    with pytest.raises(DataError, match="cannot be read"):
        project.read("Gone.lean")
    (project.root / "A.lean").write_bytes(b"a\r\nb")
    assert project.read("A.lean") == "a\r\nb"
