"""Statements of a Coq library as Coq prints them after `Require Import` of their module."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ntp.data.coq.declarations import read_command
from ntp.envs.coq.document import CoqDocument
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.protocol import Failure
from ntp.envs.coq.syntax import sentences
from ntp.formalization.equivalence.sources import FILE, TextProject
from ntp.sandbox.limits import Limits

MAX_CHARACTERS = 400
_TIMEOUT_S = 60.0
_PRINTING = ("Set Printing Width 100000.", "Set Printing Depth 100000.")
_NAME = re.compile(r"[^\W\d][\w']*")


@dataclass(frozen=True, slots=True)
class LibraryStatement:
    """A theorem of a library.

    Attributes:
        name: Its name after the header.
        header: The sentence that imports its module.
        text: What it states, as Coq prints it after the header; parsed again, it is the same.
    """

    name: str
    header: str
    text: str


class Library:
    """A module of a library, imported in one prover.

    Args:
        project: The library.
        file: The module's source, relative to the project's root.
        module: Its logical name.
        limits: Resource limits of the prover.
    """

    def __init__(self, project: CoqProject, file: str, module: str, limits: Limits) -> None:
        self.header = f"Require Import {module}."
        self._source = project.read(file)
        self._document = CoqDocument(TextProject.with_texts(project, {FILE: self.header}), FILE, limits)

    def statements(self) -> list[LibraryStatement]:
        """The theorems that the file declares, in order, without those that are not read again as printed.

        Raises:
            InitError: The module cannot be imported.
            EnvError: Coq cannot start.
        """
        names = list(dict.fromkeys(_theorems(self._source)))
        printed = self.ask([f"Check @{name}." for name in names])
        texts = [
            None if said is None else " ".join(said.split()).partition(" : ")[2]
            for name, said in zip(names, printed, strict=True)
        ]
        found = [(n, t) for n, t in zip(names, texts, strict=True) if t and len(t) <= MAX_CHARACTERS]
        same = self.ask([f"Check (@{name} : ({text}) : Prop)." for name, text in found])
        return [
            LibraryStatement(name, self.header, text)
            for (name, text), said in zip(found, same, strict=True)
            if said is not None
        ]

    def ask(self, queries: Sequence[str]) -> list[str | None]:
        """What Coq says to each query after the header; None if it refuses it."""
        self._document.seek(len(self.header))
        top = self._document.top
        before = top.tip
        top.load(_PRINTING, _TIMEOUT_S)
        try:
            answers = top.query_all(queries, _TIMEOUT_S) if queries else []
        finally:
            top.edit_at(before)
        return [None if isinstance(said, Failure) else "\n".join(said) for said in answers]

    def close(self) -> None:
        """End the prover. Safe to call twice."""
        self._document.stop()


def _theorems(source: str) -> list[str]:
    """Names of the lemmas that a source states, as written there."""
    found = []
    for sentence in sentences(source):
        command = read_command(sentence.text)
        if command.states_lemma and len(command.tokens) > 1 and _NAME.fullmatch(command.tokens[1].text):
            found.append(command.tokens[1].text)
    return found
