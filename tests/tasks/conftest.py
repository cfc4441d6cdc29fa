import pytest

from ntp.config.register import compose_config
from ntp.data.dataset import Dataset
from ntp.tasks import extract
from ntp.tasks.context import Context


@pytest.fixture
def make_context(tmp_path):
    """A task's context: outputs in a directory of the test, no MLflow."""

    def make(experiment, *overrides, **inputs):
        cfg = compose_config([f"+experiment={experiment}", *overrides])
        return Context(cfg, tmp_path / experiment, inputs, mlflow=None)

    return make


@pytest.fixture
def lean_options(benchmark_parts, write_benchmark, tmp_path):
    """Options that choose a small LeanDojo Benchmark."""
    return ["data=leandojo", f"data.path={write_benchmark(tmp_path / 'benchmark', benchmark_parts())}"]


@pytest.fixture
def lean_context(make_context, lean_options):
    """Makes the context of a task that works on that benchmark's data set."""
    extraction = make_context("extract_lean", *lean_options)
    extract.run(extraction)

    def make(experiment, *overrides):
        return make_context(experiment, *lean_options, *overrides, dataset=extraction.directory)

    return make


@pytest.fixture
def statement_options(tmp_path):
    """Options that choose a list of statements without proofs."""
    (tmp_path / "list.txt").write_text("theorem one : 1 = 1\n")
    return ["data=statements", f"data.path={tmp_path}/list.txt", "env=lean_repl"]


@pytest.fixture
def statements(make_context, statement_options):
    """Their data set."""
    context = make_context("extract_lean", *statement_options)
    extract.run(context)
    return Dataset.load(context.directory)
