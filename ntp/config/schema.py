"""OmegaConf schemas of declared options.

A YAML of a group names the class whose options it sets: `defaults: [/schema@_here_: package.module.Class]`.
`hydra_plugins.ntp_schema` answers that name with the options and defaults that the class declares. Classes of
sections without a group are listed in conf/sections.yaml. So an unknown key or a value of the wrong type is
refused when the config is composed, for classes of other packages too.
"""

from __future__ import annotations

import copy
from dataclasses import field, make_dataclass
from functools import cache
from typing import Any, Optional, Union, get_args, get_origin

import yaml
from omegaconf import MISSING

from ntp.config.declarations import Option, Record, declaration_of
from ntp.config.paths import CONFIG_DIR


@cache
def sections() -> dict[str, str]:
    """The dotted paths of the classes that declare sections without a group, by section."""
    return yaml.safe_load((CONFIG_DIR / "sections.yaml").read_text(encoding="utf-8"))


@cache
def schema_of(target: str) -> type:
    """The structured-config class of the options that a class declares.

    Raises:
        ConfigError: There is no such class, or a default is not a plain value.
    """
    options = declaration_of(target).options
    bounds = {option.name: option.bounds for option in options if option.bounds}
    # Not a field: `ntp.config.bounds` reads it.
    return make_dataclass(
        target.rpartition(".")[2], [_field(option) for option in options], namespace={"BOUNDS": bounds}
    )


def instance_or_options(target: str) -> type:
    """`schema_of`, with the `_target_` that Hydra instantiates unless the class only holds options."""
    schema = schema_of(target)
    if declaration_of(target).is_record:
        return schema
    return make_dataclass(schema.__name__, [("_target_", str, field(default=target))], bases=(schema,))


def _field(option: Option) -> tuple[str, Any, Any]:
    kind = _type(option.type)
    default = option.default
    if isinstance(default, Record) and not isinstance(option.type, str):
        default = MISSING
    if isinstance(default, Record):
        record = default
        return option.name, kind, field(default_factory=lambda: schema_of(record.target)(**record.values))
    if default == MISSING and isinstance(option.type, str):
        return option.name, kind, field(default_factory=kind)
    if isinstance(default, list | dict):
        return option.name, kind, field(default_factory=lambda: copy.deepcopy(default))
    return option.name, kind, field(default=default)


def _type(kind: Any) -> Any:
    """A declared type with records replaced by their schemas."""
    if isinstance(kind, str):
        return schema_of(kind)
    origin = get_origin(kind)
    if origin is Union:
        (inner,) = (part for part in get_args(kind) if part is not type(None))
        return Optional[_type(inner)]  # noqa: UP045 - the inner type is only known at run time
    if origin is list:
        return list[_type(get_args(kind)[0])]
    if origin is dict:
        return dict[str, _type(get_args(kind)[1])]
    return kind
