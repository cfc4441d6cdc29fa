"""What each tactic of a recorded proof adds to the proof term: `Show Proof` with everything printed.

A file is executed again, in stretches that end before a proof is closed; then the term after each tactic is
asked for. A constant that occurs more often in the term after a tactic than before it is one that the tactic
used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ntp.data.coq.declarations import read_command
from ntp.data.coq.modules import Library
from ntp.data.coq.names import hypothesis_names
from ntp.data.coq.premises import PremiseResolver, is_proof, proof_question
from ntp.data.coq.scopes import Scopes
from ntp.data.records import StepRecord, TheoremRecord
from ntp.data.terms import StepTerms, TheoremTerms
from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.protocol import Failure
from ntp.envs.coq.syntax import executable, read_prefixes, sentences
from ntp.envs.coq.term import PRINT_WHOLE
from ntp.envs.coq.tokens import tokens
from ntp.errors import EnvError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.types import Span

_SHOW = "Show Proof."
# The plugin alone: its library requires much of the standard library, which may be what is read here.
_LOAD_HAMMER = [
    f'Declare ML Module "{name}".'
    for name in ("coq-hammer-tactics.lib", "coq-hammer-tactics.plugin", "coq-hammer.plugin")
]
_INSTALL_HAMMER = "apt-get install libcoq-hammer"
_SCOPE = re.compile(r"(?:Section|Module|End)\b")
_NAME = re.compile(r"(?<![\w.'?])[^\W\d][\w']*(?:\.[^\W\d][\w']*)*")
_WORDS = {
    "fun", "forall", "fix", "cofix", "let", "in", "match", "with", "end", "as", "return", "if", "then",
    "else", "struct", "for", "Type", "Prop", "Set", "SProp",
}  # fmt: skip


def read_step_terms(
    project: CoqProject,
    library: Library,
    theorems: Sequence[TheoremRecord],
    timeout_s: float,
    num_predictions: int = 0,
) -> list[TheoremTerms]:
    """Execute one file again and read the terms of its theorems' tactics.

    Args:
        project: The project that was extracted.
        library: Every module that may be named.
        theorems: Theorems of one file, in order of position, not empty.
        timeout_s: Deadline for every stretch and for the terms of every theorem.
        num_predictions: Constants that CoqHammer's predictor (naive Bayes) is asked for before each tactic; 0
            for not asking.

    Returns:
        Those that could be read: not those with a term that is too long, or after a sentence that fails.

    Raises:
        EnvError: CoqHammer is asked and not installed.
    """
    file = theorems[0].theorem.file
    source = project.read(file)
    found: list[TheoremTerms] = []
    remaining = list(theorems)
    while remaining:
        with CoqIdeTop(project, file) as coq:
            reader = _Reader(coq, library, theorems[0].module, source, timeout_s, num_predictions)
            try:
                while remaining:
                    found.append(reader.read(remaining.pop(0)))
            except _DoesNotReplayError:
                break
            except (DeadlineExceededError, ProcessDiedError):
                continue  # the theorem is left out, the next ones need another process
    return found


class _DoesNotReplayError(Exception):
    """A sentence that was executed at extraction fails now."""


class _Reader:
    def __init__(
        self,
        coq: CoqIdeTop,
        library: Library,
        module: str,
        source: str,
        timeout_s: float,
        num_predictions: int,
    ) -> None:
        self._coq, self._library, self._timeout_s = coq, library, timeout_s
        self._num_predictions = num_predictions
        self._scopes = Scopes(module)
        self._sentences = list(sentences(source))
        self._next = 0
        for sentence in PRINT_WHOLE:
            coq.run(sentence, timeout_s)
        if num_predictions:
            _, failed = coq.load(_LOAD_HAMMER, timeout_s)
            if failed:
                raise EnvError(f"CoqHammer cannot be loaded ({failed.message}): `{_INSTALL_HAMMER}`")

    def read(self, record: TheoremRecord) -> TheoremTerms:
        self._load_to(record.theorem.declaration.begin)
        begin, tip = self._next, self._coq.tip
        states = self._load_to(self._closing(record.theorem.proof))
        after = dict(zip((s.span for s in self._sentences[begin:]), states, strict=False))
        before = dict(zip((s.span for s in self._sentences[begin:]), [tip, *states], strict=False))
        if any(step.span not in after for step in record.steps):
            raise _DoesNotReplayError(record.theorem.id)
        return TheoremTerms(record.theorem.id, self._steps(record.steps, before, after))

    def _steps(
        self, steps: Sequence[StepRecord], before: dict[Span, int], after: dict[Span, int]
    ) -> tuple[StepTerms, ...]:
        places = [before[steps[0].span], *(after[step.span] for step in steps)]
        shown = self._coq.query_at([(_SHOW, place) for place in places], self._timeout_s)
        counts = [Counter(_NAME.findall("" if isinstance(a, Failure) else "\n".join(a))) for a in shown]
        added = [[n for n in now if now[n] > was[n] and n not in _WORDS] for was, now in pairwise(counts)]
        resolver = PremiseResolver(self._coq, self._library, self._scopes)
        names = resolver.resolve([name for step in added for name in step], self._timeout_s)
        named = [[n for n in _named(step) if n in hypothesis_names([step.before])] for step in steps]
        asked = [
            (proof_question(name), before[step.span])
            for step, of_step in zip(steps, named, strict=True)
            for name in of_step
        ]
        answers = iter(self._coq.query_at(asked, self._timeout_s) if asked else ())
        predictions = self._predictions([before[step.span] for step in steps])
        return tuple(
            StepTerms(
                constants=tuple(dict.fromkeys(names[name].full_name for name in new if name in names)),
                hypotheses=tuple(name for name in of_step if is_proof(next(answers))),
                predictions=predicted,
            )
            for new, of_step, predicted in zip(added, named, predictions, strict=True)
        )

    def _predictions(self, places: Sequence[int]) -> list[tuple[str, ...] | None]:
        if not self._num_predictions:
            return [None] * len(places)
        question = f'predict {self._num_predictions} "nbayes".'
        answers = self._coq.query_at([(question, place) for place in places], self._timeout_s)
        return [
            None if isinstance(answer, Failure) else tuple(_NAME.findall("\n".join(answer)))
            for answer in answers
        ]

    def _closing(self, proof: Span) -> int:
        """Where the sentence that closes the proof begins."""
        return max(s.span.begin for s in self._sentences if proof.begin <= s.span.begin < proof.end)

    def _load_to(self, offset: int) -> list[int]:
        """Execute up to the sentence at an offset; returns the state after each sentence."""
        end = next((i for i, s in enumerate(self._sentences) if s.span.begin >= offset), len(self._sentences))
        todo = self._sentences[self._next : end]
        states, failed = self._coq.load([executable(s.text) for s in todo], self._timeout_s)
        if failed:
            raise _DoesNotReplayError(failed.message)
        for sentence in todo:
            if _SCOPE.match(sentence.text, read_prefixes(sentence.text).end):
                self._scopes.follow(read_command(sentence.text))
        self._next = max(self._next, end)
        return states


def _named(step: StepRecord) -> list[str]:
    return list(dict.fromkeys(token.text for token in tokens(step.tactic) if token.kind == "name"))
