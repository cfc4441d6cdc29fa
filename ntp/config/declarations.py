"""Reads the options of a class from its source: name, type, default and help stand once, in the class itself.

Nothing is imported, since a class that is configured may need torch, and `--help` and a typo should be
answered at once. Options are the fields of a dataclass, those of its base dataclasses included, or the
parameters of `__init__`; their help is in the class's docstring, under `Attributes:` or `Args:`.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Optional

from omegaconf import MISSING

from ntp.bounds import NUMBERS, Bounds
from ntp.errors import ConfigError

_SCALARS = {"int": int, "float": float, "bool": bool, "str": str, "Path": str}
_SCALARS |= {name: kind for name, (kind, _) in NUMBERS.items()}
_NUMBER = re.compile(rf"\b({'|'.join(NUMBERS)})\b")
_LISTS = ("list", "Sequence", "tuple")
_DICTS = ("dict", "Mapping")


@dataclass(frozen=True)
class Option:
    """One option of a class.

    Attributes:
        name: Its key in the config.
        annotation: Its type as written in the source.
        type: The type that OmegaConf checks; `Any` where the annotation is not a plain value.
        default: Plain value, `MISSING` if there is none, or a `Record` for a nested declaration.
        help: What the docstring says about it.
    """

    name: str
    annotation: str
    type: Any
    default: Any
    help: str

    @property
    def plain_annotation(self) -> str:
        """The annotation with numbers as `int` and `float`."""
        return _NUMBER.sub(lambda match: NUMBERS[match[1]][0].__name__, self.annotation)

    @property
    def bounds(self) -> Bounds | None:
        """Bounds of the number, or of the numbers in the list or mapping; None if it has none."""
        found = _NUMBER.search(self.annotation)
        return NUMBERS[found[1]][1] if found else None


@dataclass(frozen=True)
class Declaration:
    """The options of a class.

    Attributes:
        target: Dotted path of the class.
        summary: First line of its docstring.
        options: In the order of the source.
        is_record: Whether the class only holds options: a dataclass with no method but `__post_init__`.
    """

    target: str
    summary: str
    options: tuple[Option, ...]
    is_record: bool


@dataclass(frozen=True)
class Record:
    """A default that is a declaration with some values of its own."""

    target: str
    values: dict[str, Any]


@cache
def declaration_of(target: str) -> Declaration:
    """Read the declaration of a class.

    Args:
        target: Dotted path, `package.module.Class`.

    Raises:
        ConfigError: There is no such class.
    """
    source, node = _find(target)
    docstring = ast.get_docstring(node) or ""
    options: dict[str, Option] = {}
    for option in _options(source, node):
        inherited = options.get(option.name)
        if inherited is not None and not option.help:
            option = replace(option, help=inherited.help)
        options[option.name] = option
    return Declaration(target, docstring.partition("\n")[0], tuple(options.values()), _only_holds(node))


def _options(source: _Source, node: ast.ClassDef) -> Iterator[Option]:
    if _is_dataclass(node):
        for base in node.bases:
            found = source.resolve(base)
            if found is not None and source.owns(found):
                yield from declaration_of(found).options
        helps = _helps(ast.get_docstring(node) or "")
        for field in node.body:
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            if "ClassVar" not in ast.unparse(field.annotation):
                yield _option(source, field.target.id, field.annotation, field.value, helps)
        return
    init = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
    if init is None:
        return
    helps = _helps(ast.get_docstring(node) or "")
    arguments = [*init.args.args[1:], *init.args.kwonlyargs]
    defaults = [*init.args.defaults, *init.args.kw_defaults]
    values = [None] * (len(arguments) - len(defaults)) + defaults
    for argument, value in zip(arguments, values, strict=True):
        yield _option(source, argument.arg, argument.annotation, value, helps)


def _option(
    source: _Source, name: str, annotation: ast.expr | None, value: ast.expr | None, helps: dict[str, str]
) -> Option:
    kind = Any if annotation is None else source.type_of(annotation)
    default = MISSING if value is None else source.value_of(value)
    text = "" if annotation is None else ast.unparse(annotation)
    return Option(name, text, kind, default, helps.get(name, ""))


def bounds_of(kind: type | None) -> dict[str, Bounds]:
    """Bounds of the options of a class of this package by name; empty for any other."""
    if kind is None or kind.__module__.partition(".")[0] != __name__.partition(".")[0]:
        return {}
    options = declaration_of(f"{kind.__module__}.{kind.__qualname__}").options
    return {option.name: option.bounds for option in options if option.bounds}


@dataclass(frozen=True)
class _Source:
    """A module's syntax tree, and where the names in it come from."""

    module: str
    tree: ast.Module

    def find(self, name: str) -> ast.ClassDef | None:
        return next((n for n in self.tree.body if isinstance(n, ast.ClassDef) and n.name == name), None)

    def resolve(self, expression: ast.expr) -> str | None:
        """Dotted path of a class or constant that an expression names; None for a builtin."""
        text = ast.unparse(expression)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                for alias in node.names:
                    if (alias.asname or alias.name) == text:
                        return f"{node.module}.{alias.name}"
        named = {n.name for n in self.tree.body if isinstance(n, ast.ClassDef)} | set(self._constants())
        return f"{self.module}.{text}" if text in named else None

    def owns(self, target: str) -> bool:
        """Whether a dotted path is in the same top-level package: others are not read."""
        return target.partition(".")[0] == self.module.partition(".")[0]

    def type_of(self, annotation: ast.expr) -> Any:
        """The type that OmegaConf checks."""
        if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
            members = [member for member in _union(annotation) if ast.unparse(member) != "None"]
            inner = self.type_of(members[0]) if len(members) == 1 else Any
            return inner if inner is Any else Optional[inner]  # noqa: UP045 - known at run time only
        if isinstance(annotation, ast.Subscript):
            outer = ast.unparse(annotation.value)
            inner = annotation.slice
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if outer in _LISTS:
                return list[self.type_of(parts[0])]
            if outer in _DICTS:
                # Of any values: a node that may be another section of the config, `adapter: ${adapter}`.
                values = self.type_of(parts[1])
                return Any if values is Any else dict[str, values]
            return str if outer == "Literal" else Any
        name = ast.unparse(annotation)
        if name in _SCALARS:
            return _SCALARS[name]
        found = self.resolve(annotation)
        if found is None or not self.owns(found):
            return Any
        return found if _is_record(found) else self._alias(found)

    def value_of(self, node: ast.expr) -> Any:
        """A default as a plain value.

        Raises:
            ConfigError: It is none that a config can hold.
        """
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            keywords = {keyword.arg: keyword.value for keyword in node.keywords}
            if called == "field" and "default" in keywords:
                return self.value_of(keywords["default"])
            if called == "field" and "default_factory" in keywords:
                made = keywords["default_factory"]
                if isinstance(made, ast.Lambda):
                    return self.value_of(made.body)
                if ast.unparse(made) in ("list", "dict"):
                    return [] if ast.unparse(made) == "list" else {}
                return Record(self.resolve(made) or ast.unparse(made), {})
            target = self.resolve(node.func)
            if target is not None:
                return Record(target, {str(k): self.value_of(v) for k, v in keywords.items()})
        if isinstance(node, ast.Name) and node.id == "MISSING":
            return MISSING
        if isinstance(node, ast.Name) and (found := self.resolve(node)) is not None:
            module, _, name = found.rpartition(".")
            home = _source(module)
            return home.value_of(home._constants()[name])
        try:
            value = ast.literal_eval(node)
        except ValueError:
            raise ConfigError(
                f"{self.module}: the default {ast.unparse(node)} is no plain value that a config can hold"
            ) from None
        return list(value) if isinstance(value, tuple) else value

    def _constants(self) -> dict[str, ast.expr]:
        found = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                found[node.target.id] = node.value
        return found

    def _alias(self, target: str) -> Any:
        """The type that a name stands for, such as `Precision = Literal["fp32", "bf16"]`."""
        module, _, name = target.rpartition(".")
        constants = _source(module)._constants()
        return _source(module).type_of(constants[name]) if name in constants else Any


def _union(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_union(node.left), *_union(node.right)]
    return [node]


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any(ast.unparse(d).partition("(")[0] == "dataclass" for d in node.decorator_list)


def _is_record(target: str) -> bool:
    """Whether a class holds options and nothing else: a dataclass without methods."""
    try:
        _, node = _find(target)
    except ConfigError:
        return False
    return _only_holds(node)


def _only_holds(node: ast.ClassDef) -> bool:
    methods = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
    return _is_dataclass(node) and methods <= {"__post_init__"}


def _find(target: str) -> tuple[_Source, ast.ClassDef]:
    module, _, name = target.rpartition(".")
    source = _source(module) if module else None
    node = source.find(name) if source else None
    if source is None or node is None:
        raise ConfigError(f"schema {target}: no such class; give the dotted path package.module.Class")
    return source, node


@cache
def _source(module: str) -> _Source:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise ConfigError(f"schema of a class in {module}: no such Python module")
    return _Source(module, ast.parse(Path(spec.origin).read_text(encoding="utf-8")))


_ENTRY = re.compile(r"^ {4}(\w+)(?: \([^)]*\))?: ")


def _helps(docstring: str) -> dict[str, str]:
    """What the sections `Attributes:` and `Args:` of a Google-style docstring say, by name."""
    helps: dict[str, str] = {}
    section, name = False, ""
    for line in docstring.splitlines():
        if line and not line.startswith(" "):
            section = line in ("Attributes:", "Args:")
        elif section and (found := _ENTRY.match(line)):
            name = found[1]
            helps[name] = line[found.end() :].strip()
        elif section and name and line.strip():
            helps[name] += f" {line.strip()}"
    return helps
