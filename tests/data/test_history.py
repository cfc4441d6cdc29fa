"""Creation dates from a real git repository."""

import subprocess

import pytest

from ntp.data.history import Creation, find_creations, load_creations, save_creations
from ntp.errors import DataError

ONE = "Lemma one : True.\nProof. exact I. Qed.\n"
TWO = "Lemma two : True.\nProof. exact I. Qed.\n"


@pytest.fixture
def repository(tmp_path):
    """Commits a file's content, or moves it, at a date; returns the commit."""

    def git(*arguments, date="2020-01-01"):
        environment = {
            "GIT_AUTHOR_DATE": f"{date}T12:00:00Z",
            "GIT_COMMITTER_DATE": "2025-01-01T00:00:00Z",
            "HOME": str(tmp_path),
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b", "PATH": "/usr/bin:/bin",
        }  # fmt: skip
        command = ["git", "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout

    git("init", "-q")

    def commit(date, **files):
        for name, text in files.items():
            path = tmp_path / f"{name}.v"
            if text.startswith("moved from "):
                git("mv", f"{text.removeprefix('moved from ')}.v", path.name)
            else:
                path.write_text(text)
        git("add", ".")
        git("commit", "-q", "-m", "change", date=date)
        return git("rev-parse", "HEAD").strip()

    return tmp_path, commit, git


def test_a_theorem_is_as_old_as_the_first_version_that_states_it(repository):
    root, commit, git = repository
    first = commit("2020-05-01", a=ONE)
    second = commit("2021-06-02", a=ONE + TWO)
    commit("2022-07-03", b="moved from a")
    fourth = commit("2023-08-04", b=ONE + TWO + "Definition three := 3.\n", c=ONE)
    asked = {"b.v": [("B.one", "one"), ("B.two", "two"), ("B.three", "three")], "c.v": [("C.one", "one")]}
    found = find_creations(root, asked)
    assert found.theorems == {
        "B.one": Creation(first, "2020-05-01"),
        "B.two": Creation(second, "2021-06-02"),
        "B.three": Creation(fourth, "2023-08-04"),
        "C.one": Creation(fourth, "2023-08-04"),
    }
    assert found.files["b.v"] == Creation(first, "2020-05-01"), "the file was renamed"
    assert found.files["c.v"] == Creation(fourth, "2023-08-04")
    slow = git("log", "--reverse", "--format=%H", "-S", "two").split()[0]
    assert slow == found.theorems["B.two"].commit, "as `git log -S` finds it"
    save_creations(found, root / "created.jsonl")
    assert load_creations(root / "created.jsonl") == found


def test_a_directory_of_a_repository(repository):
    root, commit, _ = repository
    (root / "theories").mkdir()
    (root / "theories/a.v").write_text(ONE)
    only = commit("2020-05-01")
    found = find_creations(root / "theories", {"a.v": [("T.one", "one")]})
    assert found.files == {"a.v": Creation(only, "2020-05-01")}
    assert found.theorems == {"T.one": Creation(only, "2020-05-01")}


def test_names_with_blanks_and_what_is_no_repository(repository, tmp_path_factory):
    root, commit, _ = repository
    only = commit("2020-05-01", **{"a b": ONE})
    assert find_creations(root, {"a b.v": [("x", "one")]}).theorems == {"x": Creation(only, "2020-05-01")}
    with pytest.raises(DataError, match="git log"):
        find_creations(tmp_path_factory.mktemp("empty"), {})
