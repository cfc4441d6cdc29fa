"""Refuses configs that cannot be run: nothing chosen, or keys added that no schema has."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from omegaconf import DictConfig, OmegaConf

from ntp.config.choices import advice
from ntp.config.register import experiment_names
from ntp.errors import ConfigError


def require_experiment(cfg: DictConfig) -> None:
    """Check that something was chosen to run.

    Raises:
        ConfigError: Nothing was.
    """
    if OmegaConf.is_missing(cfg, "name"):
        raise ConfigError(f"choose what to run: +experiment=NAME, one of {', '.join(experiment_names())}")


def reject_unknown_keys(cfg: DictConfig, path: str = "") -> None:
    """Check every section that has a schema.

    Raises:
        ConfigError: A key that its group does not have.
    """
    schema = OmegaConf.get_type(cfg)
    known = {f.name for f in fields(schema)} if is_dataclass(schema) else None
    for key in cfg:
        name = f"{path}.{key}" if path else str(key)
        if known is not None and key not in known:
            raise ConfigError(f"{name}: there is no such option; {advice(str(key), sorted(known))}")
        if not OmegaConf.is_missing(cfg, str(key)) and isinstance(value := cfg[key], DictConfig):
            reject_unknown_keys(value, name)
