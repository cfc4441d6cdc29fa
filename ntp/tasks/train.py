"""Runs training, the same for every module, on the devices and nodes of the trainer."""

from __future__ import annotations

import inspect
import logging
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig, OmegaConf

from ntp.bounds import Bounds
from ntp.config.choices import advice
from ntp.data.dataset import Dataset
from ntp.errors import ConfigError
from ntp.experimental.sharded_strategy import ShardedStrategy
from ntp.experimental.sharding import require_shardable
from ntp.modules.learner import Learner
from ntp.tracking.lightning import (
    AtomicCheckpointIO,
    BestCheckpoint,
    LastCheckpoint,
    TrainingProgress,
    find_resume_checkpoint,
)
from ntp.tracking.processes import local_rank
from ntp.workflow.context import Context
from ntp.workflow.placement import is_sharded

# Lightning's own number for no limit.
_NO_LIMIT = -1
_TRAINER_BOUNDS = {
    "max_steps": Bounds(1),
    "max_epochs": Bounds(1),
    "devices": Bounds(1),
    "num_nodes": Bounds(1),
    "accumulate_grad_batches": Bounds(1),
    "log_every_n_steps": Bounds(0),
    "gradient_clip_val": Bounds(0),
    "val_check_interval": Bounds(0, above=True),
    "limit_val_batches": Bounds(0),
    "num_sanity_val_steps": Bounds(0),
}

Build = Callable[[DictConfig, Any, Mapping[str, Path]], tuple[Learner, lightning.LightningDataModule]]


def train(build: Build, context: Context) -> dict[str, float]:
    """Train until the trainer's limits, from the last checkpoint if there is one, and save what was trained.

    Args:
        build: Makes the module and its data from the config, the data set (None if the stage needs none) and
            the directories of other needs.
        context: The stage.

    Raises:
        CheckpointError: The last checkpoint is for another model.
        ConfigError: The trainer does not take its options (devices that do not exist, say), or the model
            cannot be sharded.
    """
    started = time.monotonic()
    _quieten_lightning()
    cfg, directory = context.cfg, context.directory
    lightning.seed_everything(cfg.seed, verbose=False)
    if torch.cuda.is_available():  # models loaded before the trainer starts are placed there too
        torch.cuda.set_device(local_rank() % torch.cuda.device_count())
    plugins: list[object] = [AtomicCheckpointIO()]
    if SLURMEnvironment.detect():
        plugins.append(SLURMEnvironment(auto_requeue=False))  # submitit requeues: two of them would conflict
    trainer = _make_trainer(
        cfg,
        logger=context.mlflow.lightning_logger(),
        callbacks=[
            LastCheckpoint(directory, cfg.tracking.checkpoint_every_n_steps),
            TrainingProgress(cfg.name),
        ],
        default_root_dir=directory,
        plugins=plugins,
        enable_progress_bar=False,
        # Every process is given the whole batch and takes its share (`ntp.modules.learner`).
        use_distributed_sampler=False,
    )
    # Instruction and chat data comes in files instead.
    dataset = Dataset.load(context.inputs["dataset"]) if "dataset" in context.inputs else None
    module, datamodule = build(cfg, dataset, context.inputs)
    best = None
    if module.selected_by is not None:
        best = BestCheckpoint(directory, module.selected_by)
        trainer.callbacks.append(best)  # pyright: ignore[reportAttributeAccessIssue]
    if is_sharded(cfg):
        require_shardable(module.backbones())
    try:
        trainer.fit(module, datamodule, ckpt_path=find_resume_checkpoint(directory), weights_only=True)
    except SystemExit:  # how Lightning ends after Ctrl-C
        raise KeyboardInterrupt from None
    metrics = module.final_metrics()
    metrics |= {"num_steps": trainer.global_step}
    if is_overridden("validation_step", module):
        metrics |= _validate(trainer, module, datamodule, best)
    module.save_from_main(directory)
    if best is not None:
        best.remove()
    return {**metrics, "wall_s": time.monotonic() - started}


def _validate(
    trainer: lightning.Trainer,
    module: Learner,
    datamodule: lightning.LightningDataModule,
    best: BestCheckpoint | None,
) -> dict[str, float]:
    """Validation metrics of the last weights, or of the best ones, which are then loaded into the module."""
    # The last validation may have been some steps before the end.
    (metrics,) = trainer.validate(module, datamodule, verbose=False) or ({},)
    if best is None or best.metric not in metrics:
        return dict(metrics)
    step = trainer.global_step
    if best.is_better_than(metrics[best.metric]):
        step = best.step
        (metrics,) = trainer.validate(
            module, datamodule, ckpt_path=best.best_model_path, verbose=False, weights_only=True
        )
    return {**metrics, "best_step": step}


def check_training(cfg: DictConfig) -> None:
    """Raise `ConfigError` for options that the trainer or the optimizer does not have or take."""
    for section in ("trainer", "optimizer"):
        target = get_object(cfg[section]._target_)
        parameters = inspect.signature(target).parameters
        unknown = [str(key) for key in cfg[section] if key not in parameters and not str(key).startswith("_")]
        if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            raise ConfigError(
                f"{section}.{unknown[0]}: there is no such option; {advice(unknown[0], list(parameters))}"
            )
    _check_numbers(cfg)


def _check_numbers(cfg: DictConfig) -> None:
    """Raise `ConfigError` for numbers that the trainer or the optimizer would refuse or ignore."""
    for name, bounds in _TRAINER_BOUNDS.items():
        value = cfg.trainer.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and value != _NO_LIMIT and not bounds.allow(value):
            raise ConfigError(f"trainer.{name}={value} is out of range: give a number of {bounds}")
    if not Bounds(0, above=True).allow(cfg.optimizer.get("lr", 1.0)):
        raise ConfigError(f"optimizer.lr={cfg.optimizer.lr} is out of range: give a number above 0")
    try:
        instantiate(cfg.optimizer)([torch.nn.Parameter(torch.zeros(1))])
    except InstantiationException as error:
        raise ConfigError(f"optimizer: {' '.join(str(error.__cause__ or error).split())}") from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"optimizer: {error}") from None


def _make_trainer(cfg: DictConfig, **others: Any) -> lightning.Trainer:
    options = OmegaConf.to_container(cfg.trainer, resolve=True)
    if is_sharded(cfg):
        others |= {"strategy": ShardedStrategy(), "inference_mode": False}
    try:
        return instantiate(options, **others)
    except InstantiationException as error:
        if not isinstance(error.__cause__, MisconfigurationException):
            raise
        reason = " ".join(str(error.__cause__).split())
        raise ConfigError(f"trainer: {reason} (task=doctor lists what this machine has)") from None


def _quieten_lightning() -> None:
    """Silence messages that say nothing about the run: advertisements, absent devices, deprecations."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*isinstance.treespec, LeafSpec.*",
        ".*overridden `transfer_batch_to_device`.*",
        ".*all_gather is deprecated.*",
        ".*sync_dist=True.*",  # every process logs values of the whole batch
        ".*Checkpoint directory .* exists and is not empty.*",  # it holds the run's other files
        ".*`srun` command is available.*",  # on a login node, or in a job of one process
    ):
        warnings.filterwarnings("ignore", message)
