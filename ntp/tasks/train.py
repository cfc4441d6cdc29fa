"""Train what the config's module trains, on every device and node that the trainer is given."""

from __future__ import annotations

import logging
import time
import warnings

import lightning
from hydra.utils import instantiate
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import OmegaConf

from ntp.data.dataset import Dataset
from ntp.models.sharding import require_shardable
from ntp.modules.sharded_strategy import ShardedStrategy
from ntp.tasks.context import Context
from ntp.tasks.learners import LEARNERS
from ntp.tasks.placement import is_sharded
from ntp.tracking.checkpoints import AtomicCheckpointIO, LastCheckpoint, find_resume_checkpoint
from ntp.tracking.training_progress import TrainingProgress


def run(context: Context) -> dict[str, float]:
    """Train until the trainer's limits, from the last checkpoint when there is one, and save the policy.

    Raises:
        CheckpointError: The last checkpoint is for another model.
        ConfigError: The model cannot be sharded, and was to be.
    """
    started = time.monotonic()
    _quieten_lightning()
    cfg, directory = context.cfg, context.directory
    lightning.seed_everything(cfg.seed, verbose=False)
    dataset = Dataset.load(context.inputs["dataset"])
    context.mlflow.set_tags({"dataset": dataset.metadata.content_hash})
    module, datamodule = LEARNERS[cfg.module.name](cfg, dataset, context.inputs)
    plugins: list[object] = [AtomicCheckpointIO()]
    if SLURMEnvironment.detect():
        plugins.append(SLURMEnvironment(auto_requeue=False))  # two who put a job back into the queue fight
    sharded = is_sharded(cfg)
    if sharded:
        require_shardable(module.backbones())
    trainer = instantiate(
        OmegaConf.to_container(cfg.trainer, resolve=True),
        strategy=ShardedStrategy() if sharded else cfg.trainer.strategy,
        inference_mode=not sharded,
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
    try:
        trainer.fit(module, datamodule, ckpt_path=find_resume_checkpoint(directory), weights_only=True)
    except SystemExit:  # how Lightning ends after Ctrl-C
        raise KeyboardInterrupt from None
    module.save_from_main(directory)
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    if is_overridden("validation_step", module):
        # As trained at the end, which need not be when it was last validated.
        (last,) = trainer.validate(module, datamodule, verbose=False) or ({},)
        metrics |= last
    return {
        **metrics,
        "num_steps": trainer.global_step,
        "wall_s": time.monotonic() - started,
    }


def _quieten_lightning() -> None:
    """Silence what says nothing about the run: advertisements, absent devices, its own deprecations."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*isinstance.treespec, LeafSpec.*",
        ".*overridden `transfer_batch_to_device`.*",
        ".*all_gather is deprecated.*",
        ".*sync_dist=True.*",  # what is logged is of the whole batch in every process
        ".*`srun` command is available.*",  # on a login node, or in a job of one process
    ):
        warnings.filterwarnings("ignore", message)
