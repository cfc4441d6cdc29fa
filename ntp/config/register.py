"""Registers the root schema and resolvers with Hydra, and composes configs."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from contextlib import nullcontext

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from ntp.config.paths import CONFIG_DIR, PROJECT_ROOT
from ntp.config.root import Config
from ntp.config.schema import instance_or_options, sections


@functools.cache
def register() -> None:
    """Store the schema of the whole config and every resolver. Safe to call again."""
    store = ConfigStore.instance()
    store.store(name="schema", node=_schema())
    OmegaConf.register_new_resolver("project_root", lambda: str(PROJECT_ROOT), replace=True)
    OmegaConf.register_new_resolver("shards", shards, replace=True)
    OmegaConf.register_new_resolver("names", names, replace=True)


def _schema() -> DictConfig:
    """The whole config with the options of all sections; one node, since Hydra takes time for each."""
    node = OmegaConf.structured(Config)
    for section, target in sections().items():
        OmegaConf.update(node, section, OmegaConf.structured(instance_or_options(target)))
    return node


def compose_config(overrides: Sequence[str]) -> DictConfig:
    """The config that `python -m ntp.run OVERRIDES` would run with.

    Raises:
        hydra.errors.ConfigCompositionException: An override does not fit.
    """
    register()
    # Inside a run Hydra is initialised already; elsewhere (tests, notebooks, cluster jobs) it is not.
    running = GlobalHydra.instance().is_initialized()
    with nullcontext() if running else initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def experiment_names() -> list[str]:
    """The names that can follow `+experiment=`."""
    return sorted(path.stem for path in (CONFIG_DIR / "experiment").glob("*.yaml"))


def shards(num: int | None) -> str:
    """The choices of a sweep over all shards of a task: `0/2,1/2`."""
    if num is None:
        # Hydra would show a traceback for an error raised here; the task gives one line for a wrong shard.
        return "0/?"
    return ",".join(f"{index}/{num}" for index in range(num))


def names(choices: Iterable[object]) -> str:
    """The choices of a sweep over what another option lists: `aligned,shuffled`."""
    return ",".join(map(str, choices))
