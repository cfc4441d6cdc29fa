"""Premise records of what Coq sources declare."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ntp.data.coq.declarations import Command, declared, read_command
from ntp.data.coq.scopes import Scopes
from ntp.data.records import PremiseRecord
from ntp.envs.coq.syntax import CoqSyntaxError, Sentence, sentences
from ntp.types import Span

_COMMAND = re.compile(r"[A-Z#]")
_PARTS = {"Constructor", "Field"}


def premise_records(sentence: Sentence, command: Command, scopes: Scopes, file: str) -> list[PremiseRecord]:
    """What a sentence declares: a whole sentence, but for constructors and fields their own clause."""
    records: list[PremiseRecord] = []
    for item in declared(command, scopes.in_section):
        begin, end = (item.span.begin, item.span.end) if item.kind in _PARTS else (0, len(sentence.text))
        span = Span(sentence.span.begin + begin, sentence.span.begin + end)
        name = scopes.full_name(item.name)
        records.append(PremiseRecord(name, item.kind, sentence.text[begin:end], file, span))
    return records


def declared_premises(source: str, module: str, file: str) -> Iterator[PremiseRecord]:
    """What a source declares, read without Coq; up to where it stops being lexically sound."""
    scopes = Scopes(module)
    try:
        for sentence in sentences(source):
            if _COMMAND.match(sentence.text):
                command = read_command(sentence.text)
                yield from premise_records(sentence, command, scopes, file)
                scopes.follow(command)
    except CoqSyntaxError:
        return
