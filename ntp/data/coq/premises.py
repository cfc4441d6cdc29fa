"""Which premises a recorded tactic names: its names looked up by Coq where the proof stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ntp.data.coq.declarations import Command
from ntp.data.coq.modules import Library
from ntp.data.coq.scopes import Scopes
from ntp.data.records import PremiseUse
from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.protocol import Failure
from ntp.envs.coq.tokens import flatten

_CONTINUED = re.compile(r"\n\s+")
_OBJECT = re.compile(r"(?:Constant|Inductive|Constructor|Notation) (\S+)(.*)")
_SHORTER = re.compile(r"\(shorter name to refer to it in current context is (\S+)\)")
# Commands after which every short name still means what it meant.
_INERT = {
    "Arguments", "Hint", "Infix", "Set", "Unset", "Open", "Close", "Ltac", "Tactic", "Reserved", "Opaque",
    "Transparent", "Proof", "Existing", "Delimit", "Bind", "Implicit", "Generalizable", "Create", "Qed",
    "Defined",
}  # fmt: skip
_NAMING = {
    "Lemma", "Theorem", "Corollary", "Proposition", "Remark", "Fact", "Property", "Example", "Definition",
    "Fixpoint", "CoFixpoint", "Axiom", "Parameter",
}  # fmt: skip


class PremiseResolver:
    """Looks names up with `Locate Term`, and remembers the answers while they hold.

    Args:
        coq: The process that replays the file.
        library: Says which file a name belongs to.
        scopes: The open modules and sections, kept up to date by the caller.
    """

    def __init__(self, coq: CoqIdeTop, library: Library, scopes: Scopes) -> None:
        self._coq = coq
        self._library = library
        self._scopes = scopes
        self._known: dict[str, PremiseUse | None] = {}

    def resolve(self, names: Iterable[str], timeout_s: float) -> dict[str, PremiseUse]:
        """The premises among some names, as they are understood at the tip."""
        wanted = list(dict.fromkeys(names))
        unknown = [name for name in wanted if name not in self._known]
        if unknown:
            answers = self._coq.query_all([f"Locate Term {name}." for name in unknown], timeout_s)
            self._known.update(zip(unknown, map(self._read, unknown, answers), strict=True))
        return {name: use for name in wanted if (use := self._known[name])}

    def forget(self, command: Command, names: Iterable[str]) -> None:
        """Drop what a command may have changed the meaning of, given the names it declares."""
        if command.keyword in _NAMING:
            declared = set(names)
            for name in [n for n in self._known if n.rpartition(".")[2] in declared]:
                del self._known[name]
        elif command.keyword not in _INERT:
            self._known.clear()

    def _read(self, name: str, answer: list[str] | Failure) -> PremiseUse | None:
        if isinstance(answer, Failure):
            return None
        for line in _CONTINUED.sub(" ", "\n".join(answer)).splitlines():
            match = _OBJECT.match(line)
            if match and _is_meant(name, match[2]):
                return self._use(self._scopes.without_sections(match[1]))
        return None

    def _use(self, full_name: str) -> PremiseUse:
        file = self._library.file_of(full_name)
        if file is None:
            # What belongs to a functor's parameter has no library of its own.
            full_name = self._scopes.full_name(full_name)
            file = self._library.project[self._scopes.module]
        return PremiseUse(full_name, file)


def _is_meant(name: str, remark: str) -> bool:
    # Coq lists every object whose name ends like this one, each with the shortest name it can be called by.
    shortest = _SHORTER.search(remark)
    return shortest is None or shortest[1].count(".") < name.count(".")


def proof_question(name: str) -> str:
    """A query that tells whether a name, global or local, is a proof: whether its type is a proposition."""
    return (
        f"Check ltac:(let T := type of @{name} in let s := type of T in "
        "match s with Prop => exact true | _ => exact false end)."
    )


def is_proof(answer: list[str] | Failure) -> bool | None:
    """What Coq answers to `proof_question`; None if it does not know the name."""
    return None if isinstance(answer, Failure) else "\n".join(answer).lstrip().startswith("true")


def printed_types(coq: CoqIdeTop, names: Sequence[str], timeout_s: float) -> list[str]:
    """The type of each name as Coq prints it at the tip; empty for one it refuses."""
    answers = coq.query_all([f"Check @{name}." for name in names], timeout_s) if names else []
    texts = ("" if isinstance(answer, Failure) else flatten("\n".join(answer)) for answer in answers)
    return [text.partition(" : ")[2] for text in texts]
