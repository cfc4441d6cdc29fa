from ntp.data.dataset import Dataset
from ntp.tasks import extract


def test_a_benchmark_is_imported(make_context, lean_options):
    context = make_context("extract_lean", *lean_options)
    assert extract.run(context)["num_theorems"] == 4
    assert Dataset.load(context.directory).metadata.prover == "lean"


def test_statements_are_imported_with_the_header_of_the_config(statements):
    (theorem,) = statements.theorems
    assert (theorem.statement, theorem.context) == ("theorem one : 1 = 1", "import Mathlib\n")
