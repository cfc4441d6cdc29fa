"""The checker of an environment."""

from __future__ import annotations

from typing import Any

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.lean.factory import LeanReplFactory
from ntp.errors import ConfigError
from ntp.formalization.typecheck.coq import CoqStatementChecker
from ntp.formalization.typecheck.lean import LeanStatementChecker
from ntp.formalization.typecheck.verdict import StatementChecker


def make_checker(factory: Any, timeout_s: int) -> StatementChecker:
    """A checker of statements for the prover of an environment's factory.

    Args:
        factory: A Coq factory or that of the Lean REPL.
        timeout_s: Whole seconds for one statement; Lean's environment has limits of its own.

    Raises:
        ConfigError: The environment has none.
    """
    if isinstance(factory, CoqEnvFactory):
        return CoqStatementChecker(factory.project, factory.limits, timeout_s)
    if isinstance(factory, LeanReplFactory):
        return LeanStatementChecker(factory())
    raise ConfigError("statements are type-checked with env=coq or env=lean_repl")
