"""Commands: text to messages, sorries and a new environment."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from kernel import KernelError, check
from syntax import COMMANDS, ParseError, Reader, closure, show, signature, tokenize
from tactics import Goal, State, TacticFailedError, Tactics, proof_term, rest, split_block

MODULES = frozenset({"Init", "Lean", "Std", "Mathlib", "Mathlib.Tactic", "Aesop", "Batteries"})


@dataclass(frozen=True)
class Env:
    """What has been declared: full name to (formula, axioms), with the open namespaces."""

    constants: dict = field(default_factory=dict)
    inside: tuple = ()
    opened: tuple = ()

    def __contains__(self, name):
        return name in self.constants

    def __getitem__(self, name):
        return self.constants[name]

    def resolve(self, name):
        """Full names that a name may stand for, the innermost first."""
        if name.startswith("_root_."):
            return [name.removeprefix("_root_.")]
        prefixes = [".".join(self.inside[:n]) for n in range(len(self.inside), -1, -1)]
        return [f"{p}.{name}".removeprefix(".") for p in (*prefixes, *self.opened)]

    def full_name(self, name):
        if name.startswith("_root_."):
            return name.removeprefix("_root_.")
        return ".".join((*self.inside, name))


@dataclass
class Result:
    """What one request made: Lean's messages, and the states of its sorries."""

    env: Env
    messages: list = field(default_factory=list)
    sorries: list = field(default_factory=list)  # (state, position)
    tactics: list = field(default_factory=list)  # what was run, as tactics.Elaborated

    def say(self, severity, data, tok):
        position = {"line": tok.line, "column": tok.column}
        end = {"line": tok.line, "column": tok.column + len(tok.text)}
        self.messages.append({"severity": severity, "pos": position, "endPos": end, "data": data})

    @property
    def failed(self):
        return any(message["severity"] == "error" for message in self.messages)


MODIFIERS = {"@", "private", "protected", "noncomputable", "nonrec"}


def run(text, env, imports_allowed):
    """Elaborate commands one after the other; what is no command is skipped with an error, as in Lean."""
    result = Result(env)
    try:
        toks = tokenize(text)
    except ParseError as error:
        result.say("error", str(error), tokenize("x")[0])
        return result
    pieces = split_commands(without_modifiers(toks))
    for index, piece in enumerate(pieces):
        head = piece[0].text
        if head == "import" and (not imports_allowed or any(p[0].text != "import" for p in pieces[:index])):
            result.say(
                "error", "invalid 'import' command, it must be used in the beginning of the file", piece[0]
            )
            continue
        handler = HANDLERS.get(head)
        if handler is None:
            result.say("error", f"unexpected token '{head}'; expected command", piece[0])
            continue
        try:
            handler(piece, result)
        except (ParseError, TacticFailedError) as error:
            result.say("error", str(error), piece[0])
        except KernelError as error:
            result.say("error", f"(kernel) {error}", piece[0])
    return result


def without_modifiers(toks):
    """Leave out attributes and modifiers at the beginning of a line: they change nothing here."""
    kept, index = [], 0
    while index < len(toks):
        if toks[index].first:
            while index < len(toks) and toks[index].text in MODIFIERS:
                index += 1
                if toks[index - 1].text == "@":
                    texts = [tok.text for tok in toks[index:]]
                    index += texts.index("]") + 1 if "]" in texts else 0
        kept += toks[index : index + 1]
        index += 1
    return kept


def split_commands(toks):
    pieces = []
    for index, tok in enumerate(toks):
        following = toks[index + 1].text if index + 1 < len(toks) else ""
        before = toks[index - 1].text if index else ""
        # `set_option .. in` and `open .. in` belong to what follows; attributes to the declaration.
        in_tactic = tok.text in ("set_option", "open") and pieces and not tok.first
        begins = tok.text in COMMANDS and not in_tactic and before != "in" and following != "✝"
        if begins or not pieces:
            pieces.append([])
        pieces[-1].append(tok)
    return pieces


def cmd_import(piece, result):
    """A module of the project is elaborated instead of loaded."""
    module = piece[1].text
    path = Path(module.replace(".", "/") + ".lean")
    if path.is_file():
        found = run(path.read_text(encoding="utf-8"), Env(), True).env.constants
        result.env = replace(result.env, constants={**result.env.constants, **found})
    elif module not in MODULES:
        result.say(
            "error",
            f"unknown module prefix '{module}'\n\nNo directory '{module}' in the search path",
            piece[0],
        )


def cmd_open(piece, result):
    names = tuple(tok.text for tok in piece[1:])
    if "in" in names:
        raise ParseError("open .. in is not supported here")
    result.env = replace(result.env, opened=result.env.opened + names)


def cmd_namespace(piece, result):
    result.env = replace(result.env, inside=(*result.env.inside, *piece[1].text.split(".")))


def cmd_end(piece, result):
    if not result.env.inside:
        raise ParseError("invalid 'end', insufficient scopes")
    result.env = replace(result.env, inside=result.env.inside[:-1])


def cmd_nothing(piece, result):
    """Accepted and without effect on this small language."""


def cmd_axiom(piece, result):
    reader = Reader(piece[1:])
    name = result.env.full_name(reader.next())
    context, formula = signature(reader)
    declare(result, name, closure(context, formula), {name})


def cmd_theorem(piece, result):
    keyword, *toks = piece
    reader = Reader(toks)
    name = "_example" if keyword.text == "example" else reader.next()
    full = result.env.full_name(name)
    if full in result.env:
        raise ParseError(f"'{full}' has already been declared")
    context, formula = signature(reader)
    reader.expect(":=")
    state = State((Goal(0, context, formula),))
    tactics = Tactics(result.env, result.tactics, state.goals[0])
    if reader.take("by"):
        state = run_by(tactics, state, reader, result, toks)
    else:
        state = state_of_term(tactics, state, reader, result, toks)
    errors = [*state.errors]
    if state.goals:
        errors.append("unsolved goals\n" + "\n\n".join(map(str, state.goals)))
    for error in errors:
        result.say("error", error, keyword)
    if errors or result.failed:
        return
    axioms = check(result.env, context, proof_term(state), formula)
    if "sorryAx" in axioms:
        result.say("warning", f"declaration uses {SORRY_QUOTE}sorry{SORRY_QUOTE}", toks[0])
    if keyword.text != "example":
        declare(result, full, closure(context, formula), axioms)


SORRY_QUOTE = "`"


def run_by(tactics, state, reader, result, toks):
    for piece in split_block(rest(reader)):
        if piece[0].text == "sorry" and len(piece) == 1 and state.goals:
            goal = state.goals[0]
            result.sorries.append((State((replace(goal, hole=0),)), piece[0]))
        state = tactics.run(piece, state)
    return state


def state_of_term(tactics, state, reader, result, toks):
    if reader.peek() == "sorry":
        result.sorries.append((state, reader.toks[reader.at]))
    return tactics.tac_exact(reader, state)


def declare(result, name, formula, axioms):
    result.env = replace(result.env, constants={**result.env.constants, name: (formula, frozenset(axioms))})


# What the kernel has built in: type, and whether that is a proposition.
BUILT_IN = {
    "And.intro": ("∀ {a b : Prop}, a → b → a ∧ b", True),
    "Or.inl": ("∀ {a b : Prop}, a → a ∨ b", True),
    "Or.inr": ("∀ {a b : Prop}, b → a ∨ b", True),
    "And.left": ("∀ {a b : Prop}, a ∧ b → a", True),
    "And.right": ("∀ {a b : Prop}, a ∧ b → b", True),
    "True.intro": ("True", True),
    "rfl": ("∀ {α : Sort u_1} {a : α}, a = a", True),
    "False.elim": ("{C : Sort u_1} → False → C", False),
}


def cmd_check(piece, result):
    """`#check @name`, or `#check And.intro @name trivial`, which is an error unless the name is a proof's."""
    names = [tok.text for tok in piece[1:] if tok.text != "@"]
    is_asked = len(names) == 3 and names[0] == "And.intro" and names[2] == "trivial"
    name = names[1 if is_asked else -1]
    full = next((f for f in result.env.resolve(name) if f in result.env or f in BUILT_IN), None)
    if full is None:
        result.say("error", f"Unknown identifier `{name}`", piece[0])
        return
    in_env = full in result.env
    said, is_proof = (show(result.env[full][0]), True) if in_env else BUILT_IN[full]
    if is_asked and not is_proof:
        result.say("error", f"type mismatch: {full} has type {said} : Type", piece[0])
        return
    shown = f"And.intro {full} trivial : ({said}) ∧ True" if is_asked else f"{full} : {said}"
    result.say("info", shown, piece[0])


def cmd_print(piece, result):
    if piece[1].text != "axioms":
        raise ParseError("only #print axioms")
    full = next((f for f in result.env.resolve(piece[2].text) if f in result.env), None)
    if full is None:
        result.say("error", f"unknown constant '{piece[2].text}'", piece[0])
        return
    axioms = sorted(result.env[full][1])
    said = f"depends on axioms: [{', '.join(axioms)}]" if axioms else "does not depend on any axioms"
    result.say("info", f"'{full}' {said}", piece[0])


HANDLERS = dict.fromkeys(("theorem", "lemma", "example"), cmd_theorem)
HANDLERS |= {"axiom": cmd_axiom, "import": cmd_import, "open": cmd_open, "namespace": cmd_namespace}
HANDLERS |= {"end": cmd_end, "#check": cmd_check, "#print": cmd_print}
HANDLERS |= dict.fromkeys(("set_option", "section", "variable", "attribute", "#eval"), cmd_nothing)


def dump(env):
    return json.dumps(
        [[n, f, sorted(a)] for n, (f, a) in env.constants.items()] + [[list(env.inside), list(env.opened)]]
    )


def load(text):
    *constants, (inside, opened) = json.loads(text)
    return Env({n: (_tuple(f), frozenset(a)) for n, f, a in constants}, tuple(inside), tuple(opened))


def _tuple(value):
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
