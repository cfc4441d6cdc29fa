"""Candidates in Coq files: a coqdoc comment `(** ... *)` and the lemma that follows it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ntp.data.coq.declarations import read_command
from ntp.data.coq.modules import module_name
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.syntax import Sentence, position_of, sentences
from ntp.envs.coq.tokens import flatten
from ntp.formalization.mining.candidates import Candidate, why_left_out
from ntp.formalization.mining.coq_context import Context

# More than one blank line apart, a comment is about something else.
_FARTHEST = 2
_ITEM = re.compile(r"^\s*(?:\*\s|[-+]\s)")
_MARKUP = re.compile(r"<<|>>|^\s*\*+\s|%|#|\$")


def find_candidates(project: CoqProject, file: str) -> tuple[list[Candidate], Counter[str]]:
    """The candidates of a file, and how many of its documented lemmas are left out, by reason.

    Args:
        project: The sources.
        file: Relative to its root.

    Raises:
        InitError: The file cannot be read.
        CoqSyntaxError: It cannot be cut into sentences.
    """
    source = project.read(file)
    context = Context(module_name(project, file))
    found: list[Candidate] = []
    left_out: Counter[str] = Counter()
    end = 0
    for sentence in sentences(source):
        command = read_command(sentence.text)
        if command.states_lemma and command.keyword != "Goal":
            informal = documentation(source[end : sentence.span.begin])
            reason = "" if informal is None else why_left_out(informal)
            if reason:
                left_out[reason] += 1
            elif informal is not None and len(command.tokens) > 1:
                found.append(_candidate(source, file, sentence, command.tokens[1].text, informal, context))
        context.add(sentence.text, command)
        end = sentence.span.end
    return found, left_out


def documentation(gap: str) -> str | None:
    """The text of the coqdoc comment that ends what stands between two sentences; None if there is none.

    Args:
        gap: Blanks and comments.
    """
    comments = list(_comments(gap))
    if not comments:
        return None
    begin, end = comments[-1]
    text = gap[begin:end]
    if not text.startswith("(**") or text.startswith(("(***", "(**)")) or gap[end:].count("\n") > _FARTHEST:
        return None
    body = text.removeprefix("(**").removesuffix("*)").removesuffix("*").strip()
    if not body or _MARKUP.search(body):
        return None  # a heading, code, or markup for other formats
    return " ".join(body.split())


def _comments(gap: str) -> Iterator[tuple[int, int]]:
    position = 0
    while (begin := gap.find("(*", position)) >= 0:
        position = _end_of(gap, begin)
        yield begin, position


def _end_of(gap: str, begin: int) -> int:
    depth, position = 0, begin
    for edge in re.finditer(r"\(\*|\*\)", gap[begin:]):
        depth += 1 if edge[0] == "(*" else -1
        position = begin + edge.end()
        if depth == 0:
            break
    return position


def _candidate(
    source: str, file: str, sentence: Sentence, name: str, informal: str, context: Context
) -> Candidate:
    line, _ = position_of(source, sentence.span.begin)
    return Candidate(name, file, line, informal, flatten(sentence.text), context.header())
