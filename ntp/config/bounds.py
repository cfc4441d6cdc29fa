"""Checks numbers of a composed config against the bounds that stand with their options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from ntp.bounds import Bounds
from ntp.config.declarations import bounds_of
from ntp.errors import ConfigError


def check_bounds(cfg: DictConfig, path: str = "") -> None:
    """Raise `ConfigError` for the first number that is out of range.

    Args:
        cfg: A config, or a node of one.
        path: Where the node is, for messages.
    """
    for key, value, bounds in _numbers(cfg, path):
        if not bounds.allow(value):
            raise ConfigError(f"{key}={value} is out of range: give a number of {bounds}")


def _numbers(node: DictConfig, path: str) -> Iterator[tuple[str, float, Bounds]]:
    kind = OmegaConf.get_type(node)
    # A schema made of a declaration has them; its module is no help, it may be the one that made it.
    made: dict[str, Bounds] | None = getattr(kind, "BOUNDS", None)
    declared = bounds_of(kind) if made is None else made
    for name in node:
        key = f"{path}.{name}" if path else str(name)
        if OmegaConf.is_missing(node, name):
            continue
        value = node[name]
        if isinstance(value, DictConfig) and str(name) not in declared:
            yield from _numbers(value, key)
        elif str(name) in declared:
            yield from ((where, number, declared[str(name)]) for where, number in _plain(key, value))


def _plain(key: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers in a value: itself, or the elements of a list or a mapping."""
    if isinstance(value, DictConfig):
        for name in value:
            yield from _plain(f"{key}.{name}", value[name])
    elif isinstance(value, ListConfig):
        for index, item in enumerate(value):
            yield from _plain(f"{key}[{index}]", item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield key, value
