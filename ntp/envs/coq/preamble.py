"""Commands that run once a theorem is stated and before its proof, such as those that load tactics."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ntp.envs.coq.hammer import INSTALL_COMMAND, loads_hammer
from ntp.envs.coq.syntax import CoqSyntaxError, read_prefixes, sentences
from ntp.errors import ConfigError

# Tactics begin with a small letter, except those of a selector.
_COMMAND = re.compile(r"[A-Z]\w*")
# They end a proof, go back in it, or write files.
_REFUSED = frozenset(
    {"Abort", "Admitted", "Back", "BackTo", "Cd", "Defined", "Drop", "Extraction", "Goal", "Proof", "Qed"}
    | {"Quit", "Recursive", "Redirect", "Reset", "Restart", "Save", "Separate", "Undo"}
)


@dataclass(frozen=True, slots=True)
class Preamble:
    """Commands that a user wants to run before each proof.

    They run inside the proof that the statement has opened, so that whatever they load or rename, the
    statement means what it means in its file. They change neither what the guard lets through nor which
    axioms a proof may use: those are the ones of the file's own proof, which is run without them.

    Attributes:
        commands: Commands, each one sentence.
        hammer_timeout_s: Whole seconds for one `hammer`.
        has_hammer: Whether it loads the tactic `hammer`.

    Raises:
        ConfigError: A text is not one command, or is one that ends a proof.
    """

    commands: tuple[str, ...] = ()
    hammer_timeout_s: int = 30
    has_hammer: bool = field(init=False)

    def __post_init__(self) -> None:
        for text in self.commands:
            reason = _trouble(text)
            if reason:
                raise ConfigError(f"env.preamble: {text!r} {reason}")
        # Asked before every tactic.
        object.__setattr__(self, "has_hammer", loads_hammer(self.commands))

    @staticmethod
    def of(texts: Sequence[str], hammer_timeout_s: int) -> Preamble:
        """The commands of a config, with a full stop where it is left out."""
        return Preamble(tuple(_with_stop(text.strip()) for text in texts), hammer_timeout_s)

    def advice(self, message: str) -> str:
        """What to do about Coq's message that a library is not there; empty for other messages."""
        if "Hammer" in message and "Cannot find" in message:
            return f": `{INSTALL_COMMAND}`"
        return ""


def _with_stop(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _trouble(text: str) -> str:
    try:
        found = list(sentences(text))
        begin = read_prefixes(text).end
    except CoqSyntaxError as error:
        return str(error)
    if len(found) != 1:
        return "is not one sentence: give a list of commands"
    word = _COMMAND.match(text, begin)
    if word is None:
        return "is not a command: commands begin with a capital letter"
    refused = next((name for name in (word[0], *text[:begin].split()) if name in _REFUSED), "")
    return f"cannot be used: {refused} does not belong before a proof" if refused else ""


NO_PREAMBLE = Preamble()
