from collections.abc import Iterator

import pytest

from ntp.formalization.equivalence.comparison import EquivalenceOptions
from ntp.formalization.equivalence.coq import CoqEquivalence

HEADER = "Require Import List.\nImport ListNotations.\n"


@pytest.fixture(scope="session")
def coq_equivalence(stdlib) -> Iterator[CoqEquivalence]:
    equivalence = CoqEquivalence(stdlib, EquivalenceOptions(stage_timeout_s=2, budget_s=120.0))
    yield equivalence
    equivalence.close()


@pytest.fixture(scope="session")
def structural(stdlib) -> Iterator[CoqEquivalence]:
    """Without arithmetic, rewriting and automation."""
    equivalence = CoqEquivalence(stdlib, EquivalenceOptions(theory=False, budget_s=120.0))
    yield equivalence
    equivalence.close()


@pytest.fixture(scope="session")
def outcomes():
    """The outcomes of candidates, as text."""

    def find(equivalence, reference, candidates, header=HEADER):
        return [str(judged.outcome) for judged in equivalence.judge(header, reference, candidates)]

    return find
