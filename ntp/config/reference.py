"""Writes the reference pages of docs/ from the YAML files and the options that classes declare.

python -m ntp.config.reference docs
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from omegaconf import MISSING

from ntp.config.choices import ADDED, groups, purpose
from ntp.config.declarations import Declaration, Option, Record, declaration_of
from ntp.config.paths import CONFIG_DIR, PROJECT_ROOT
from ntp.config.root import Config
from ntp.config.schema import sections

_GENERATED = "<!-- Written by `make docs`: change the YAML files or the docstrings instead. -->"
_SCHEMA = "/schema@_here_"
_ROOT = f"{Config.__module__}.{Config.__name__}"


def configuration_page() -> str:
    """Every group and section with its options: name, type, default and meaning."""
    parts = [
        _GENERATED,
        "# Configuration reference",
        "A command sets options as `key=value` and chooses options of groups as `group=option`. Defaults are "
        "those of the class that is named; a YAML of an experiment or of a group may change them, and "
        "`python -m ntp.run +experiment=sft --cfg job` prints the whole config of a command.",
        "## The config as a whole",
        _table(declaration_of(_ROOT)),
    ]
    for section, target in sections().items():
        parts += [f"## `{section}`", *_declared(target)]
    for group, options in groups(CONFIG_DIR).items():
        if group in ADDED:
            continue
        parts += [f"## `{group}`", _choices(group, options)]
        targets = [_target(CONFIG_DIR / group / f"{name}.yaml") for name in options]
        for target in dict.fromkeys(target for target in targets if target):
            parts += _declared(target)
    return "\n\n".join(parts) + "\n"


def experiments_page() -> str:
    """Every experiment and sweep: what it is for, its task and what it changes."""
    rows = []
    for path in sorted((CONFIG_DIR / "experiment").glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = content.get("defaults", [])
        based = [entry for entry in entries if isinstance(entry, str)]
        chosen = [
            f"{key.removeprefix('override ').lstrip('/')}={_plain(value)}"
            for entry in entries
            if isinstance(entry, dict)
            for key, value in entry.items()
        ]
        cells = [f"`{path.stem}`", purpose(path), ", ".join(f"`{name}`" for name in based)]
        rows.append([*cells, " ".join(f"`{choice}`" for choice in chosen)])
    sweeps = [[f"`{path.stem}`", purpose(path)] for path in sorted((CONFIG_DIR / "sweep").glob("*.yaml"))]
    parts = [
        _GENERATED,
        "# Experiments",
        "`python -m ntp.run +experiment=NAME`, followed by any options of the "
        "[configuration](configuration.md). An experiment makes what it needs first; what exists is reused.",
        _markdown(["experiment", "what it does", "based on", "chooses"], rows),
        "# Sweeps",
        "`python -m ntp.run -m +experiment=NAME +sweep=SWEEP`",
        _markdown(["sweep", "what it does"], sweeps),
    ]
    return "\n\n".join(parts) + "\n"


PAGES = {"configuration.md": configuration_page, "experiments.md": experiments_page}


def _target(path: Path) -> str | None:
    """The class whose options a YAML of a group sets."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    entries = [entry for entry in content.get("defaults", []) if isinstance(entry, dict)]
    return next((entry[_SCHEMA] for entry in entries if _SCHEMA in entry), None)


def _choices(group: str, options: dict[str, str]) -> str:
    return _markdown(
        ["option", "what it is"], [[f"`{group}={name}`", text] for name, text in options.items()]
    )


def _declared(target: str) -> Iterator[str]:
    declaration = declaration_of(target)
    yield f"`{target}`: {declaration.summary}"
    if declaration.options:
        yield _table(declaration)


def _table(declaration: Declaration) -> str:
    rows = [[f"`{o.name}`", f"`{o.plain_annotation}`", _default(o), _help(o)] for o in declaration.options]
    return _markdown(["option", "type", "default", "meaning"], rows)


def _help(option: Option) -> str:
    return f"{option.help} A number of {option.bounds}." if option.bounds else option.help


def _default(option: Option) -> str:
    value = option.default
    if isinstance(value, Record):
        changed = ", ".join(f"{key}={_plain(inner)}" for key, inner in value.values.items())
        return f"`{value.target.rpartition('.')[2]}({changed})`"
    return "required" if value == MISSING else f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    """A value as YAML writes it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value) if value in ("", {}) else str(value)


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    escaped = [[cell.replace("|", "\\|").replace("\n", "\\n") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *escaped]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    """Write the pages into a directory."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT_ROOT / "docs"
    directory.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (directory / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
