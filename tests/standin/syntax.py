"""Text to formulas, terms and tactic blocks, in the layout and notation of Lean, and formulas back to
text."""

import re
from dataclasses import dataclass

from kernel import FALSE, TRUE, names, neg

TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*)|(?P<open>/-)|(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<word>[A-Za-z_α-ωℕ\u0370-\u03ff][\w'!?✝]*(?:\.[A-Za-z_1-9][\w'!?]*)*)
    |(?P<number>\d+)|(?P<symbol>:=|=>|<;>|->|<->|/\\|\\/|.)""",
    re.X | re.S,
)
_COMMANDS = """theorem lemma example axiom import open namespace section end set_option #check #print #eval
    variable def macro notation syntax elab instance attribute local"""
COMMANDS = frozenset(_COMMANDS.split())


class ParseError(Exception):
    """The text is not in the language."""


@dataclass(frozen=True)
class Tok:
    text: str
    line: int
    column: int
    first: bool  # on its line


def tokenize(text):
    found, position, line, start, first = [], 0, 1, 0, True
    while position < len(text):
        match = TOKEN.match(text, position)
        piece = match[0]
        if match.lastgroup == "open":
            depth, end = 0, position
            for edge in re.compile(r"/-|-/").finditer(text, position):
                depth += 1 if edge[0] == "/-" else -1
                end = edge.end()
                if depth == 0:
                    break
            if depth:
                raise ParseError("unterminated comment")
            piece = text[position:end]
        elif match.lastgroup != "blank":
            if piece == '"':
                raise ParseError("unterminated string literal")
            if piece == "#" and (word := re.compile(r"\w+").match(text, position + 1)):
                piece += word[0]
            found.append(Tok(piece, line, position - start, first))
            first = False
        if "\n" in piece:
            line += piece.count("\n")
            start = position + piece.rfind("\n") + 1
            first = True
        position += len(piece)
    return found


class Reader:
    """Tokens read from left to right."""

    def __init__(self, toks):
        self.toks, self.at = list(toks), 0

    def peek(self):
        return self.toks[self.at].text if self.at < len(self.toks) else None

    def next(self):
        if self.at >= len(self.toks):
            raise ParseError("unexpected end of input")
        self.at += 1
        return self.toks[self.at - 1].text

    def take(self, *texts):
        if self.peek() in texts:
            return self.next()
        return None

    def expect(self, text):
        if self.peek() != text:
            raise ParseError(f"unexpected token '{self.peek()}'; expected '{text}'")
        return self.next()

    def done(self):
        if self.peek() is not None:
            raise ParseError(f"unexpected token '{self.peek()}'; expected end of input")


INFIX = {  # token: (kind, left power, right power)
    "↔": ("iff", 21, 21),
    "<->": ("iff", 21, 21),
    "→": ("imp", 26, 25),
    "->": ("imp", 26, 25),
    "∨": ("or", 31, 30),
    "\\/": ("or", 31, 30),
    "∧": ("and", 36, 35),
    "/\\": ("and", 36, 35),
    "=": ("eq", 51, 51),
    "≠": ("ne", 51, 51),
    "+": ("add", 65, 66),
    "*": ("mul", 70, 71),
}


def expression(reader, power=0):
    """A formula or natural, variables as ("name", x) until `resolve` knows their sort."""
    left = prefix(reader)
    while (entry := INFIX.get(reader.peek())) and entry[1] > power:
        reader.next()
        kind, _, right_power = entry
        right = expression(reader, right_power - (kind in ("imp", "or", "and")))
        left = neg(("eq", left, right)) if kind == "ne" else (kind, left, right)
    return left


def prefix(reader):
    token = reader.next()
    if token == "(":
        inner = expression(reader)
        reader.expect(")")
        return inner
    if token == "¬":
        return neg(expression(reader, 40))
    if token == "∀":
        parenthesised = reader.take("(")
        variables = []
        while reader.peek() not in (":", None):
            variables.append(reader.next())
        reader.expect(":")
        sort = sort_of(reader.next())
        if parenthesised:
            reader.expect(")")
        reader.expect(",")
        body = expression(reader)
        for variable in reversed(variables):
            body = ("all", variable, sort, body)
        return body
    if token == "True":
        return TRUE
    if token == "False":
        return FALSE
    if token.isdigit():
        return ("num", int(token))
    if re.match(r"[^\W\d]", token):
        return ("name", token)
    raise ParseError(f"unexpected token '{token}'; expected term")


def sort_of(text):
    sort = {"Prop": "Prop", "Nat": "Nat", "ℕ": "Nat"}.get(text)
    if sort is None:
        raise ParseError(f"unknown sort {text}")
    return sort


def resolve(thing, context):
    """Give every name its kind, and check that formulas and naturals stand where they may."""
    resolved, sort = _resolve(thing, context)
    return resolved, sort


def _resolve(thing, context):
    match thing:
        case ("name", name):
            sort = context.get(name)
            if sort not in ("Prop", "Nat"):
                raise ParseError(f"Unknown identifier `{name}`")
            return ("atom" if sort == "Prop" else "var", name), sort
        case ("num", _):
            return thing, "Nat"
        case ("all", name, sort, body):
            return ("all", name, sort, _expect(body, {**context, name: sort}, "Prop")), "Prop"
        case ("eq", left, right):
            return ("eq", _expect(left, context, "Nat"), _expect(right, context, "Nat")), "Prop"
        case (("add" | "mul") as kind, left, right):
            return (kind, _expect(left, context, "Nat"), _expect(right, context, "Nat")), "Nat"
        case (kind, left, right):
            return (kind, _expect(left, context, "Prop"), _expect(right, context, "Prop")), "Prop"
    return thing, "Prop"


def _expect(thing, context, sort):
    resolved, found = _resolve(thing, context)
    if found != sort:
        raise ParseError(
            f"type mismatch: {show(resolved)} has type {found} but is expected to have type {sort}"
        )
    return resolved


def signature(reader):
    """Binders and type of a declaration: (context, formula)."""
    context = {}
    while reader.peek() in ("(", "{"):
        close = {"(": ")", "{": "}"}[reader.next()]
        variables = []
        while reader.peek() not in (":", None):
            variables.append(reader.next())
        reader.expect(":")
        if reader.peek() in ("Prop", "Nat", "ℕ"):
            kind = sort_of(reader.next())
        else:
            kind = _expect(expression(reader), context, "Prop")
        reader.expect(close)
        for variable in variables:
            context = {**context, variable: kind}
    reader.expect(":")
    return context, _expect(expression(reader), context, "Prop")


def closure(context, formula):
    """The formula under its context, as a constant has it."""
    for name, kind in reversed(context.items()):
        formula = ("all", name, kind, formula) if kind in ("Prop", "Nat") else ("imp", kind, formula)
    return formula


SHOWN = {"iff": (" ↔ ", 20), "imp": (" → ", 25), "or": (" ∨ ", 30), "and": (" ∧ ", 35), "eq": (" = ", 50)}
SHOWN |= {"add": (" + ", 65), "mul": (" * ", 70)}


def show(thing, power=0):
    match thing:
        case ("atom" | "var" | "name", name):
            return name
        case ("num", value):
            return str(value)
        case ("true",):
            return "True"
        case ("false",):
            return "False"
        case ("imp", ("eq", left, right), ("false",)):
            text, own = f"{show(left, 50)} ≠ {show(right, 50)}", 50
        case ("imp", inner, ("false",)):
            text, own = f"¬{show(inner, 40)}", 40
        case ("all", name, sort, body):
            text, own = f"∀ ({name} : {sort}), {show(body)}", 1
        case (kind, left, right):
            sign, own = SHOWN[kind]
            leftward = kind in ("add", "mul")
            rightward = kind in ("imp", "or", "and")
            text = f"{show(left, own - leftward)}{sign}{show(right, own - rightward)}"
    return f"({text})" if own <= power else text


def show_goal(context, target, tag=""):
    lines = [f"case {tag}"] if tag else []
    for name, kind in context.items():
        shown = kind if kind in ("Prop", "Nat") else show(kind)
        lines.append(f"{name} : {shown}")
    return "\n".join([*lines, f"⊢ {show(target)}"])


def used_names(thing):
    return names(thing)
