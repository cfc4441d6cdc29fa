import pytest

from ntp.data.terms import DEPENDENCIES, STEP_TERMS, DependencyRecord, StepTerms, TheoremTerms, load_terms
from ntp.errors import DataError
from ntp.jsonl import write_jsonl


def test_what_is_written_is_read(tmp_path):
    dependencies = [DependencyRecord("a", True, ("b",)), DependencyRecord("b", False)]
    terms = [TheoremTerms("a", (StepTerms(("b",), None), StepTerms((), ("h",))))]
    write_jsonl(tmp_path / DEPENDENCIES, dependencies)
    with pytest.raises(DataError, match=STEP_TERMS):
        load_terms(tmp_path)
    write_jsonl(tmp_path / STEP_TERMS, terms)
    assert load_terms(tmp_path) == (dependencies, terms)
