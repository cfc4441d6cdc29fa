"""What prompts show in addition to a theorem: premises, similar theorems with their proofs, definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ntp.data.dataset import Dataset
from ntp.data.formats.prompts import Background
from ntp.data.formats.source_file import Proof, source_files
from ntp.data.leak_free import TRAIN
from ntp.data.records import EXTERNAL, PremiseRecord, PremiseUse
from ntp.data.terms import DependencyRecord, load_terms
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.lexical import BM25Retriever
from ntp.retrieval.options import RetrievalOptions

_MAX_DEFINITIONS = 8
# Theorems among the premises that are retrieved for each similar one that is shown.
_PER_PROOF = 8


class BackgroundFinder:
    """Finds what may be shown with the theorems of a data set.

    Args:
        dataset: The data set.
        terms: Directory of its proof terms, which say what a statement names; None if they were not read, and
            then no definitions are shown.
        parts: The part of each theorem that is kept, by id. Proofs are shown from the training part only.
        cache: Directory of the retriever's index; None to show nothing that is retrieved.
        num_premises: Premises shown.
        num_proofs: Similar theorems shown.
    """

    def __init__(
        self,
        dataset: Dataset,
        terms: Path | None,
        parts: Mapping[str, str],
        cache: Path | None,
        num_premises: int,
        num_proofs: int,
    ) -> None:
        self._num_premises, self._num_proofs = num_premises, num_proofs
        self._premises = {premise.full_name: premise for premise in dataset.premises}
        dependencies: Sequence[DependencyRecord] = load_terms(terms)[0] if terms else ()
        self._types = {record.full_name: record.type or () for record in dependencies}
        self._retriever = None if cache is None else retriever_of(dataset, parts, cache)
        # A retriever reads places as the data set has them; those of the files are offsets.
        self._records = dataset.records if self._retriever is not None else {}
        self._proofs = {
            proof.id: proof
            for file in (source_files(dataset) if self._retriever is not None else ())
            for proof in file.proofs()
            if parts.get(proof.id) == TRAIN and proof.proof is not None
        }

    def find(self, theorem_id: str, states: Sequence[str]) -> list[Background]:
        """What is shown in each state of a theorem.

        Args:
            theorem_id: The theorem.
            states: What premises and proofs are looked for with: goals, or the statement.
        """
        definitions = self._definitions(theorem_id)
        if self._retriever is None:
            return [Background(definitions=definitions)] * len(states)
        theorem = self._records[theorem_id].theorem
        num = max(self._num_premises, _PER_PROOF * self._num_proofs)
        shown = []
        for found in self._retriever.retrieve(states, [theorem] * len(states), num):
            names = [item.premise.full_name for item in found]
            proofs = [self._proofs[name] for name in names if name in self._proofs and name != theorem_id]
            premises = [
                _named(item.premise.full_name, item.premise.statement) for item in found[: self._num_premises]
            ]
            shown.append(Background(premises, [*map(_with_proof, proofs[: self._num_proofs])], definitions))
        return shown

    def _definitions(self, theorem_id: str) -> list[str]:
        """What the theorem's type names and a source of the project defines."""
        found = (self._premises.get(name) for name in self._types.get(theorem_id, ()))
        texts = dict.fromkeys(p.statement for p in found if p is not None and p.span is not None)
        return list(texts)[:_MAX_DEFINITIONS]


def retriever_of(dataset: Dataset, parts: Mapping[str, str], cache: Path) -> BM25Retriever:
    """A lexical retriever of the premises that may be shown; its index is kept in `cache`.

    Of what stands outside the project a data set has only what its proofs name. What nothing but proofs of
    the evaluation side name would tell their answers.
    """
    named = {
        use
        for record in dataset.iter_theorems()
        if parts.get(record.theorem.id) == TRAIN
        for step in record.steps
        for use in step.premises
    }
    pool: list[PremiseRecord] = [
        p for p in dataset.premises if p.kind != EXTERNAL or PremiseUse(p.full_name, p.file) in named
    ]
    corpus = PremiseCorpus(pool, dataset.files, dataset.iter_theorems())
    return BM25Retriever(corpus, cache, RetrievalOptions.k1, RetrievalOptions.b)


def _with_proof(proof: Proof) -> str:
    return f"{proof.decl.rstrip()}\n{proof.proof}"


def _named(full_name: str, statement: str) -> str:
    """A premise on one line, with its full name where its statement does not tell it."""
    text = " ".join(statement.split())
    return text if full_name.rpartition(".")[2] in text else f"{full_name} : {text}"
