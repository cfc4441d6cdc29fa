"""Turns errors that Hydra and OmegaConf raise about a command line into one line."""

from __future__ import annotations

from hydra.errors import OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from ntp.config.choices import advice


def one_line(error: Exception) -> str:
    """What is wrong, where, and what to do.

    Args:
        error: A `HydraException`, which may have an error of OmegaConf as its cause, or one of OmegaConf.
    """
    if isinstance(error, OverrideParseException):
        return f"{error.override} cannot be read as key=value: {str(error).splitlines()[0]}"
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    message = " ".join(str(error).split())
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and isinstance(cause.parent_node, DictConfig):
        known = [str(key) for key in cause.parent_node]
        if known and str(cause.key) not in known:
            return f"{cause.full_key}: there is no such option; {advice(str(cause.key), known)}"
    if isinstance(cause, ValidationError) and cause.full_key:
        reason = (cause.msg or str(cause)).splitlines()[0]
        return f"{cause.full_key}: {reason[:1].lower()}{reason[1:]}"
    if isinstance(cause, MissingMandatoryValue):
        return f"{cause.full_key} has no value: give {cause.full_key}=VALUE"
    if cause is not None and cause is not error:
        return f"{message} ({' '.join(str(cause).split())})"
    return message
