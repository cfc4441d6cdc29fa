"""Premise records of what Coq sources declare."""

from __future__ import annotations

from ntp.data.coq_declarations import Command, declared
from ntp.data.coq_scopes import Scopes
from ntp.data.records import PremiseRecord
from ntp.envs.coq_syntax import Sentence
from ntp.types import Span

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
