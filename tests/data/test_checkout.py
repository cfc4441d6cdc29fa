"""Git reads repositories that are not trusted: nothing that they configure is run."""

import subprocess

import pytest

from ntp.data.checkout import origin_of
from ntp.data.history import find_creations
from ntp.errors import DataError

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]


@pytest.fixture
def repository(tmp_path):
    directory = tmp_path / "repository"
    directory.mkdir()
    (directory / "A.v").write_text("Lemma a : True. Proof. exact I. Qed.\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*GIT, *arguments], cwd=directory, check=True)
    return directory


def test_a_repository_says_where_it_comes_from(repository):
    subprocess.run([*GIT, "remote", "add", "origin", "https://u:p@example.org/r"], cwd=repository, check=True)
    origin = origin_of(repository, "r", "MIT")
    assert len(origin.commit) == 40 and origin.url == "https://example.org/r" and origin.licence == "MIT"


def test_objects_that_are_missing_are_not_fetched(repository, tmp_path):
    escaped = tmp_path / "escaped"
    configuration = f"""[core]
\trepositoryformatversion = 1
[extensions]
\tpartialClone = origin
[remote "origin"]
\turl = /nowhere
\tpromisor = true
\tuploadpack = "touch {escaped}; git-upload-pack"
"""
    (repository / ".git/config").write_text(configuration)
    (repository / ".git/HEAD").write_text("1" * 40 + "\n")
    (repository / ".git/index").unlink()
    assert origin_of(repository, "r").commit == ""
    with pytest.raises(DataError):
        find_creations(repository, {})
    assert not escaped.exists()
