"""What a user can choose on the command line: groups and their options, with what each is for.

Read from the YAML files alone, so that `--help` and a misspelt option are answered without starting Hydra.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ntp.errors import ConfigError

# Chosen with a plus, on top of a complete config.
ADDED = ("experiment", "sweep")
_LAUNCHERS = "hydra/launcher"
_PROGRAM = "python -m ntp.run"
# Hydra's own choices of groups that we add to.
_BUILT_IN = {_LAUNCHERS: ("basic", "submitit_local", "submitit_slurm")}


def groups(directory: Path) -> dict[str, dict[str, str]]:
    """The groups of a config directory: for each option, the comment at the top of its YAML in one line."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(directory.rglob("*.yaml")):
        group = path.parent.relative_to(directory).as_posix()
        if group != "." and not _is_list(path):
            found.setdefault(group, {})[path.stem] = purpose(path)
    return found


def _is_list(path: Path) -> bool:
    """Whether a YAML holds a list, as lists of repositories do: data, and no options."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line and not line.startswith("#")), "").startswith("- ")


def purpose(path: Path) -> str:
    """The first sentence of the comment at the top of a YAML; empty if there is none."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.removeprefix("#").strip())
    text = " ".join(lines)
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


def help_text(directory: Path) -> str:
    """What `--help` prints."""
    found = groups(directory)
    width = max(len(name) for name in found["experiment"])
    lines = [
        "ntp: neural theorem proving with policies tuned as GFlowNets against real proof assistants.",
        "",
        f"{_PROGRAM} +experiment=NAME [GROUP=OPTION ...] [key=value ...]",
        "",
        "Experiments:",
        *(f"  {name:{width}}  {text}" for name, text in found["experiment"].items()),
        "",
        "Sweeps over an experiment: -m +experiment=NAME +sweep=SWEEP [hydra/launcher=LAUNCHER]:",
        *(f"  {name:{width}}  {text}" for name, text in found["sweep"].items()),
        "",
        "Without an experiment: task=doctor reports what this machine has, task=collect the jobs of a sweep.",
        "",
        "Groups and their options:",
        *(
            f"  {group:{width}}  {', '.join(options)}"
            for group, options in found.items()
            if group not in ADDED
        ),
        "",
        "Options: resume=true continues an interrupted run, force=true makes a result again, seed=N.",
        "--cfg job shows the whole config of a command. docs/configuration.md describes every option.",
    ]
    return "\n".join(lines)


def check_choices(arguments: Sequence[str], directory: Path) -> None:
    """Check the options of groups on a command line.

    Args:
        arguments: Of the command line, as Hydra takes them.
        directory: The config directory. Groups that other directories add to are not checked.

    Raises:
        ConfigError: A group has no such option; names the nearest ones.
    """
    if any(a.startswith(("--config-dir", "-cd", "hydra.searchpath", "+hydra.searchpath")) for a in arguments):
        return
    found = groups(directory)
    for argument in arguments:
        key, equals, value = argument.partition("=")
        group = key.lstrip("+").partition("@")[0]
        if argument.startswith(("-", "~")) or not equals or group not in found:
            continue
        for option in value.strip("[]").split(","):
            _check_option(group, option.strip().strip("'\""), found[group])


def _check_option(group: str, option: str, options: Mapping[str, str]) -> None:
    known = [*options, *_BUILT_IN.get(group, ())]
    if option in known or option in ("", "null") or re.search(r"[${}()*]", option):
        return
    raise ConfigError(f"{group}={option}: there is no such option; {advice(option, known)}")


def advice(name: str, known: Sequence[str]) -> str:
    """What to write in place of an unknown name: the nearest known ones, or all if none is near."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(known)}"
