"""A benchmark's texts from a checkout: the same version, another one, and files that are not there."""

import logging
import subprocess

import pytest

from ntp.data.dataset import Dataset
from ntp.data.formats.source_file import source_files
from ntp.data.lean.import_benchmark import import_leandojo
from ntp.errors import DataError
from tests.conftest import corpus_premise, traced_tactic, traced_theorem
from tests.fixtures.lake import write_lake

MAIN = """\
import Small.Logic

/-- One. -/
theorem Main.one : 1 = 1 := by
  -- by reflexivity
  rfl

theorem two : 2 = 2 := rfl
"""
LOGIC = "theorem Logic.first (p : Prop) : p → p\n  | h => h\n"


@pytest.fixture
def benchmark(write_benchmark, tmp_path):
    """The folder of a benchmark that was traced from these texts, at a commit."""

    def write(commit="c0ffee"):
        rfl = traced_tactic("rfl", "⊢ 1 = 1", "no goals")
        theorems = [
            traced_theorem("Main.one", "Small/Main.lean", 4, rfl) | {"end": [6, 6]},
            traced_theorem("Main.two", "Small/Main.lean", 8) | {"end": [8, 27]},
            traced_theorem("Logic.first", "Small/Logic.lean", 1) | {"end": [2, 11]},
            traced_theorem("gone", "Small/Gone.lean", 1),
        ]
        one = corpus_premise("Main.one", 4, "theorem Main.one : 1 = 1 :=") | {"end": [6, 6]}
        files = [("Main", [one]), ("Logic", []), ("Gone", []), ("Empty", [])]
        parts = {
            "corpus.jsonl": [
                {"path": f"Small/{name}.lean", "imports": [], "premises": premises}
                for name, premises in files
            ],
            **{f"random/{part}.json": [] for part in ("val", "test")},
            "random/train.json": [{**t, "commit": commit} for t in theorems],
        }
        return write_benchmark(tmp_path / "benchmark", parts)

    return write


@pytest.fixture
def checkout(tmp_path):
    texts = {"Small/Main.lean": MAIN, "Small/Logic.lean": LOGIC, "Small/Empty.lean": ""}
    return write_lake(tmp_path / "checkout", texts)


def test_texts_are_kept_and_proofs_are_cut_from_them(benchmark, checkout, tmp_path):
    summary = import_leandojo(benchmark(), tmp_path / "data", checkout)
    assert summary["num_files_without_source"] == 1
    dataset = Dataset.load(tmp_path / "data")
    assert dataset.sources == {
        "Small/Main.lean": MAIN, "Small/Logic.lean": LOGIC, "Small/Empty.lean": ""
    }  # fmt: skip
    proofs = {proof.id: proof for file in source_files(dataset) for proof in file.proofs()}
    one = proofs["Main.one"]
    assert one.src_up_to_decl == "import Small.Logic\n\n/-- One. -/\n"
    assert (one.decl, one.proof) == ("theorem Main.one : 1 = 1 ", ":= by\n  -- by reflexivity\n  rfl")
    assert one.record.theorem.statement == "theorem Main.one : 1 = 1 :=", "as the benchmark has it"
    assert proofs["Main.two"].record.theorem.statement == "theorem two : 2 = 2", "the corpus has none"
    assert proofs["Logic.first"].proof == "| h => h"
    assert (proofs["gone"].src_up_to_decl, proofs["gone"].proof) == (None, None)


@pytest.mark.parametrize("text", ["", "-- moved\n" + MAIN, MAIN[:40], MAIN.replace("two", "three")])
def test_a_file_of_another_version_has_no_text(benchmark, checkout, tmp_path, text):
    (checkout / "Small/Main.lean").write_text(text)
    assert import_leandojo(benchmark(), tmp_path / "data", checkout)["num_files_without_source"] == 2
    dataset = Dataset.load(tmp_path / "data")
    assert "Small/Main.lean" not in dataset.sources
    import_leandojo(benchmark(), tmp_path / "other")
    other = Dataset.load(tmp_path / "other")
    assert dataset.records["Main.one"] == other.records["Main.one"] and not other.sources


def test_another_commit_is_said_in_one_line(benchmark, checkout, tmp_path, caplog):
    git = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    with caplog.at_level(logging.WARNING):
        import_leandojo(benchmark(head), tmp_path / "data", checkout)
        assert not caplog.messages
        import_leandojo(benchmark(), tmp_path / "data", checkout)
    assert caplog.messages == [f"data.repository={checkout} is at {head}, the benchmark at c0ffee"]


def test_no_checkout_is_one_line(benchmark, tmp_path):
    with pytest.raises(DataError, match=r"data\.repository=.* is no directory"):
        import_leandojo(benchmark(), tmp_path / "data", tmp_path / "gone")
