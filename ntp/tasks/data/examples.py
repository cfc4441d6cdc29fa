"""Makes the examples of instruction and chat data, file by file."""

from __future__ import annotations

import functools
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ntp.data.dataset import Dataset
from ntp.data.formats.chat import CHAT_KINDS, ChatLayout, chat_example, shown_by
from ntp.data.formats.prompts import (
    KINDS,
    PROOF_WITH_STATES,
    TACTIC,
    Background,
    Template,
    Tokens,
    cut,
    example,
    fill,
    is_honest,
    read_templates,
)
from ntp.data.formats.source_file import Proof, SourceFile, source_files
from ntp.data.formats.state_comments import comment_states
from ntp.errors import ConfigError
from ntp.retrieval.background import BackgroundFinder, retriever_of

_WORD = re.compile(r"\w+|[^\w\s]+|\s+")


@dataclass(frozen=True)
class Job:
    """What a worker needs to make the examples of a data set; hashable, so that it is loaded once.

    Attributes:
        dataset: Directory of the data set.
        terms: Directory of its proof terms; None if they were not read.
        splits: JSON file with the split of each theorem that is kept.
        project: Name in the metadata.
        kinds: Kinds of examples.
        templates: Wording.
        tokenizer: As `InstructionOptions.tokenizer`.
        max_context_tokens: Longest context.
        num_premises: Premises shown.
        num_proofs: Similar theorems shown.
        seed: Seed of what is drawn.
        max_tokens: Most tokens of each part of a conversation.
        cache: Directory of indices.
    """

    dataset: Path
    terms: Path | None
    splits: Path
    project: str
    kinds: tuple[str, ...]
    templates: Path
    tokenizer: str | None
    max_context_tokens: int
    num_premises: int
    num_proofs: int
    seed: int
    max_tokens: tuple[tuple[str, int], ...]
    cache: Path


def make_examples(job: Job, path: str) -> dict[tuple[str, str], list[str]]:
    """The lines of one file, by kind and split; runs in a worker."""
    maker = _maker(job)
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, split, row in maker.rows(maker.files[path]):
        found[kind, split].append(json.dumps(row, ensure_ascii=False) + "\n")
    return dict(found)


def _parts(job: Job) -> dict[str, str]:
    return json.loads(job.splits.read_text(encoding="utf-8"))


def prepare(job: Job) -> None:
    """Make the index that workers read, once."""
    if shows_premises(job.kinds):
        retriever_of(Dataset.load(job.dataset), _parts(job), job.cache)


@functools.lru_cache(maxsize=1)
def _maker(job: Job) -> _Maker:
    return _Maker(job)


class _Maker:
    """Makes the examples of files."""

    def __init__(self, job: Job) -> None:
        self._job = job
        dataset = Dataset.load(job.dataset)
        self.files = {file.record.path: file for file in source_files(dataset)}
        self._splits = _parts(job)
        self._templates: Mapping[str, Template] = read_templates(job.templates)
        self._tokens = load_tokens(job.tokenizer)
        cache = job.cache if shows_premises(job.kinds) else None
        self._background = BackgroundFinder(
            dataset, job.terms, self._splits, cache, job.num_premises, job.num_proofs
        )

    def rows(self, file: SourceFile) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(kind, split, row) of every example of a file."""
        with_states = comment_states(file)
        for proof, commented in zip(file.proofs(), with_states.proofs(), strict=True):
            split = self._splits.get(proof.id)
            if split is None or (proof.proof is not None and not is_honest(proof.proof)):
                continue
            # A theorem without tactics has something shown too, for its statement.
            states = [step.state for step in proof.record.steps] or [proof.decl]
            shown = self._background.find(proof.id, states)
            for kind in self._job.kinds:
                if kind in CHAT_KINDS:
                    layout = ChatLayout(kind, file.prover, dict(self._job.max_tokens), self._tokens)
                    row = chat_example(proof, layout, shown[0], self._job.project, split)
                    if row is not None:
                        yield kind, split, row
                elif KINDS[kind][0] == TACTIC:
                    for row in self._tactics(kind, file, proof, shown, split):
                        yield kind, split, row
                else:
                    source = commented if KINDS[kind][0] == PROOF_WITH_STATES else proof
                    if (row := self._proof(kind, source, shown[0], split)) is not None:
                        yield kind, split, row

    def _tactics(
        self, kind: str, file: SourceFile, proof: Proof, shown: Sequence[Background], split: str
    ) -> Iterator[dict[str, Any]]:
        needs = KINDS[kind][1]
        for index, (step, background) in enumerate(zip(proof.record.steps, shown, strict=False)):
            before = file.up_to(step)
            if (needs == "context" and before is None) or not is_honest(step.tactic):
                continue
            if needs in ("premises", "proofs", "definitions") and not getattr(background, needs):
                continue
            context = self._cut(before or "", proof.id, index) if needs == "context" else ""
            prompt, completion = fill(
                self._templates[kind],
                file.prover,
                step.tactic,
                step.state,
                proof.decl,
                context,
                background,
            )
            yield example(kind, self._job.project, proof, prompt, completion, step.tactic, split)

    def _proof(self, kind: str, proof: Proof, background: Background, split: str) -> dict[str, Any] | None:
        needs = KINDS[kind][1]
        if proof.proof is None or (needs == "premises" and not background.premises):
            return None
        context = ""
        if needs == "context":
            context = self._cut(f"{proof.src_up_to_decl}{proof.decl}".rstrip(), proof.id, kind)
        prover = proof.record.prover
        prompt, completion = fill(
            self._templates[kind], prover, proof.proof, "", proof.decl, context, background
        )
        return example(kind, self._job.project, proof, prompt, completion, proof.proof, split)

    def _cut(self, text: str, *seed: int | str) -> str:
        prover = next(iter(self.files.values())).prover
        return cut(text, self._job.max_context_tokens, self._tokens, prover, self._job.seed, *seed)


def shows_premises(kinds: Sequence[str]) -> bool:
    """Whether a kind shows what a retriever finds."""
    return any({"premises", "proofs"} & set(shown_by(kind)) for kind in kinds)


def load_tokens(name: str | None) -> Tokens:
    """What cuts texts into tokens, and puts them together.

    Args:
        name: As `InstructionOptions.tokenizer`.

    Raises:
        ConfigError: The tokenizer cannot be loaded.
    """
    if name is None:
        return _WORDS
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"instructions.tokenizer={name}: cannot be loaded: {reason}") from None
    return (
        lambda text: tokenizer.encode(text, add_special_tokens=False),
        lambda ids: tokenizer.decode(ids, clean_up_tokenization_spaces=False),
    )


def _split_words(text: str) -> list[str]:
    """Words, signs and blanks, which together are the text."""
    return _WORD.findall(text)


_WORDS: Tokens = (_split_words, "".join)
