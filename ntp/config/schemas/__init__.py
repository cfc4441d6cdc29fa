"""Structured-config schemas: one dataclass per variant of every group we own.

A key that is not declared here, or a value of the wrong type, fails when the config is composed, with the
group in the message. `_target_` names what is instantiated; live objects are passed at the call site.
"""

from __future__ import annotations

from ntp.config.schemas import data, env, learning, model, retrieval, reward, running, search
from ntp.config.schemas.root import Config

__all__ = ["SCHEMAS", "Config"]

# (group, name): the schema that a YAML of that group names first in its defaults list.
SCHEMAS: dict[tuple[str, str], type] = {
    **running.SCHEMAS,
    **data.SCHEMAS,
    **env.SCHEMAS,
    **model.SCHEMAS,
    **learning.SCHEMAS,
    **reward.SCHEMAS,
    **search.SCHEMAS,
    **retrieval.SCHEMAS,
}
