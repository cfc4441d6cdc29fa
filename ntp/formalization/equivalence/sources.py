"""Coq files that are generated and never written: what they say, and where their lemmas stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from ntp.envs.coq.project import CoqProject
from ntp.types import Span, Theorem

FILE = "NtpEquivalence.v"


@dataclass(frozen=True)
class TextProject(CoqProject):
    """A project with further files that are in memory only.

    Attributes:
        texts: Their sources by path relative to the root.
    """

    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def with_texts(cls, project: CoqProject, texts: Mapping[str, str]) -> TextProject:
        """A project with these files beside its own."""
        given = {f.name: getattr(project, f.name) for f in fields(CoqProject)}
        return cls(**given, texts=texts)

    def read(self, file: str) -> str:
        """See `CoqProject.read`."""
        return self.texts[file] if file in self.texts else super().read(file)


class SourceWriter:
    """Puts a file together, and keeps where its lemmas are.

    Attributes:
        text: The file so far.
    """

    def __init__(self, header: str) -> None:
        self.text = f"{header}\n"

    def add(self, text: str) -> None:
        """Append sentences."""
        self.text += f"{text}\n"

    def lemma(self, name: str, statement: str) -> Theorem:
        """Append a lemma without a proof: it is aborted, so that no later one can use it."""
        begin = len(self.text)
        sentence = f"Lemma {name} : {statement}."
        self.text += f"{sentence}\nProof.\nAbort.\n"
        return Theorem(
            id=name,
            file=FILE,
            statement=sentence,
            declaration=Span(begin, begin + len(sentence)),
            proof=Span(begin + len(sentence), len(self.text) - 1),
        )
