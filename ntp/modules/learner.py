"""What all our LightningModules share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import nn
from torch.optim import Optimizer

from ntp.modules.schedule import warmup_then_cosine
from ntp.modules.trainables import keep_trainables, require_only_frozen_missing

OptimizerFactory = Callable[[Iterable[Any]], Optimizer]


class Learner(lightning.LightningModule):
    """A module whose batches are text and whose checkpoints hold trainable parameters only.

    A frozen backbone is not written again and again: it is loaded from where it came.

    Args:
        optimizer: Builds the optimizer from parameters or their groups.
        warmup_steps: Optimizer steps of linear warm-up.
        decay_steps: Steps after which the learning rate has fallen to a tenth, by a cosine; 0 for none.
    """

    def __init__(self, optimizer: OptimizerFactory, warmup_steps: int = 0, decay_steps: int = 0) -> None:
        super().__init__()
        self.strict_loading = False
        self._optimizer = optimizer
        self._warmup_steps = warmup_steps
        self._decay_steps = decay_steps

    def optimized(self) -> Iterable[Any]:
        """The parameters to train, or groups of them with options of their own."""
        return [p for p in self.parameters() if p.requires_grad]

    def save(self, directory: Path) -> None:
        """Write what was trained, for those who use it."""
        raise NotImplementedError

    def configure_optimizers(self) -> Any:
        """One optimizer over `optimized()`, which must be all that can be trained; learning rate by step."""
        optimizer = self._optimizer(self.optimized())
        require_each_once(self, optimizer)
        schedule = warmup_then_cosine(optimizer, self._warmup_steps, self._decay_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep trainable parameters only."""
        checkpoint["state_dict"] = keep_trainables(self, checkpoint["state_dict"])

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Raise `CheckpointError` unless everything that is missing is frozen."""
        require_only_frozen_missing(self, checkpoint["state_dict"])

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:  # noqa: ARG002
        """Batches are text; the models place their own tensors."""
        return batch


def require_each_once(module: nn.Module, optimizer: Optimizer) -> None:
    """Assert that the optimizer has every trainable parameter of the module once, and nothing else."""
    trained = sorted(id(p) for group in optimizer.param_groups for p in group["params"])
    trainable = sorted(id(p) for p in module.parameters() if p.requires_grad)
    assert trained == trainable, "the optimizer must hold every trainable parameter exactly once"
