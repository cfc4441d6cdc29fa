"""Coq's lexical syntax, and the guard that every tactic must pass before it is sent to Coq."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ntp.types import Rejected, Span

_BLANK = " \t\r\n"
_BLANKS = re.compile(r"[ \t\r\n]*")
_NOTABLE = re.compile(r'"|\(\*|\.+')
_IN_COMMENT = re.compile(r'"|\(\*|\*\)')
_BULLET = re.compile(r"-+|\++|\*+")
_BRACE = re.compile(r"\{(?!\|)|\}")
_GOAL = re.compile(r"[0-9]+|\[[^\W\d][\w'.]*\]")
# What may stand before any command, tactic or brace, with the argument that it takes.
_PREFIX = re.compile(r"(Time|Succeed|Fail|Instructions|Profile|Timeout|Redirect)(?![\w'])")
_ARGUMENT = {"Timeout": re.compile(r"[0-9]+"), "Redirect": re.compile(r'"[^"]*"')}
_CHANGES_DIRECTORY = re.compile(r'Cd\s*"')
_WITHOUT_EFFECT = ("Succeed", "Fail")


class CoqSyntaxError(ValueError):
    """A text that ends inside a sentence, comment or string.

    Attributes:
        offset: Where that sentence, comment or string begins.
    """

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} is not closed")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: `text` is the source in `span`, with its terminator, without blanks around it."""

    span: Span
    text: str


def sentences(source: str, begin: int = 0) -> Iterator[Sentence]:
    """Cut `source[begin:]` into sentences, skipping blanks and comments between them.

    Raises:
        CoqSyntaxError: The text ends inside a sentence, comment or string.
    """
    position = skip_blanks(source, begin)
    while position < len(source):
        end = _sentence_end(source, position)
        yield Sentence(Span(position, end), source[position:end])
        position = skip_blanks(source, end)


def skip_blanks(source: str, begin: int = 0) -> int:
    """Offset of the first character at or after `begin` that is neither blank nor in a comment.

    Raises:
        CoqSyntaxError: A comment is not closed.
    """
    position = begin
    while True:
        match = _BLANKS.match(source, position)
        assert match is not None  # it matches the empty string
        position = match.end()
        if not source.startswith("(*", position):
            return position
        position = _comment_end(source, position)


@dataclass(frozen=True, slots=True)
class Prefixes:
    """The control prefixes (`Time`, `Timeout 5`, `Fail`, ...) and attributes (`#[...]`) of a sentence.

    Attributes:
        end: Offset of what they apply to.
        undone: Whether the sentence leaves everything as it is, as with `Fail` and `Succeed`.
    """

    end: int
    undone: bool


def read_prefixes(source: str, begin: int = 0) -> Prefixes:
    """Read the prefixes of the sentence at `begin`, with the blanks and comments after each.

    Raises:
        CoqSyntaxError: A comment, a string or an attribute is not closed.
    """
    position, undone = begin, False
    while True:
        if source.startswith("#[", position):
            position = skip_blanks(source, _attributes_end(source, position))
            continue
        match = _PREFIX.match(source, position)
        if match is None:
            return Prefixes(position, undone)
        end = skip_blanks(source, match.end())
        argument = _ARGUMENT.get(match[1])
        if argument is not None:
            given = argument.match(source, end)
            if given is None:
                return Prefixes(position, undone)
            end = skip_blanks(source, given.end())
        undone = undone or match[1] in _WITHOUT_EFFECT
        position = end


def executable(text: str) -> str:
    """What to execute for a trusted sentence of a file.

    Provers run in a directory of their own, which has none of those that a file may change to.
    """
    return "Cd." if _CHANGES_DIRECTORY.match(text, read_prefixes(text).end) else text


def is_structure(text: str) -> bool:
    """Whether a sentence is a bullet or a brace, which structure a proof but are not tactics."""
    return _structure_end(text, 0) == len(text)


def position_of(source: str, offset: int) -> tuple[int, int]:
    """Line and column, both counted from 1, of a character offset."""
    line = source.count("\n", 0, offset) + 1
    return line, offset - source.rfind("\n", 0, offset)


def _sentence_end(source: str, begin: int) -> int:
    structure = _structure_end(source, begin)
    if structure is not None:
        return structure
    # Behind the prefixes, so that a sentence is never cut inside an attribute.
    position = read_prefixes(source, begin).end
    while match := _NOTABLE.search(source, position):
        token, position = match[0], match.end()
        if token == '"':
            position = _string_end(source, match.start())
        elif token == "(*":
            position = _comment_end(source, match.start())
        elif _ends_sentence(source, token, position):
            return position
    raise CoqSyntaxError("the sentence", begin)


def _structure_end(source: str, begin: int) -> int | None:
    """End of the bullet, or of the brace with prefixes and goal selector, at `begin`; None without."""
    bullet = _BULLET.match(source, begin)
    if bullet:
        return bullet.end()
    begin = read_prefixes(source, begin).end
    match = _BRACE.match(source, begin)
    goal = None if match else _GOAL.match(source, begin)
    if goal is not None:
        colon = skip_blanks(source, goal.end())
        if source.startswith(":", colon):
            match = _BRACE.match(source, skip_blanks(source, colon + 1))
    return None if match is None or (goal and match[0] == "}") else match.end()


def _attributes_end(source: str, begin: int) -> int:
    end, depth = begin + 1, 0
    while end < len(source):
        character = source[end]
        if character == '"':
            end = _string_end(source, end)
            continue
        depth += (character == "[") - (character == "]")
        end += 1
        if depth == 0:
            return end
    raise CoqSyntaxError("the attribute", begin)


def _ends_sentence(source: str, dots: str, end: int) -> bool:
    # `..` is part of recursive notations; `.` before anything but a blank is part of a name or a number.
    if len(dots) == 2:
        return False
    return len(dots) >= 3 or end == len(source) or source[end] in _BLANK


def _string_end(source: str, begin: int) -> int:
    # A doubled quote inside a string is read as the end of one string and the beginning of another.
    end = source.find('"', begin + 1)
    if end < 0:
        raise CoqSyntaxError("the string", begin)
    return end + 1


def _comment_end(source: str, begin: int) -> int:
    depth, position = 1, begin + 2
    while depth:
        match = _IN_COMMENT.search(source, position)
        if match is None:
            raise CoqSyntaxError("the comment", begin)
        position = match.end()
        if match[0] == '"':
            position = _string_end(source, match.start())
        else:
            depth += 1 if match[0] == "(*" else -1
    return position


MAX_CHARACTERS = 16384

# Control characters, lone surrogates and non-characters break Coq's XML parser or ours.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_SELECTOR = re.compile(r"(?:all|par|!|[0-9][0-9,\s-]*|\[\s*[^\W\d][\w']*\s*\])\s*:(?!=)\s*")
# The only commands that Coq's grammar allows after a selector. They do not change the state.
_QUERY = re.compile(
    r"(About|Check|Compute|Eval|Locate|Print|Search|SearchPattern|SearchRewrite|Show|Type)(?![\w'.])"
)
_PLAIN_OPENING = re.compile(r"Proof\s*\.")
_CLOSING = re.compile(r"(?:Qed|Defined)\s*\.")
_CHEATS = re.compile(r"(?<![\w'.])(admit|give_up|native_compute|native_cast_no_check)(?![\w'])")


def guard(text: str) -> str | Rejected:
    """From a tactic that a model wrote, the text to send to Coq, or the reason why it is refused."""
    reason = unreadable(text)
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


def guard_sentence(text: str) -> str | Rejected:
    """As `guard`, for a sentence of a whole script, which may be a bullet or a brace too."""
    stripped = text.strip()
    if is_structure(stripped) and not read_prefixes(stripped).end:
        return stripped
    return guard(text)


def read_script(text: str, opening: str = "") -> list[str] | Rejected:
    """The sentences of a whole proof script, without those that open and close the proof.

    Args:
        text: The script, hostile. It may begin with `Proof.` and end in `Qed.` or `Defined.`.
        opening: The sentence that opens the proof in its file, which the script may repeat.

    Returns:
        Sentences that no guard has seen yet, or why the script is refused.
    """
    reason = unreadable(text)
    if reason:
        return Rejected(reason)
    try:
        found = [sentence.text for sentence in sentences(text)]
    except CoqSyntaxError as error:
        return Rejected(f"not whole sentences: {error}")
    if found and (_PLAIN_OPENING.fullmatch(found[0]) or found[0].split() == opening.split()):
        found = found[1:]
    if found and _CLOSING.fullmatch(found[-1]):
        found = found[:-1]
    return found if found else Rejected("holds no sentence")


def unreadable(text: str) -> str:
    """Why a text that a model wrote cannot be sent at all; empty if it can."""
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
