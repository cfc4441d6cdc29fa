"""Checks that the number of processes matches the devices of the trainer."""

from __future__ import annotations

import os

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from ntp.errors import ConfigError


def require_placement(cfg: DictConfig) -> None:
    """Check for mismatches that would hang, or train the same thing several times.

    Raises:
        ConfigError: The number of tasks of a SLURM job is not that of the trainer's devices, a sweep on this
            machine would start processes that each run the whole sweep, or a backbone is to be sharded over
            one device.
    """
    devices, num_nodes = cfg.trainer.devices, cfg.trainer.num_nodes
    num_tasks = int(os.environ.get("SLURM_NTASKS", "1"))
    wanted = devices * num_nodes if isinstance(devices, int) else None
    if num_tasks > 1 and wanted not in (None, num_tasks):
        raise ConfigError(
            f"this SLURM job has {num_tasks} tasks and the trainer {devices} devices on {num_nodes} nodes: "
            "give hydra.launcher.tasks_per_node=trainer.devices and hydra.launcher.nodes=trainer.num_nodes"
        )
    if num_tasks == 1 and wanted != 1 and _is_sweep():
        raise ConfigError(
            f"trainer.devices={devices}: a sweep on this machine has one process for each job; leave out -m, "
            "or sweep with hydra/launcher=slurm_8gpu"
        )
    if wanted == 1 and is_sharded(cfg):
        raise ConfigError(
            "trainer.strategy=fsdp shards a backbone over devices, and there is one: give trainer.devices"
        )


def is_sharded(cfg: DictConfig) -> bool:
    """Whether frozen weights are sharded over processes."""
    return cfg.trainer.strategy == "fsdp"


def _is_sweep() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
