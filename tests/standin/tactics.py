"""Tactics: they only fill holes of a proof term, which the kernel reads afterwards."""

from dataclasses import dataclass, field, replace

from kernel import (
    FALSE,
    KIND,
    KernelError,
    canonical,
    check,
    infer,
    neg,
    substitute,
)
from syntax import COMMANDS, ParseError, Reader, expression, resolve, show_goal

MAX_REPEATS = 1000


class TacticFailedError(Exception):
    """The tactic does not apply."""


class FaultError(Exception):
    """A tactic asked for a fault of the process."""

    def __init__(self, name):
        super().__init__(name)
        self.name = name


@dataclass(frozen=True)
class Goal:
    hole: int
    context: dict
    target: tuple
    tag: str = ""

    def __str__(self):
        return show_goal(self.context, self.target, self.tag)


@dataclass(frozen=True)
class State:
    """Goals, and the terms that holes have been given."""

    goals: tuple
    filled: dict = field(default_factory=dict)
    num_holes: int = 1
    sorries: tuple = ()
    errors: tuple = ()

    def fill(self, term, *targets):
        """Fill the first goal's hole; `targets` are the goals that replace it."""
        goal, *others = self.goals
        return replace(self, goals=(*targets, *others), filled={**self.filled, goal.hole: term})

    def new(self, context, target, tag=""):
        goal = Goal(self.num_holes, context, target, tag)
        return replace(self, num_holes=self.num_holes + 1), goal, ("hole", goal.hole)


def proof_term(state, term=("hole", 0)):
    """The term with every filled hole put in."""
    if term[0] == "hole":
        filled = state.filled.get(term[1])
        return proof_term(state, filled) if filled else term
    return tuple(
        proof_term(state, part) if isinstance(part, tuple) and part and part[0] in TERMS.split() else part
        for part in term
    )


TERMS = """hole lam pair inl inr case exfalso let triv refl dec native sorry unchecked hyp const em app inst
    fst snd symm trans"""


@dataclass
class Elaborated:
    """A tactic with its tokens, the state before it, and the constants in what it has filled."""

    toks: list
    state: State
    env: object
    root: Goal
    used: tuple = ()


# Combinators, which `allTactics` leaves out.
STRUCTURE = ("(", "·", ".")
# What terms of the kernel are called in Lean.
MADE_OF = {
    "pair": "And.intro", "fst": "And.left", "snd": "And.right", "inl": "Or.inl", "inr": "Or.inr",
    "case": "Or.casesOn", "exfalso": "False.elim", "triv": "True.intro", "refl": "rfl", "em": "Classical.em",
    "symm": "Eq.symm", "trans": "Eq.trans", "dec": "of_decide_eq_true", "sorry": "sorryAx",
}  # fmt: skip


def constants_in(term):
    """Names of the constants in a term."""
    if not isinstance(term, tuple) or not term:
        return set()
    if term[0] == "const":
        return {term[1]}
    found = {MADE_OF[term[0]]} if term[0] in MADE_OF else set()
    return found.union(*(constants_in(part) for part in term[1:]))


class Tactics:
    """Tactics over the constants of an environment; `trace` gathers what is run, for the goal `root`."""

    def __init__(self, env, trace=None, root=None):
        self.env, self.trace, self.root = env, trace, root

    def run_text(self, toks, state):
        """Run exactly one tactic, as the category `tactic` is parsed."""
        pieces = split_block(toks)
        if len(pieces) != 1:
            raise ParseError(
                "<input>:1:1: expected end of input" if pieces else "<input>:1:0: unexpected end of input"
            )
        return self.run(pieces[0], state)

    def run_block(self, toks, state):
        for piece in split_block(toks):
            state = self.run(piece, state)
        return state

    def run(self, toks, state):
        left, operator, right = split_at(toks, "<;>")
        if operator:
            others = state.goals[1:]
            after = self.run(left, replace(state, goals=state.goals[:1]))
            done = self.on_each(after.goals, after, lambda s: self.run(right, s))
            return replace(done, goals=(*done.goals, *others))
        reader = Reader(toks)
        head = reader.next()
        handler = getattr(self, "tac_" + NAMES.get(head, head), None)
        if head.startswith("standin_"):
            return self.standin(head, state)
        if handler is None or head.startswith("_"):
            raise ParseError(f"<input>:1:1: unknown tactic '{head}'")
        if not state.goals and head not in ("skip", "all_goals", "(", "try", "repeat"):
            raise TacticFailedError("No goals to be solved")
        entry = None
        if self.trace is not None and head not in STRUCTURE:
            entry = Elaborated(toks, state, self.env, self.root)
            self.trace.append(entry)
        result = handler(reader, state)
        reader.done()
        if entry is not None:
            filled = [term for hole, term in result.filled.items() if hole not in state.filled]
            entry.used = tuple(sorted(set().union(*map(constants_in, filled))))
        return result

    def on_each(self, goals, state, run):
        kept = []
        for goal in goals:
            state = run(replace(state, goals=(goal,)))
            kept += state.goals
        return replace(state, goals=tuple(kept))

    def standin(self, head, state):
        if head == "standin_bogus":  # as `apply ?x` in the REPL: no goals, and no proof
            return replace(state, goals=state.goals[1:])
        if head == "standin_recovers":  # as `exact unknown`: an error, and no goals
            return replace(
                state, goals=state.goals[1:], errors=(*state.errors, "Unknown identifier `unknown`")
            )
        if head == "standin_heartbeats":
            raise TacticFailedError(
                "(deterministic) timeout at `whnf`, maximum number of heartbeats (200000) has been reached"
            )
        raise FaultError(head.removeprefix("standin_"))

    # Structure.

    def tac_paren(self, reader, state):
        return self.run_block(rest_until_closed(reader, ")"), state)

    def tac_dot(self, reader, state):
        others = state.goals[1:]
        inner = self.run_block(rest(reader), replace(state, goals=state.goals[:1]))
        if inner.goals:
            raise TacticFailedError("unsolved goals\n" + "\n\n".join(map(str, inner.goals)))
        return replace(inner, goals=others)

    def tac_skip(self, reader, state):
        return state

    def tac_try(self, reader, state):
        toks = rest(reader)
        try:
            return self.run_block(toks, state)
        except (TacticFailedError, KernelError):
            return state

    def tac_repeat(self, reader, state):
        toks = rest(reader)
        for _ in range(MAX_REPEATS):
            if not state.goals:
                break
            try:
                state = self.run_block(toks, state)
            except (TacticFailedError, KernelError):
                break
        return state

    def tac_first(self, reader, state):
        toks, last = rest(reader), None
        for option in split_on(toks[1:], "|"):
            try:
                return self.run_block(option, state)
            except (TacticFailedError, KernelError, ParseError) as error:
                last = error
        raise TacticFailedError(str(last))

    def tac_all_goals(self, reader, state):
        toks = rest(reader)
        return self.on_each(state.goals, state, lambda s: self.run_block(toks, s))

    def tac_case(self, reader, state):
        tag = reader.next()
        names = []
        while reader.peek() != "=>":
            names.append(reader.next())
        reader.expect("=>")
        goal = next((g for g in state.goals if g.tag == tag), None)
        if goal is None:
            raise TacticFailedError(f"Case tag `{tag}` not found.")
        focused = replace(state, goals=(goal, *(g for g in state.goals if g is not goal)))
        return self.tac_dot(reader, focused)

    def tac_set_option(self, reader, state):
        option, value = reader.next(), reader.next()
        reader.expect("in")
        done = self.run_block(rest(reader), state)
        if option == "debug.skipKernelTC" and value == "true" and state.goals:
            return replace(done.fill(("unchecked",)) if done.goals else done, errors=())
        return done

    # The goal.

    def tac_intro(self, reader, state):
        given = []
        while reader.peek() is not None:
            given.append(reader.next())
        for name in given or ["_"]:
            state = self.intro(name, state)
        return state

    def tac_intros(self, reader, state):
        if reader.peek() is not None:
            return self.tac_intro(reader, state)
        while state.goals[0].target[0] in ("imp", "all"):
            state = self.intro("_", state)
        return state

    def intro(self, name, state):
        goal = state.goals[0]
        name = fresh("a✝" if name == "_" else name, goal.context)
        match goal.target:
            case ("imp", given, after):
                kind = given
            case ("all", variable, sort, body):
                kind, after = sort, substitute(body, {variable: (KIND[sort], name)})
            case _:
                raise TacticFailedError(
                    "There are no additional binders or `let` bindings in the goal to introduce"
                )
        state, new, hole = state.new({**goal.context, name: kind}, after)
        return state.fill(("lam", name, hole), new)

    def tac_exact(self, reader, state):
        goal = state.goals[0]
        term = self.elaborate(goal.context, reader, goal.target)
        check(self.env, goal.context, term, goal.target)
        sorries = state.sorries + ((str(goal),) if "sorry" in flatten(term) else ())
        return replace(state.fill(term), sorries=sorries)

    def tac_apply(self, reader, state):
        goal = state.goals[0]
        if reader.peek() == "And.intro":
            reader.next()
            return self.tac_constructor(reader, state)
        term, found = self.infer_term(goal.context, reader)
        missing = []
        while canonical(found) != canonical(goal.target):
            if found[0] == "iff":
                found, term = ("imp", found[1], found[2]), ("fst", term)
            elif found[0] == "imp":
                state, new, hole = state.new(goal.context, found[1])
                missing.append(new)
                term, found = ("app", term, hole), found[2]
            else:
                raise TacticFailedError(f"could not unify the conclusion with the goal\n{goal}")
        return state.fill(term, *missing)

    def tac_constructor(self, reader, state):
        goal = state.goals[0]
        match goal.target:
            case ("and", a, b):
                parts = (("left", a), ("right", b))
            case ("iff", a, b):
                parts = (("mp", ("imp", a, b)), ("mpr", ("imp", b, a)))
            case ("true",):
                return state.fill(("triv",))
            case _:
                raise TacticFailedError("target is not an inductive type with one constructor that applies")
        state, one, hole = state.new(goal.context, parts[0][1], parts[0][0])
        state, two, other = state.new(goal.context, parts[1][1], parts[1][0])
        return state.fill(("pair", hole, other), one, two)

    def side(self, state, kind, index):
        goal = state.goals[0]
        if goal.target[0] != "or":
            raise TacticFailedError("target is not a disjunction")
        state, new, hole = state.new(goal.context, goal.target[index])
        return state.fill((kind, hole), new)

    def tac_left(self, reader, state):
        return self.side(state, "inl", 1)

    def tac_right(self, reader, state):
        return self.side(state, "inr", 2)

    def tac_exfalso(self, reader, state):
        state, new, hole = state.new(state.goals[0].context, FALSE)
        return state.fill(("exfalso", hole), new)

    def tac_rfl(self, reader, state):
        return self.close(state, ("refl",))

    def tac_trivial(self, reader, state):
        for term in (("triv",), ("refl",), ("dec",)):
            try:
                return self.close(state, term)
            except KernelError:
                continue
        return self.tac_assumption(reader, state)

    def tac_decide(self, reader, state):
        if reader.take("+"):
            reader.expect("native")
            return self.close(state, ("native",))
        return self.close(state, ("dec",))

    def tac_native_decide(self, reader, state):
        return self.close(state, ("native",))

    def tac_sorry(self, reader, state):
        return replace(state.fill(("sorry",)), sorries=(*state.sorries, str(state.goals[0])))

    def close(self, state, term):
        goal = state.goals[0]
        check(self.env, goal.context, term, goal.target)
        return state.fill(term)

    def tac_assumption(self, reader, state):
        goal = state.goals[0]
        for name, kind in reversed(goal.context.items()):
            if not isinstance(kind, str) and canonical(kind) == canonical(goal.target):
                return state.fill(("hyp", name))
        raise TacticFailedError("Tactic `assumption` failed\n\n" + str(goal))

    def tac_contradiction(self, reader, state):
        context = state.goals[0].context
        hypotheses = {canonical(kind): name for name, kind in context.items() if not isinstance(kind, str)}
        if FALSE in hypotheses:
            return state.fill(("exfalso", ("hyp", hypotheses[FALSE])))
        for formula, name in hypotheses.items():
            if neg(formula) in hypotheses:
                term = ("app", ("hyp", hypotheses[neg(formula)]), ("hyp", name))
                return state.fill(("exfalso", term))
        raise TacticFailedError("Tactic `contradiction` failed")

    def tac_cases(self, reader, state):
        goal = state.goals[0]
        term, found = self.infer_term(goal.context, reader)
        context = goal.context
        match found:
            case ("and" | "iff", _, _):
                left, right = (
                    infer(self.env, context, ("fst", term))[0],
                    infer(self.env, context, ("snd", term))[0],
                )
                one = fresh("left✝", context)
                two = fresh("right✝", {**context, one: left})
                state, new, hole = state.new({**context, one: left, two: right}, goal.target, "intro")
                return state.fill(
                    ("let", one, left, ("fst", term), ("let", two, right, ("snd", term), hole)), new
                )
            case ("or", a, b):
                name = fresh("h✝", context)
                state, one, hole = state.new({**context, name: a}, goal.target, "inl")
                state, two, other = state.new({**context, name: b}, goal.target, "inr")
                return state.fill(("case", term, name, hole, name, other), one, two)
            case ("false",):
                return state.fill(("exfalso", term))
        raise TacticFailedError("the major premise is not an inductive type")

    def tac_rcases(self, reader, state):
        goal = state.goals[0]
        term, found = self.infer_term(goal.context, reader, stop="with")
        reader.expect("with")
        context = goal.context
        closing = reader.take("⟨")
        names = [reader.next()]
        while reader.take(",", "|"):
            names.append(reader.next())
        if closing:
            reader.expect("⟩")
        if len(names) != 2 or any(name in context for name in names):
            raise TacticFailedError("rcases: two new names are needed")
        if found[0] == "and" and closing:
            one, two = names
            state, new, hole = state.new({**context, one: found[1], two: found[2]}, goal.target)
            inner = ("let", two, found[2], ("snd", term), hole)
            return state.fill(("let", one, found[1], ("fst", term), inner), new)
        if found[0] == "or" and not closing:
            state, one, hole = state.new({**context, names[0]: found[1]}, goal.target, "inl")
            state, two, other = state.new({**context, names[1]: found[2]}, goal.target, "inr")
            return state.fill(("case", term, names[0], hole, names[1], other), one, two)
        raise TacticFailedError("rcases: the pattern does not fit")

    def tac_have(self, reader, state):
        goal = state.goals[0]
        name = fresh(reader.next(), goal.context)
        if reader.take(":"):
            claim = self.formula(goal.context, reader)
            reader.expect(":=")
            term = self.elaborate(goal.context, reader, claim)
            check(self.env, goal.context, term, claim)
        else:
            reader.expect(":=")
            term, claim = self.infer_term(goal.context, reader)
        sorries = state.sorries
        if "sorry" in flatten(term):
            sorries += (show_goal(goal.context, claim),)
        state, new, hole = state.new({**goal.context, name: claim}, goal.target)
        return replace(state.fill(("let", name, claim, term, hole), new), sorries=sorries)

    def tac_by_cases(self, reader, state):
        goal = state.goals[0]
        name = fresh(reader.next(), goal.context)
        reader.expect(":")
        formula = self.formula(goal.context, reader)
        state, one, hole = state.new({**goal.context, name: formula}, goal.target, "pos")
        state, two, other = state.new({**goal.context, name: neg(formula)}, goal.target, "neg")
        return state.fill(("case", ("em", formula), name, hole, name, other), one, two)

    # Terms.

    def formula(self, context, reader):
        formula, sort = resolve(expression(reader), context)
        if sort != "Prop":
            raise ParseError("a proposition is expected")
        return formula

    def elaborate(self, context, reader, target):
        """Read a term that proves a formula."""
        token = reader.peek()
        if token == "fun":
            reader.next()
            names = []
            while reader.peek() not in ("=>", "↦", None):
                names.append(reader.next())
            reader.next()
            return self.lambdas(names, context, reader, target)
        if token == "⟨":
            return self.anonymous(context, reader, target)
        if token == "by":
            reader.next()
            return self.nested(context, reader, target)
        simple = {"rfl": ("refl",), "trivial": ("triv",), "sorry": ("sorry",), "sorryAx": ("sorry",)}.get(
            token
        )
        if simple is not None:
            reader.next()
            return simple
        if token in ("Or.inl", "Or.inr") and target[0] == "or":
            kind = "inl" if reader.next() == "Or.inl" else "inr"
            return (kind, self.argument(context, reader, target[1 if kind == "inl" else 2]))
        if token == "And.intro" and target[0] == "and":
            reader.next()
            left = self.argument(context, reader, target[1])
            return ("pair", left, self.argument(context, reader, target[2]))
        if token == "False.elim":
            reader.next()
            return ("exfalso", self.argument(context, reader, FALSE))
        if token == "(" and target[0] not in ("imp",):
            return self.argument(context, reader, target)
        return self.infer_term(context, reader)[0]

    def lambdas(self, names, context, reader, target):
        if not names:
            return self.elaborate(context, reader, target)
        name = fresh("x✝" if names[0] == "_" else names[0], context)
        match target:
            case ("imp", given, after):
                kind = given
            case ("all", variable, sort, body):
                kind, after = sort, substitute(body, {variable: (KIND[sort], name)})
            case _:
                raise TacticFailedError("type mismatch: a function is given")
        return ("lam", name, self.lambdas(names[1:], {**context, name: kind}, reader, after))

    def anonymous(self, context, reader, target):
        reader.expect("⟨")
        if target[0] not in ("and", "iff"):
            raise TacticFailedError("invalid `⟨...⟩` notation")
        left, right = target[1:]
        if target[0] == "iff":
            left, right = ("imp", left, right), ("imp", right, left)
        one = self.elaborate(context, reader, left)
        reader.expect(",")
        two = self.elaborate(context, reader, right)
        reader.expect("⟩")
        return ("pair", one, two)

    def nested(self, context, reader, target):
        begin, outer = State((Goal(0, context, target),)), self.root
        self.root = begin.goals[0]
        state = self.run_block(rest_until_closed(reader, None), begin)
        self.root = outer
        if state.goals:
            raise TacticFailedError("unsolved goals\n" + "\n\n".join(map(str, state.goals)))
        return proof_term(state)

    def argument(self, context, reader, target):
        """One argument of a function, which proves a formula."""
        if reader.peek() == "(":
            reader.next()
            term = self.elaborate(context, reader, target)
            reader.expect(")")
            return term
        if reader.peek() in ("⟨", "rfl", "trivial", "sorry"):
            return self.elaborate(context, reader, target)
        term, _ = self.head(context, reader)
        return term

    def head(self, context, reader):
        if reader.take("("):
            term, found = self.infer_term(context, reader)
            reader.expect(")")
        else:
            reader.take("@")
            token = reader.next()
            if token == "Classical.em":
                formula, _ = resolve(
                    expression(reader, 1000) if reader.peek() != "(" else expression(reader), context
                )
                return ("em", formula), ("or", formula, neg(formula))
            name, *fields = token.split(".")
            if isinstance(context.get(name), tuple):
                term = ("hyp", name)
            else:
                full = next((f for f in self.env.resolve(token) if f in self.env), None)
                if full is None:
                    raise TacticFailedError(f"Unknown identifier `{token}`")
                term, fields = ("const", full), []
            found = infer(self.env, context, term)[0]
            for part in fields:
                term, found = self.project(context, term, part)
        while reader.take("."):
            term, found = self.project(context, term, reader.next())
        return term, found

    def project(self, context, term, part):
        sides = {
            "1": "fst",
            "left": "fst",
            "mp": "fst",
            "2": "snd",
            "right": "snd",
            "mpr": "snd",
            "symm": "symm",
        }
        if part not in sides:
            raise TacticFailedError(f"Invalid field `{part}`")
        term = (sides[part], term)
        return term, infer(self.env, context, term)[0]

    def infer_term(self, context, reader, stop=None):
        if reader.peek() in ("Eq.symm", "Eq.trans"):
            return self.builtin(context, reader)
        term, found = self.head(context, reader)
        while reader.peek() not in (None, ")", "⟩", ",", "<;>", ":=", "with", "|", stop):
            if found[0] == "all":
                value = self.instance(context, reader)
                term = ("inst", term, value)
            elif found[0] == "imp":
                term = ("app", term, self.argument(context, reader, found[1]))
            else:
                raise TacticFailedError("function expected")
            found = infer(self.env, context, term)[0]
        return term, found

    def builtin(self, context, reader):
        name = reader.next()
        one, _ = self.head(context, reader)
        term = ("symm", one) if name == "Eq.symm" else ("trans", one, self.head(context, reader)[0])
        return term, infer(self.env, context, term)[0]

    def instance(self, context, reader):
        if reader.take("("):
            value, _ = resolve(expression(reader), context)
            reader.expect(")")
            return value
        value, _ = resolve(expression(Reader([reader.toks[reader.at]])), context)
        reader.next()
        return value


NAMES = {"(": "paren", "·": "dot", ".": "dot", "admit": "sorry"}


def fresh(name, context):
    while name in context:
        name += "✝"
    return name


def flatten(term):
    for part in term:
        if isinstance(part, tuple):
            yield from flatten(part)
        else:
            yield part


def split_block(toks):
    """The tactics of a block: separated by `;` or by lines that begin in the block's column."""
    pieces, depth, column = [], 0, toks[0].column if toks else 0
    for tok in toks:
        if depth == 0 and pieces and (tok.text == ";" or (tok.first and tok.column <= column)):
            pieces.append([])
            if tok.text == ";":
                continue
        if not pieces:
            pieces.append([])
        depth += (tok.text in "([{⟨") - (tok.text in ")]}⟩")
        pieces[-1].append(tok)
    return [piece for piece in pieces if piece]


def split_at(toks, text):
    depth, found = 0, None
    for index, tok in enumerate(toks):
        if tok.text == text and depth == 0:
            found = index
        depth += (tok.text in "([{⟨") - (tok.text in ")]}⟩")
    if found is None:
        return toks, None, []
    return toks[:found], text, toks[found + 1 :]


def split_on(toks, text):
    pieces = [[]]
    for tok in toks:
        if tok.text == text:
            pieces.append([])
        else:
            pieces[-1].append(tok)
    return pieces


def rest(reader):
    toks = reader.toks[reader.at :]
    reader.at = len(reader.toks)
    return toks


def rest_until_closed(reader, closing):
    """Tokens up to the bracket that closes this one, which is taken if it is `closing`."""
    begin, depth = reader.at, 0
    while reader.at < len(reader.toks):
        text = reader.toks[reader.at].text
        if depth == 0 and text in (")", "⟩", ","):
            break
        if text in COMMANDS and text != "set_option":
            break
        depth += (text in "([{⟨") - (text in ")]}⟩")
        reader.at += 1
    toks = reader.toks[begin : reader.at]
    if closing:
        reader.expect(closing)
    return toks
