"""The notebook runs from top to bottom on what `make demo` makes, in small."""

from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="the notebook runs with nbclient: pip install -e .[dev]")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

pytestmark = [pytest.mark.coq, pytest.mark.slow, pytest.mark.timeout(900)]
NOTEBOOK = Path(__file__).parents[2] / "experiments/inspect_runs.ipynb"
LEARNS = ["model.hidden_size=64", "trainer.max_steps=80", "module.batch_size=16", "optimizer.lr=3e-3"]


@pytest.fixture(scope="module")
def demo(own_cli, small):
    study = [*small, LEARNS[0], "tracking.experiment=demo"]
    sft = own_cli.succeed("+experiment=demo_sft", *small, *LEARNS, "tracking.experiment=demo")
    gfn = own_cli.succeed(
        "+experiment=demo_gfn",
        *study,
        f"policy.checkpoint={sft}",
        "trainer.max_steps=3",
        "trainer.log_every_n_steps=1",
        "module.keep_unsolved=1",
    )
    return own_cli.succeed(
        "+experiment=demo", *study, f"evaluation.policies.sft.checkpoint={sft}",
        f"evaluation.policies.gfn_tb.checkpoint={gfn}", "search.sampling.num_samples=4",
        "evaluation.max_theorems=20",
    )  # fmt: skip


def execute(outputs, monkeypatch):
    """The outputs of each cell, as text; a cell that raises fails the test."""
    monkeypatch.setenv("NTP_OUTPUTS", str(outputs))
    monkeypatch.delenv("NTP_TRACKING_URI", raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="python3").execute()
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    return [cell.get("outputs", []) for cell in notebook.cells if cell.cell_type == "code"]


def text_of(outputs):
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


def test_the_notebook_runs_on_a_demo(demo, own_cli, monkeypatch):
    _, runs, curves, overlap, diversity, reliability, tree = execute(own_cli.outputs, monkeypatch)
    for stage in ("extract", "sft", "gfn", "evaluate"):
        assert stage in text_of(runs)
    assert sum("image/png" in o.get("data", {}) for o in curves) == 3, text_of(curves)
    assert demo.name in text_of(overlap)
    for method in ("one_shot", "sft", "gfn_tb"):
        assert method in text_of(overlap)
        assert method in text_of(diversity)
    assert "no verifier was evaluated" in text_of(reliability)
    assert "proved" in text_of(tree) or "no theorem was solved" in text_of(tree)


def test_the_notebook_says_that_nothing_was_run(tmp_path, monkeypatch):
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="no MLflow database here"):
        execute(tmp_path, monkeypatch)


def test_the_committed_notebook_is_whole():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not any(output.output_type == "error" for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 4
