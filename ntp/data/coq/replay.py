"""Replays the sentences of a Coq file in stretches that leave the prover where a proof is about to close."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.protocol import Failure, Goals
from ntp.envs.coq.syntax import Sentence, executable, is_structure, read_prefixes
from ntp.envs.coq.tokens import flatten
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError

_CLOSING = re.compile(r"(?:Qed|Defined|Admitted|Abort|Save)\b")
_INFO = re.compile(r"Info\s+\d+\s+")  # prints what the tactic after it did
_FIRST_WORD = re.compile(r"\w+")
_COMMANDS_IN_PROOF = {
    "Abort", "About", "Add", "Admitted", "Arguments", "Axiom", "Axioms", "Back", "BackTo", "Bind",
    "Canonical", "Cd", "Check", "Class", "Close", "CoFixpoint", "CoInductive", "Coercion", "Collection",
    "Combined", "Comments", "Compute", "Conjecture", "Conjectures", "Constraint", "Context",
    "Corollary", "Create", "Cumulative", "Debug", "Declare", "Defined", "Definition", "Delimit",
    "Derive", "Drop", "End", "Equations", "Eval", "Example", "Existential", "Existing", "Export",
    "Extract", "Extraction", "Fact", "File", "Final", "Fixpoint", "Focus", "From", "Function",
    "Functional", "Generalizable", "Global", "Goal", "Grab", "Guarded", "Hint", "Hypotheses",
    "Hypothesis", "Identity", "Implicit", "Import", "Include", "Inductive", "Infix", "Info", "Inspect",
    "Instance", "Lemma", "Let", "Library", "Load", "Local", "Locate", "Ltac", "Ltac2", "Module",
    "Monomorphic", "Next", "NonCumulative", "Notation", "Number", "Numeral", "Obligation",
    "Obligations", "Opaque", "Open", "Optimize", "Parameter", "Parameters", "Polymorphic", "Prenex",
    "Preterm", "Primitive", "Print", "Private", "Program", "Proof", "Property", "Proposition", "Pwd",
    "Qed", "Quit", "Record", "Recursive", "Register", "Remark", "Remove", "Require", "Reserved",
    "Reset", "Restart", "Save", "Scheme", "Search", "SearchAbout", "SearchHead", "SearchPattern",
    "SearchRewrite", "Section", "Separate", "Set", "Show", "Solve", "Strategy", "String", "Structure",
    "SubClass", "Suggest", "Tactic", "Test", "Theorem", "Transparent", "Typeclasses", "Undelimit",
    "Undo", "Unfocus", "Unfocused", "Universe", "Universes", "Unset", "Unshelve", "Validate",
    "Variable", "Variables", "Variant", "View",
}  # fmt: skip

Replayed = tuple[Sentence, Goals | None]


class ReplayError(Exception):
    """The file does not replay.

    Attributes:
        offset: Where it stops, in characters from the start of the file.
    """

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


def replay(coq: CoqIdeTop, cut: Sequence[Sentence], timeout_s: float) -> Iterator[list[Replayed]]:
    """Execute sentences and yield each with the goals after it (None: no open proof), a stretch at a time.

    A stretch ends before a sentence that closes a proof, so while the consumer holds it, queries are answered
    inside that proof.

    Raises:
        ReplayError: A sentence fails, takes too long or kills the process.
    """
    for stretch in _stretches(cut):
        try:
            results = coq.run_all([executable(sentence.text) for sentence in stretch], timeout_s)
        except (DeadlineExceededError, ProcessDiedError) as error:
            raise ReplayError(stretch[0].span.begin, str(error)) from None
        done: list[Replayed] = []
        for sentence, result in zip(stretch, results, strict=False):
            if isinstance(result, Failure):
                begin = result.span[0] if result.span else 0
                raise ReplayError(sentence.span.begin + begin, flatten(result.message))
            done.append((sentence, result))
        yield done


def tactic_text(text: str) -> str | None:
    """The tactic in a sentence of a proof, without prefixes; None for structure and commands."""
    prefixes = read_prefixes(text)
    if prefixes.undone or is_structure(text):
        return None
    tactic = flatten(text[prefixes.end :])
    informed = _INFO.match(tactic)
    tactic = tactic[informed.end() :] if informed else tactic
    word = _FIRST_WORD.match(tactic)
    return None if word and word[0] in _COMMANDS_IN_PROOF else tactic


def closing_keyword(text: str) -> str:
    """The command that closes a proof, as `Qed`; empty if the sentence is none."""
    prefixes = read_prefixes(text)
    match = None if prefixes.undone else _CLOSING.match(text, prefixes.end)
    return match[0] if match else ""


def _stretches(cut: Sequence[Sentence]) -> Iterator[Sequence[Sentence]]:
    begin = 0
    for index, sentence in enumerate(cut):
        if index > begin and closing_keyword(sentence.text):
            yield cut[begin:index]
            begin = index
    if begin < len(cut):
        yield cut[begin:]
