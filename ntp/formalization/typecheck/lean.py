"""Type-checks Lean statements: guarded, stated with `sorry` through a sandboxed REPL, and forgotten."""

from __future__ import annotations

import re
from typing import ClassVar

from ntp.envs.lean.env import LeanEnv
from ntp.envs.lean.guard import guard
from ntp.envs.lean.protocol import is_out_of_time
from ntp.envs.lean.syntax import LeanSyntaxError, statement_end, tokens
from ntp.errors import InitError
from ntp.formalization.typecheck.verdict import TypeOutcome, TypeVerdict
from ntp.types import Rejected, Span, Theorem

KEYWORDS = frozenset({"theorem", "lemma"})
_NOWHERE = Span(0, 0)
_NAME = re.compile(r"[^\W\d][\w'!?₀-₉]*(?:\.[^\W\d][\w'!?₀-₉]*)*")


def guard_statement(text: str) -> str | Rejected:
    """From a statement that a model wrote, the text to send to Lean, or the reason why it is refused.

    It is `theorem` or `lemma`, a name, and a signature that passes the guard of tactics: no command, no
    attribute, nothing that runs code, brackets that match, and no proof.
    """
    text = text.strip()
    try:
        found = [token for token in tokens(text) if token.kind != "comment"]
    except LeanSyntaxError as error:
        return Rejected(f"not one statement: {error}")
    if len(found) < 3 or found[0].text not in KEYWORDS:
        return Rejected(f"does not begin with {' or '.join(sorted(KEYWORDS))}")
    if not _NAME.fullmatch(found[1].text):
        return Rejected("has no name")
    if statement_end(text, found[1:]) != len(text):
        return Rejected("has a proof or a value")
    if not any(token.text == ":" and token.depth == 0 for token in found):
        return Rejected("states nothing: there is no colon")
    signature = guard(text[found[1].end :])
    if isinstance(signature, Rejected):
        return signature
    # A line that begins at the margin could begin a command.
    return f"theorem {found[1].text} " + signature.replace("\n", "\n  ")


class LeanStatementChecker:
    """One Lean. See `StatementChecker`.

    Args:
        env: The environment; its time limits hold.
    """

    prover: ClassVar[str] = "lean"

    def __init__(self, env: LeanEnv) -> None:
        self._env = env

    def check(self, header: str, statement: str) -> TypeVerdict:
        """See `StatementChecker.check`."""
        text = guard_statement(statement)
        if isinstance(text, Rejected):
            return TypeVerdict(TypeOutcome.REFUSED, text.reason)
        theorem = Theorem("candidate", "candidate", text, _NOWHERE, _NOWHERE, header)
        try:
            self._env.open(theorem).close()
        except InitError as error:
            return TypeVerdict(_outcome(str(error)), " ".join(str(error).split()))
        return TypeVerdict(TypeOutcome.WELL_TYPED)

    def close(self) -> None:
        """See `StatementChecker.close`."""
        self._env.close()


def _outcome(message: str) -> TypeOutcome:
    """What an `InitError` of the environment is about."""
    if is_out_of_time(message) or "no answer within" in message:
        return TypeOutcome.TIMEOUT
    return TypeOutcome.CRASHED if ": opening candidate:" in message else TypeOutcome.ILL_TYPED
