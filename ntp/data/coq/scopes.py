"""Modules and sections open at a point of a Coq file."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from ntp.data.coq.declarations import Command


@dataclass(slots=True)
class Scopes:
    """The stack of open modules and sections of a file.

    Attributes:
        module: Logical name of the file.
        open: (name, whether it is a section) from the outside in.
    """

    module: str
    open: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def in_section(self) -> bool:
        """Whether the innermost scope is a section."""
        return bool(self.open) and self.open[-1][1]

    def full_name(self, name: str) -> str:
        """The qualified name, after all sections are closed, of what is declared here as `name`."""
        modules = [scope for scope, is_section in self.open if not is_section]
        return ".".join((self.module, *modules, name))

    def without_sections(self, full_name: str) -> str:
        """A name as Coq qualifies it here, without the sections that are still open."""
        here = self.module
        for scope, is_section in self.open:
            inner = f"{here}.{scope}"
            if not full_name.startswith(inner + "."):
                break
            if is_section:
                full_name = here + full_name[len(inner) :]
            else:
                here = inner
        return full_name

    def follow(self, command: Command) -> bool:
        """Open or close a scope if the command does; tell whether it did."""
        words = command.words
        if command.keyword == "End":
            if self.open:
                self.open.pop()
            return True
        if command.keyword == "Section":
            self.open.append((words[1], True))
            return True
        if command.keyword == "Module" and not _defines_module(words):
            name = next(word for word in words[1:] if word not in {"Import", "Export", "Type"})
            self.open.append((name, False))
            return True
        return False


def _defines_module(words: list[str]) -> bool:
    """Whether a `Module` command has a body after `:=`, one that does not belong to a `with Definition`."""
    num_bodies = words.count(":=")
    constrained = sum(
        1
        for word, following in itertools.pairwise(words)
        if word == "with" and following in {"Definition", "Module"}
    )
    return num_bodies > constrained
