"""Premises as text."""

from __future__ import annotations

import re
from functools import lru_cache

from ntp.data.records import PremiseRecord

_BEGIN, _END = "<a>", "</a>"


@lru_cache(maxsize=1 << 18)
def marked_statement(premise: PremiseRecord) -> str:
    """The statement, with the premise's full name between `<a>` marks in place of its short name.

    Like `Premise.serialize` in ReProver's `common.py`, which its checkpoints were trained on. If the
    statement does not contain the name (a printed type, an obligation), the marked name is put in front.
    """
    marked = f"{_BEGIN}{premise.full_name}{_END}"
    parts = premise.full_name.split(".")
    for i in range(len(parts)):
        name = re.escape(".".join(parts[i:]))
        pattern = rf"(?<!\S)(?:_root_\.)?«?{name}»?(?![\w'])"
        text, num_found = re.subn(pattern, lambda _: marked, premise.statement)
        if num_found:
            return text
    return f"{marked} : {premise.statement}" if premise.statement else marked
