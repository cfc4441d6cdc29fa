"""PALM's JSON projects: read as they are, and refused in one line where they are not what PALM writes."""

import json
import os
from pathlib import Path

import pytest

from ntp.data.coq.palm import read_projects
from ntp.envs.coq.build_files import LoadPath, find_build_file
from ntp.errors import DataError

CODE = ["Lemma a : True.", "Proof.", "exact I.", "Qed."]
FILE = {"code": CODE, "theorems": [{"name": "a", "kind": "Lemma", "begin": 0, "end": 3}]}


def write(folder: Path, table: dict, **files: object) -> Path:
    (folder / "path.json").write_text(json.dumps(table))
    for name, content in files.items():
        project, _, module = name.partition("__")
        (folder / project).mkdir(exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / project / f"{module}.json").write_text(text)
    return folder


def test_sources_and_theorems_are_read_and_written(tmp_path):
    folder = write(
        tmp_path, {"p": ["-R . P", "coqllm8.11"]}, p__A=FILE, p__B={"code": ["Check 1."], "theorems": []}
    )
    (project,) = read_projects(folder)
    assert project.load_path == LoadPath("-R", ".", "P")
    assert [(t.file, t.name, t.kind) for t in project.theorems] == [("A.v", "a", "Lemma")]
    project.write(tmp_path / "out")
    assert (tmp_path / "out/A.v").read_text() == "Lemma a : True.\nProof.\nexact I.\nQed.\n"
    assert (tmp_path / "out/B.v").read_text() == "Check 1.\n"
    assert list(find_build_file(tmp_path / "out").load_paths) == [LoadPath("-R", ".", "P")]


@pytest.mark.parametrize(
    ("table", "files", "message"),
    [
        ({}, {}, "not a table"),
        ({"p": ["-R . P"]}, {}, "holds no JSON"),
        ({"../p": ["-R . P"]}, {}, "no name of a folder"),
        ({"p": ["-R /etc P"]}, {"p__A": FILE}, "give"),
        ({"p": []}, {"p__A": FILE}, "give"),
        ({"p": ["-R . P"]}, {"p__A": '{"code": ['}, "A.json: cannot be read"),
        ({"p": ["-R . P"]}, {"p__A": {"code": CODE}}, "lacks code or theorems"),
        ({"p": ["-R . P"]}, {"p__A": {"code": "x", "theorems": []}}, "not a list"),
        ({"p": ["-R . P"]}, {"p__A": {"code": CODE, "theorems": [{"kind": "Lemma"}]}}, "lacks its name"),
        ({"p": ["-R . P"]}, {"p__A-b": FILE}, "no name of a Coq module"),
    ],
)
def test_what_palm_does_not_write_is_one_line(tmp_path, table, files, message):
    with pytest.raises(DataError, match=message) as caught:
        read_projects(write(tmp_path, table, **files))
    assert "\n" not in str(caught.value)


def test_a_folder_without_the_table_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"path\.json: no such file"):
        read_projects(tmp_path)


def test_the_stored_projects_are_read():
    data = Path(os.environ.get("NTP_SHARED_DATA", "/nonexistent")) / "palm"
    if not data.is_dir():
        pytest.skip("set NTP_SHARED_DATA to the folder of shared data")
    projects = {project.name: project for project in read_projects(data)}
    assert {"angles", "chinese", "dep-map", "weak-up-to", "InfSeqExt"} <= projects.keys()
    assert len(projects["weak-up-to"].theorems) == 149
