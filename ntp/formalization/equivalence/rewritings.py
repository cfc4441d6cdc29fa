"""Seeded changes of a statement's text: some keep what it says, the others nearly always change it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ntp.formalization.equivalence.telescope import (
    Item,
    Telescope,
    names,
    outermost,
    parse,
    relation,
    symbols,
)

Rewriting = Callable[[Telescope, random.Random], Telescope | None]

_NUM_SWAPS = 12
_MIN_COMPOSED = 2
_NEGATED = {
    "=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<", "/\\": "\\/", "\\/": "/\\",
}  # fmt: skip
_NUMBERS = {"nat", "Z", "N", "positive"}


def permute(statement: Telescope, rng: random.Random) -> Telescope | None:
    """Hypotheses, and binders that do not depend on each other, in another order."""
    if not statement.hypotheses:
        return None
    items = list(statement.items)
    for _ in range(_NUM_SWAPS):
        index = rng.randrange(max(1, len(items) - 1))
        if index + 1 < len(items) and _may_swap(items[index], items[index + 1]):
            items[index], items[index + 1] = items[index + 1], items[index]
    return _changed(statement, items)


def rename(statement: Telescope, rng: random.Random) -> Telescope | None:
    """Other names for all leading bound variables, in the same way wherever they stand."""
    bound = list(dict.fromkeys(item.name for item in statement.items if item.name))
    text = str(statement)
    fresh = [f"{letter}{i}" for i in range(1, 4) for letter in "uvwxyz"]
    fresh = [name for name in fresh if name not in names(text)]
    if not bound or len(fresh) < len(bound):
        return None
    new = dict(zip(bound, rng.sample(fresh, len(bound)), strict=True))
    return parse(_replaced(text, new))


def turn_equation(statement: Telescope, rng: random.Random) -> Telescope | None:
    """One equation, inequality or equivalence, of the conclusion or a hypothesis, read from right to left."""
    places = [None, *statement.hypotheses]
    rng.shuffle(places)
    for place in places:
        text = statement.conclusion if place is None else _inside(statement.items[place].text)
        found = relation(text, ("=", "<>", "<->"))
        if found is not None:
            left, right = text[: found.span.begin].strip(), text[found.span.end :].strip()
            turned = f"{right} {found.text} {left}"
            if left != right and not _is_open(right):
                return _with(statement, place, turned if place is None else f"({turned})")
    return None


def curry(statement: Telescope, rng: random.Random) -> Telescope | None:
    """A hypothesis that is a conjunction as two, or two that follow one another as a conjunction."""
    items = statement.items
    choices: list[tuple[Item, ...]] = []
    for index, item in enumerate(items):
        if item.name:
            continue
        parts = _conjuncts(_inside(item.text))
        if parts:
            choices.append((*items[:index], *(Item("", f"({part})") for part in parts), *items[index + 1 :]))
        if index + 1 < len(items) and not items[index + 1].name:
            both = Item("", f"({item.text}) /\\ ({items[index + 1].text})")
            choices.append((*items[:index], both, *items[index + 2 :]))
    return replace(statement, items=rng.choice(choices)) if choices else None


def compose(statement: Telescope, rng: random.Random) -> Telescope | None:
    """Several of the above, one after the other."""
    changes = [permute, rename, turn_equation, curry]
    rng.shuffle(changes)
    made = 0
    for change in changes:
        changed = change(statement, rng)
        # What was put together is read again, so that the next change sees its parts.
        again = None if changed is None else parse(str(changed))
        if again is not None:
            statement, made = again, made + 1
    return statement if made >= _MIN_COMPOSED else None


def drop_hypothesis(statement: Telescope, rng: random.Random) -> Telescope | None:
    """One hypothesis fewer."""
    if not statement.hypotheses:
        return None
    index = rng.choice(statement.hypotheses)
    return replace(statement, items=(*statement.items[:index], *statement.items[index + 1 :]))


def flip_relation(statement: Telescope, rng: random.Random) -> Telescope | None:
    """One relation of the conclusion as its opposite; `and` and `or` for each other."""
    found = [token for token in symbols(statement.conclusion) if token.text in _NEGATED]
    if not found:
        return None
    token = rng.choice(found)
    text = statement.conclusion
    text = f"{text[: token.span.begin]}{_NEGATED[token.text]}{text[token.span.end :]}"
    return replace(statement, conclusion=text)


def off_by_one(statement: Telescope, rng: random.Random) -> Telescope | None:
    """A number in the conclusion, or one occurrence of a variable that is one, larger by one."""
    kinds = {item.name: item.text for item in statement.items if item.text in _NUMBERS}
    text = statement.conclusion
    found = [t for t in symbols(text) if t.kind == "number" or t.text in kinds]
    if not found:
        return None
    token = rng.choice(found)
    if token.kind == "number":
        larger = str(int(token.text) + 1)
    else:
        larger = f"(S {token.text})" if kinds[token.text] == "nat" else f"({token.text} + 1)"
        larger = larger if kinds[token.text] == "nat" else f"{larger}%{kinds[token.text]}"
    return replace(statement, conclusion=f"{text[: token.span.begin]}{larger}{text[token.span.end :]}")


def swap_quantifier(statement: Telescope, rng: random.Random) -> Telescope | None:
    """`exists` for `forall` or the reverse in the conclusion; or `exists` moved before a binder."""
    text = statement.conclusion
    choices: list[Telescope] = []
    for token in symbols(text):
        if token.text in ("exists", "forall"):
            other = "forall" if token.text == "exists" else "exists"
            changed = f"{text[: token.span.begin]}{other}{text[token.span.end :]}"
            choices.append(replace(statement, conclusion=changed))
    last = statement.items[-1] if statement.items else None
    found = text.startswith("exists ") and last is not None and last.name and last.text
    head, _, body = text.partition(", ") if found else ("", "", "")
    if last is not None and body and last.name not in names(head):
        swapped = f"{head}, forall {last.name} : {last.text}, {body}"
        choices.append(Telescope(statement.items[:-1], swapped))
    return rng.choice(choices) if choices else None


EQUIVALENT: Mapping[str, Rewriting] = {
    "permuted": permute,
    "renamed": rename,
    "turned": turn_equation,
    "curried": curry,
    "composed": compose,
}
DIFFERENT: Mapping[str, Rewriting] = {
    "dropped": drop_hypothesis,
    "flipped": flip_relation,
    "off_by_one": off_by_one,
    "quantifier": swap_quantifier,
}


def _may_swap(first: Item, second: Item) -> bool:
    if first.name and (second.mentions(first.name) or first.name == second.name):
        return False
    return not (second.name and first.mentions(second.name))


def _changed(statement: Telescope, items: Sequence[Item]) -> Telescope | None:
    order = [item.text for item in items if not item.name]
    before = [item.text for item in statement.items if not item.name]
    # A hypothesis must have moved past another, or past a binder.
    moved = order != before or [not item.name for item in items] != [not i.name for i in statement.items]
    return replace(statement, items=tuple(items)) if moved else None


def _replaced(text: str, new: Mapping[str, str]) -> str:
    for token in reversed(symbols(text)):
        if token.text in new:
            text = f"{text[: token.span.begin]}{new[token.text]}{text[token.span.end :]}"
    return text


def _with(statement: Telescope, place: int | None, text: str) -> Telescope:
    if place is None:
        return replace(statement, conclusion=text)
    items = (*statement.items[:place], Item("", text), *statement.items[place + 1 :])
    return replace(statement, items=items)


def _inside(text: str) -> str:
    """The text without parentheses around all of it."""
    found = list(outermost(text))
    return text[1:-1] if text.startswith("(") and text.endswith(")") and len(found) == 2 else text


def _is_open(text: str) -> bool:
    """Whether a text ends in something that reaches as far to the right as it can."""
    return any(token.text in {"forall", "exists", "fun", "let", "if"} for token in outermost(text))


def _conjuncts(text: str) -> tuple[str, str] | None:
    """Both sides of a conjunction; None if it is none, or has anything as loose beside it."""
    found = list(outermost(text))
    if any(t.text in ("->", "<->", "\\/", "forall", "exists", "fun", "let", "if") for t in found):
        return None
    token = next((t for t in found if t.text == "/\\"), None)
    return None if token is None else (text[: token.span.begin].strip(), text[token.span.end :].strip())
