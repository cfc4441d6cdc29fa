"""Spelling of tactics: scripts that differ in blanks, comments or parentheses are written alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ScriptSyntax(Protocol):
    """How a prover's tactics are written. Texts are guarded tactics: one sentence each."""

    def components(self, tactic: str) -> list[str]:
        """The tactics that a text runs one after the other, each in one canonical spelling; at least one.

        The result of `join` may differ in meaning in rare cases (`a; (b; c)` in backtracking, say), so let
        the prover check it.
        """
        ...

    def is_structure(self, text: str) -> bool:
        """Whether a sentence of a script only structures it, as a bullet does."""
        ...

    def sentences(self, script: str) -> list[str]:
        """What a whole script runs one after the other; empty if it cannot be read."""
        ...

    def join(self, components: Sequence[str]) -> str:
        """The text that runs components one after the other, at least one."""
        ...


class PlainSyntax:
    """For provers of unknown syntax: every text is one tactic, whatever blanks it has around it."""

    def components(self, tactic: str) -> list[str]:
        """The text alone."""
        return [tactic.strip()]

    def is_structure(self, text: str) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def sentences(self, script: str) -> list[str]:
        """The text alone."""
        return [script]

    def join(self, components: Sequence[str]) -> str:
        """The only component."""
        (component,) = components
        return component


def syntax_of(make_env: object) -> ScriptSyntax:
    """The syntax that a factory of environments names as `syntax`; a plain one without."""
    return getattr(make_env, "syntax", PlainSyntax())
