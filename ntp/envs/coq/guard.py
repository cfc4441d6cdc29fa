"""The guard between a policy and Coq: lets exactly one tactic pass, and nothing that is not a tactic.

Coq's document language can redefine the problem (`Axiom`, `Abort`, `Unset Guard Checking`), write files
(`Redirect`, `Extraction`) and drops all but the first sentence of a text. So every text is sent behind a goal
selector, where Coq's grammar takes tactics only; it is `1:`, Coq's default, unless the text brings its own.
"""

from __future__ import annotations

import re

from ntp.envs.coq.syntax import CoqSyntaxError, is_structure, sentences
from ntp.types import Rejected

MAX_CHARACTERS = 16384

# Control characters, lone surrogates and non-characters end Coq's XML reader or ours.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_SELECTOR = re.compile(r"(?:all|par|!|[0-9][0-9,\s-]*|\[\s*[^\W\d][\w']*\s*\])\s*:(?!=)\s*")
# The only commands that the grammar takes behind a selector. They change nothing.
_QUERY = re.compile(
    r"(About|Check|Compute|Eval|Locate|Print|Search|SearchPattern|SearchRewrite|Show|Type)(?![\w'.])"
)
_CHEATS = re.compile(r"(?<![\w'.])(admit|give_up|native_compute|native_cast_no_check)(?![\w'])")


def guard(text: str) -> str | Rejected:
    """What to send to Coq for a tactic that a model wrote, or why nothing is sent."""
    reason = _unreadable(text)
    if reason:
        return Rejected(reason)
    try:
        found = list(sentences(text))
    except CoqSyntaxError as error:
        return Rejected(f"not one sentence: {error}")
    if len(found) != 1:
        return Rejected(f"not one sentence: {len(found)}")
    sentence = found[0].text
    selector = _SELECTOR.match(sentence)
    reason = _not_a_tactic(sentence, selector[0] if selector else "")
    if reason:
        return Rejected(reason)
    return sentence if selector else f"1: {sentence}"


def _unreadable(text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        return f"longer than {MAX_CHARACTERS} characters"
    if _UNPRINTABLE.search(text):
        return "holds a control character"
    return ""


def _not_a_tactic(sentence: str, selector: str) -> str:
    body = sentence[len(selector) :]
    if is_structure(sentence) or body.startswith(("#", "-", "+", "*", "{", "}", "(*")):
        return "a bullet, brace or attribute is not a tactic"
    if selector.startswith("par"):
        return "par: starts processes"
    query = _QUERY.match(body)
    if query:
        return f"{query[1]} is a command, not a tactic"
    cheat = _CHEATS.search(sentence)
    return f"{cheat[1]} is not allowed" if cheat else ""
