"""A small sound kernel: natural deduction over propositions and equations of naturals.

Formulas and terms are nested tuples. A proof is a term that `check` accepts; tactics only build terms, so
nothing they do wrong can make a false theorem.

    formulas  ("atom", x)  ("true",)  ("false",)  ("and"|"or"|"imp"|"iff", a, b)  ("eq", s, t)  ("all", x,
    sort, body) naturals  ("var", x)  ("num", n)  ("add"|"mul", s, t)
"""

FALSE, TRUE = ("false",), ("true",)
SORTS = ("Prop", "Nat")


class KernelError(Exception):
    """The term does not prove the formula."""


def neg(formula):
    return ("imp", formula, FALSE)


def normal(term):
    """What a natural computes to; variables stay, addition recurs on its right."""
    if term[0] not in ("add", "mul"):
        return term
    kind, left, right = term[0], normal(term[1]), normal(term[2])
    if left[0] == right[0] == "num":
        return ("num", left[1] + right[1] if kind == "add" else left[1] * right[1])
    if right == ("num", 0):
        return left if kind == "add" else ("num", 0)
    if kind == "add" and right[0] == "num" and left[0] == "add" and left[2][0] == "num":
        return ("add", left[1], ("num", left[2][1] + right[1]))
    return (kind, left, right)


def canonical(formula, bound=()):
    """Formulas are the same when their canonical forms are equal."""
    match formula:
        case ("eq", left, right):
            return ("eq", substitute(normal(left), dict(bound)), substitute(normal(right), dict(bound)))
        case ("all", name, sort, body):
            mark = f"#{len(bound)}"
            return ("all", mark, sort, canonical(body, (*bound, (name, (KIND[sort], mark)))))
        case ("atom", _):
            return substitute(formula, dict(bound))
        case (kind, left, right):
            return (kind, canonical(left, bound), canonical(right, bound))
    return formula


KIND = {"Prop": "atom", "Nat": "var"}


def substitute(thing, values):
    """Replace variables; what is put in has no bound variables that could be captured (binders are
    renamed)."""
    match thing:
        case ("atom" | "var", name):
            return values.get(name, thing)
        case ("all", name, sort, body):
            fresh = name
            while any(fresh in names(value) for value in values.values()):
                fresh += "'"
            return ("all", fresh, sort, substitute(body, {**values, name: (KIND[sort], fresh)}))
        case ("num", _) | (_,):
            return thing
        case (kind, *parts):
            return (kind, *(substitute(part, values) for part in parts))
    raise AssertionError(thing)


def names(thing):
    match thing:
        case ("atom" | "var", name):
            return {name}
        case ("num", _):
            return set()
        case ("all", name, _, body):
            return names(body) - {name}
    return set().union(*(names(part) for part in thing[1:] if isinstance(part, tuple)))


def holds(formula):
    """The truth of a closed formula without quantifiers; None when it is not such a one."""
    match formula:
        case ("true",):
            return True
        case ("false",):
            return False
        case ("eq", left, right):
            left, right = normal(left), normal(right)
            return left == right if left[0] == right[0] == "num" else None
        case ("and" | "or" | "imp" | "iff", a, b):
            left, right = holds(a), holds(b)
            if left is None or right is None:
                return None
            return {
                "and": left and right,
                "or": left or right,
                "imp": not left or right,
                "iff": left == right,
            }[formula[0]]
    return None


def check(env, context, proof, formula):
    """Axioms that a proof of a formula rests on.

    Args:
        env: Declared constants: name to (formula, axioms).
        context: Name to a sort, or to a formula that is assumed.
        proof: The term.
        formula: What it must prove.

    Raises:
        KernelError: It does not.
    """
    match proof, formula:
        case ("lam", name, body), ("imp", given, goal):
            return check(env, _with(context, name, given), body, goal)
        case ("lam", name, body), ("all", variable, sort, goal):
            return check(
                env, _with(context, name, sort), body, substitute(goal, {variable: (KIND[sort], name)})
            )
        case ("pair", left, right), ("and", a, b):
            return check(env, context, left, a) | check(env, context, right, b)
        case ("pair", left, right), ("iff", a, b):
            return check(env, context, left, ("imp", a, b)) | check(env, context, right, ("imp", b, a))
        case ("inl", inner), ("or", a, _):
            return check(env, context, inner, a)
        case ("inr", inner), ("or", _, b):
            return check(env, context, inner, b)
        case ("case", either, left_name, left, right_name, right), _:
            kind, axioms = infer(env, context, either)
            if kind[0] != "or":
                raise KernelError("not a disjunction")
            axioms |= check(env, _with(context, left_name, kind[1]), left, formula)
            return axioms | check(env, _with(context, right_name, kind[2]), right, formula)
        case ("exfalso", inner), _:
            return check(env, context, inner, FALSE)
        case ("let", name, claim, inner, body), _:
            axioms = check(env, context, inner, claim)
            return axioms | check(env, _with(context, name, claim), body, formula)
        case ("triv",), ("true",):
            return set()
        case ("refl",), ("eq", left, right):
            if normal(left) != normal(right):
                raise KernelError("the sides are not the same")
            return set()
        case (("dec" | "native") as kind,), _:
            if holds(formula) is not True:
                raise KernelError("does not evaluate to true")
            return {"Lean.ofReduceBool"} if kind == "native" else set()
        case ("sorry",), _:
            return {"sorryAx"}
        case ("unchecked",), _:
            # What `set_option debug.skipKernelTC true` does to a kernel.
            return set()
    found, axioms = infer(env, context, proof)
    if canonical(found) != canonical(formula):
        raise KernelError("type mismatch")
    return axioms


def infer(env, context, proof):
    """What a proof proves, and the axioms it rests on."""
    match proof:
        case ("hyp", name):
            found = context.get(name)
            if found is None or found in SORTS:
                raise KernelError(f"no hypothesis {name}")
            return found, set()
        case ("const", name):
            if name not in env:
                raise KernelError(f"no constant {name}")
            return env[name][0], set(env[name][1])
        case ("em", formula):
            return ("or", formula, neg(formula)), {"propext", "Classical.choice", "Quot.sound"}
        case ("app", function, argument):
            found, axioms = infer(env, context, function)
            if found[0] != "imp":
                raise KernelError("function expected")
            return found[2], axioms | check(env, context, argument, found[1])
        case ("inst", function, value):
            found, axioms = infer(env, context, function)
            if found[0] != "all":
                raise KernelError("function expected")
            if any(context.get(name) not in SORTS for name in names(value)):
                raise KernelError("unknown variable")
            if (found[2] == "Nat") != (value[0] in ("var", "num", "add", "mul")):
                raise KernelError("wrong sort")
            return substitute(found[3], {found[1]: value}), axioms
        case (("fst" | "snd") as side, inner):
            found, axioms = infer(env, context, inner)
            if found[0] not in ("and", "iff"):
                raise KernelError("not a pair")
            first, second = found[1:] if side == "fst" else found[:0:-1]
            return (first if found[0] == "and" else ("imp", first, second)), axioms
        case ("symm", inner):
            found, axioms = infer(env, context, inner)
            if found[0] != "eq":
                raise KernelError("not an equation")
            return ("eq", found[2], found[1]), axioms
        case ("trans", one, two):
            (first, axioms), (second, more) = infer(env, context, one), infer(env, context, two)
            if first[0] != "eq" or second[0] != "eq" or normal(first[2]) != normal(second[1]):
                raise KernelError("the equations do not meet")
            return ("eq", first[1], second[2]), axioms | more
        case ("hole", _):
            raise KernelError("declaration has metavariables")
    raise KernelError("cannot infer the type")


def _with(context, name, value):
    if name in context:
        raise KernelError(f"{name} is taken")
    return {**context, name: value}
