"""Many repositories from one list: cloned, built in the sandbox, extracted; what fails is in the table."""

import json
import subprocess

import pytest
import yaml

from ntp.data.repositories import Collection

pytestmark = [pytest.mark.coq, pytest.mark.slow]

GOOD = """Lemma a (n : nat) : n + 0 = n.
Proof. induction n; [reflexivity | simpl; rewrite IHn; reflexivity]. Qed.
"""
USER = "From G Require Import A.\nLemma b (m : nat) : m + 0 = m.\nProof. exact (a m). Qed.\n"
EVIL = """all:
\t-echo evil >> .git/config
\ttouch $(HOME)/escaped /tmp/ntp-escaped ; echo made > inside ; coqc -R . E E.v
"""


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    """A directory with repositories of several kinds, and their list."""
    root = tmp_path_factory.mktemp("repositories")

    def write(name, files, commit=False):
        directory = root / name
        directory.mkdir()
        for path, text in files.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text if isinstance(text, bytes) else text.encode())
        if commit:
            git = ["git", "-C", str(directory), "-c", "user.name=a", "-c", "user.email=a@b"]
            subprocess.run([*git, "init", "-q"], check=True)
            subprocess.run([*git, "add", "."], check=True)
            dated = ["commit", "-q", "-m", "first", "--date=2021-03-04T00:00:00Z"]
            subprocess.run([*git, *dated], check=True)
        return directory

    good = write("good", {"_CoqProject": "-R . G\nA.v\nB.v\n", "A.v": GOOD, "B.v": USER}, commit=True)
    write("hostile", {"Makefile": EVIL, "_CoqProject": "-R . E\n", "E.v": GOOD}, commit=True)
    write("unbuilt", {"_CoqProject": "-R . U\n", "A.v": "Require Import Nowhere.\n" + GOOD})
    write(
        "bytes",
        {"_CoqProject": "-R . Y\nL.v\n", "L.v": b"(* caf\xe9 *)\r\n" + GOOD.replace("\n", "\r\n").encode()},
    )
    write(
        "broken",
        {"_CoqProject": "-R . X\nX.v\nY.v\n", "X.v": GOOD, "Y.v": "Lemma z : False. Proof. exact I. Qed.\n"},
    )
    write("empty", {"_CoqProject": "-R . N\nN.v\n", "N.v": 'Global Set Default Goal Selector "1".\n'})
    entries = [
        {"name": "good", "url": str(good), "licence": "MIT"},
        {"name": "hostile", "path": "hostile"},
        {"name": "unbuilt", "path": "unbuilt"},
        {"name": "gone", "url": str(good), "commit": "0" * 40},
        {"name": "nowhere", "url": str(root / "nowhere")},
        {"name": "bytes", "path": "bytes"},
        {"name": "broken", "path": "broken"},
        {"name": "empty", "path": "empty"},
        {"name": "library", "library": "NotThere", "package": "libcoq-not-there"},
        {"name": "standard", "library": "Coq", "include": ["Bool/IfProp.v"]},
    ]
    (root / "list.yaml").write_text(yaml.safe_dump(entries))
    return root


@pytest.fixture(scope="module")
def options(repositories):
    return ["data=repos", f"data.repos={repositories}/list.yaml", "data.terms=true"]


@pytest.fixture(scope="module")
def extracted(own_cli, options):
    return own_cli.succeed("+experiment=extract_repos", *options)


def test_each_is_extracted_or_has_its_reason(extracted, repositories):
    results = {result.name: result for result in Collection.load(extracted).results}
    assert {name: r.num_theorems for name, r in results.items() if r.status == "extracted"} == {
        "good": 2, "hostile": 1, "bytes": 1, "broken": 1, "standard": 6, "empty": 0
    }  # fmt: skip
    assert "Nowhere" in results["unbuilt"].reason
    assert "0" * 40 in results["gone"].reason and "nowhere" in results["nowhere"].reason
    assert results["library"].reason.endswith("is not installed: apt-get install libcoq-not-there")
    assert results["broken"].reason.startswith("Y.v:1:") and results["broken"].num_failed_files == 1
    assert all("\n" not in result.reason for result in results.values())


def test_a_build_writes_only_where_it_builds(extracted, repositories):
    from pathlib import Path

    assert (repositories / "hostile/inside").exists()
    configuration = (repositories / "hostile/.git/config").read_text()
    assert "evil" not in configuration, "git runs programs that it names"
    assert not (Path.home() / "escaped").exists() and not Path("/tmp/ntp-escaped").exists()


def test_origins_and_texts_are_kept(extracted):
    datasets = dict(Collection.load(extracted).datasets())
    origin = datasets["good"].origin
    assert origin.name == "good" and origin.licence == "MIT" and len(origin.commit) == 40
    assert datasets["good"].sources["A.v"] == GOOD
    assert datasets["bytes"].sources["L.v"].startswith("(* caf\ufffd *)\r\n"), "offsets count its characters"


def test_what_is_extracted_is_kept_and_the_rest_is_tried_again(
    own_cli, options, extracted, repositories, tmp_path
):
    kept = (extracted / "good/metadata.json").stat().st_mtime_ns
    (extracted / "COMPLETE").unlink()
    (tmp_path / "Nowhere.v").write_text("Definition here := 0.\n")
    subprocess.run(["coqc", "-R", ".", "U", "Nowhere.v"], cwd=tmp_path, check=True)
    (tmp_path / "Nowhere.vo").rename(repositories / "unbuilt/Nowhere.vo")
    subprocess.run(["coqc", "-R", ".", "U", "A.v"], cwd=repositories / "unbuilt", check=True)
    assert own_cli.succeed("+experiment=extract_repos", *options, "resume=true") == extracted
    assert (extracted / "good/metadata.json").stat().st_mtime_ns == kept
    results = {result.name: result for result in Collection.load(extracted).results}
    assert results["unbuilt"].status == "extracted"


def test_all_are_exported_and_share_no_duplicates(own_cli, options, extracted):
    # Results usually lie in a checkout, whose history is not that of the repositories.
    subprocess.run(["git", "init", "-q", str(own_cli.outputs)], check=True)
    exported = own_cli.succeed("+experiment=export", *options)
    (row,) = [json.loads(line) for line in (exported / "bytes/minictx.jsonl").read_text().splitlines()]
    assert row["theoremCreated"] == {"commit": None, "date": None}
    rows = [json.loads(line) for line in (exported / "good/minictx.jsonl").read_text().splitlines()]
    assert {row["theoremCreated"]["date"] for row in rows} == {"2021-03-04"}
    assert (exported / "hostile/TacticPrediction/E.E.jsonl").exists()
    small = [
        "data.split={val_fraction: 0, test_fraction: 0.3}",
        "instructions.kinds=[full_proof,premises_state_tactic]",
    ]
    small += ["instructions.dev_fraction=0", "instructions.test_fraction=0"]
    written = own_cli.succeed("+experiment=instructions", *options, *small)
    found = {
        (part, row["metadata"]["project"], row["metadata"]["declId"])
        for part in ("train", "file_split_test")
        for row in map(json.loads, (written / f"full_proof_{part}.jsonl").read_text().splitlines())
    }
    statements = {part for part, _, name in found if not name.endswith(".b")}
    assert len(statements) == 1, "one theorem in five repositories, once renamed"


def test_shards_make_what_one_run_makes(own_cli, options, extracted):
    for index in range(2):
        own_cli.succeed("+experiment=extract_repos", *options, f"data.shard={index}/2")
    merged = own_cli.succeed("+experiment=extract_repos", *options, "data.num_shards=2")
    for name, dataset in Collection.load(merged).datasets():
        assert (
            dataset.metadata.content_hash
            == dict(Collection.load(extracted).datasets())[name].metadata.content_hash
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "give a list of repositories"),
        ("- {name: a}", "repository 1 (a): give one of path, url and library"),
        ("- {name: ../a, path: b}", "give it a name of letters"),
        ("- {name: a, path: b, comit: c}", "unknown key comit"),
        ("- {name: a, path: b}\n- {name: a, path: c}", "two repositories are called a"),
        ("- {name: a", "cannot be read"),
    ],
)
def test_a_list_with_a_mistake_is_one_line(own_cli, tmp_path, text, message):
    (tmp_path / "list.yaml").write_text(text)
    assert message in own_cli.fail("+experiment=extract_repos", f"data.repos={tmp_path}/list.yaml")
