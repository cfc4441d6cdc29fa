"""Coq's XML protocol (8.16): writes calls, reads values and feedback.

Answers are sliced as text instead of being parsed into a tree: most of the traffic is goals, and the format
that Coq prints is fixed by the protocol version, which `CoqIdeTop` checks when it starts.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from ntp.types import Goal

VALUE_END = b"</value>"
INIT = '<call val="Init"><option val="none"/></call>'
ABOUT = '<call val="About"><unit/></call>'
GOAL = '<call val="Goal"><unit/></call>'
STATUS = '<call val="Status"><bool val="false"/></call>'

_TAG = re.compile("<[^>]*>")
_STATE_ID = re.compile('<state_id val="([0-9]+)"/>')
_ACCEPTED = re.compile('<value val="good"><pair><state_id val="([0-9]+)"/><union')
_LOCATION = re.compile('loc_s="([0-9]+)" loc_e="([0-9]+)"')
_MESSAGE = re.compile('<message><message_level val="([a-z]+)"[^>]*/?>(.*?)</message>', re.DOTALL)
# Control characters, and two code points that XML does not allow (U+FFFE, U+FFFF), in UTF-8.
_PRINTABLE = bytes(c if c >= 0x20 or c in b"\t\n\r" else ord("?") for c in range(256))
_FORBIDDEN = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")
_NO_OTHERS = "<list/><list/><list/>"


@dataclass(frozen=True, slots=True)
class Failure:
    """Coq refused a call.

    Attributes:
        message: Coq's error message.
        span: Byte offsets into the sentence, if Coq gives them.
        safe_state: The last state Coq executed; 0 if nothing was executed (a syntax error).
    """

    message: str
    span: tuple[int, int] | None = None
    safe_state: int = 0


@dataclass(frozen=True, slots=True)
class Goals:
    """The goals of an open proof.

    Attributes:
        focused: The goals that tactics act on, in order.
        background: Goals outside the focus (bullets and braces), innermost level first.
        num_shelved: Number of shelved goals; Qed refuses them.
        num_given_up: Number of admitted goals; Qed refuses them.
    """

    focused: tuple[Goal, ...]
    background: tuple[Goal, ...] = ()
    num_shelved: int = 0
    num_given_up: int = 0

    @property
    def complete(self) -> bool:
        """Whether no goal of any kind remains. Only Qed decides whether that is a proof."""
        return not (self.focused or self.background or self.num_shelved or self.num_given_up)


def add(text: str, tip: int) -> str:
    """Append one sentence to the document after state `tip` (the format of Coq 8.15 and later)."""
    return (
        f'<call val="Add"><pair><pair><pair><pair><string>{escape(text)}</string><int>1</int></pair>'
        f'<pair><state_id val="{tip}"/><bool val="false"/></pair></pair><int>0</int></pair>'
        "<pair><int>0</int><int>0</int></pair></pair></call>"
    )


def edit_at(state: int) -> str:
    """Go back to a state and drop everything after it."""
    return f'<call val="Edit_at"><state_id val="{state}"/></call>'


def query(text: str, state: int) -> str:
    """Run a sentence at a state for its messages only."""
    return (
        f'<call val="Query"><pair><route_id val="0"/><pair><string>{escape(text)}</string>'
        f'<state_id val="{state}"/></pair></pair></call>'
    )


def split_values(answer: bytes) -> list[str]:
    """One string for each answered call: its feedback followed by its value.

    Coq prints string literals with any character in them. Characters that XML forbids become `?`.
    """
    for forbidden in _FORBIDDEN:
        answer = answer.replace(forbidden, b"?")
    answer = answer.translate(_PRINTABLE)
    return answer.decode(errors="replace").split("</value>")[:-1]


def failure(value: str) -> Failure | None:
    """The failure that a value reports, or None."""
    begin = value.rfind('<value val="fail"')
    if begin < 0:
        return None
    body = value[begin:]
    head, _, message = body.partition("<richpp>")
    state, span = _STATE_ID.search(head), _LOCATION.search(head)
    return Failure(
        message=plain(message).strip(),
        span=(int(span[1]), int(span[2])) if span else None,
        safe_state=int(state[1]) if state else 0,
    )


def added_state(value: str) -> int:
    """The id of the state after an accepted `Add`."""
    match = _ACCEPTED.search(value)
    if match is None:
        raise ValueError(f"not an answer to Add: {value[-200:]}")
    return int(match[1])


def is_added(value: str) -> bool:
    """Whether a value accepts an `Add`."""
    return _ACCEPTED.search(value) is not None


def goals(value: str) -> Goals | None:
    """The answer to `Goal`: None if no proof is open."""
    begin = value.find("<goals>", value.rfind("<value"))
    if begin < 0:
        return None
    begin += len("<goals>")
    end = value.rindex("</goals>")
    if value.startswith("<list/>", begin):
        focused: tuple[Goal, ...] = ()
        others_begin = begin + len("<list/>")
    else:
        others_begin = value.index("</goal></list>", begin) + len("</goal></list>")
        focused = _read_goals(value[begin:others_begin])
    others = value[others_begin:end]
    return Goals(focused) if others == _NO_OTHERS else _with_others(focused, others)


def messages(value: str, level: str = "notice") -> list[str]:
    """Texts of the messages of one level in the feedback before a value."""
    end = value.rfind("<value")
    found = _MESSAGE.finditer(value, 0, end if end >= 0 else len(value))
    return [plain(m[2][m[2].find("<richpp>") :]) for m in found if m[1] == level]


def plain(markup: str) -> str:
    """Text of a richpp element."""
    return html.unescape(_TAG.sub("", markup).replace("&nbsp;", " "))


def version(value: str) -> str:
    """The answer to `About`: Coq's version, as in `8.16.1`."""
    match = re.search("<coq_info><string>(.*?)</string>", value)
    return match[1] if match else ""


def status(value: str) -> tuple[tuple[str, ...], str | None]:
    """The answer to `Status`: path of the current module and section, name of the open proof."""
    begin = value.rfind("<status>")
    root = ElementTree.fromstring(value[begin : value.rindex("</status>") + len("</status>")])
    path, proof = root[0], root[1].find("string")
    return tuple(s.text or "" for s in path), (proof.text if proof is not None else None)


def _read_goals(markup: str) -> tuple[Goal, ...]:
    # One pass strips all tags; the two that matter become control characters, which no answer contains.
    marked = markup.replace("&nbsp;", " ").replace("<goal>", "\x02").replace("<richpp>", "\x01")
    text = _TAG.sub("", marked)
    if "&" in text:
        text = html.unescape(text)
    return tuple(_read_goal(goal) for goal in text.split("\x02")[1:])


def _read_goal(text: str) -> Goal:
    _, *hypotheses, conclusion = text.split("\x01")
    return Goal(tuple(hypotheses), conclusion)


def _with_others(focused: tuple[Goal, ...], markup: str) -> Goals:
    tree = ElementTree.fromstring(f"<others>{markup.replace('&nbsp;', ' ')}</others>")
    background, shelved, given_up = tree
    # A level is a pair: the goals before and after the focused one.
    unfocused: list[ElementTree.Element] = [goal for level in background for half in level for goal in half]
    return Goals(focused, tuple(_from_tree(goal) for goal in unfocused), len(shelved), len(given_up))


def _from_tree(goal: ElementTree.Element) -> Goal:
    _, hypotheses, conclusion, *_ = goal
    return Goal(tuple("".join(h.itertext()) for h in hypotheses), "".join(conclusion.itertext()))


def join(calls: Sequence[str]) -> bytes:
    """Several calls as one write."""
    return "".join(calls).encode()
