"""What all our LightningModules share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import lightning
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F  # noqa: N812
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers.optimization import (
    get_constant_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup,
)

from ntp.experimental.lockstep import Lockstep
from ntp.experimental.sharding import Backbone
from ntp.modules.checkpoint_state import (
    keep_trainables,
    require_only_frozen_missing,
    restore_rng_state,
    rng_state,
)
from ntp.tracking.processes import is_main

OptimizerFactory = Callable[[Iterable[Any]], Optimizer]
T = TypeVar("T")

# Of the full rate, where a cosine ends.
_FINAL_RATE = 0.1


class Learner(lightning.LightningModule):
    """A module whose batches are text and whose checkpoints hold trainable parameters only.

    A frozen backbone is not written again and again: it is loaded from where it came.

    In a distributed run every process is given the whole batch, scores its share of it, and computes the loss
    of the whole from everybody's scores. So normalisers, groups and logged numbers are those of one process,
    however many there are: the loss is the same to rounding.

    Processes may share a sharded backbone (`ntp.experimental.sharding`). Then they must `meet` after calls
    to it that are not equally many in all, and before they do anything else together.

    Args:
        optimizer: Builds the optimizer from parameters or their groups.
        warmup_steps: Optimizer steps of linear warm-up.
        decay_steps: Steps after which the learning rate has fallen to a tenth, by a cosine; 0 for none.

    Attributes:
        lockstep: Of sharded backbones; None where every process has all weights.
    """

    def __init__(self, optimizer: OptimizerFactory, warmup_steps: int, decay_steps: int = 0) -> None:
        super().__init__()
        self.strict_loading = False
        self._optimizer = optimizer
        self._warmup_steps = warmup_steps
        self._decay_steps = decay_steps
        self._saved_rng: Mapping[str, Any] | None = None
        self.lockstep: Lockstep | None = None

    def optimized(self) -> Iterable[Any]:
        """The parameters to train, or groups of them with options of their own."""
        return [p for p in self.parameters() if p.requires_grad]

    def save(self, directory: Path) -> None:
        """Write what was trained, for those who use it."""
        raise NotImplementedError

    def save_from_main(self, directory: Path) -> None:
        """`save` in the main process; to be called in all, since it may need the others' shards."""
        if is_main():
            self.save(directory)
        self.meet()

    def backbones(self) -> Sequence[Backbone]:
        """The models whose frozen weights may be sharded; by itself a learner has none."""
        return ()

    def meet(self) -> None:
        """Wait until all processes are here, and help those who still call a sharded backbone."""
        if self.lockstep is not None:
            self.lockstep.meet()

    def configure_optimizers(self) -> Any:
        """One optimizer over `optimized()`, which must be all that can be trained; learning rate by step."""
        optimizer = self._optimizer(self.optimized())
        require_each_once(self, optimizer)
        schedule = learning_rate_schedule(optimizer, self._warmup_steps, self._decay_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of what all have: a slice, since neighbours have states or files in common."""
        size = -(-len(items) // self._num_processes)
        return items[size * self.global_rank :][:size]

    def gather(self, mine: Sequence[T], num_items: int) -> list[T]:
        """Everybody's parts of `num_items` in order; values are pickled."""
        if self._num_processes == 1:
            return list(mine)
        self.meet()
        parts: list[Any] = [None] * self._num_processes
        distributed.all_gather_object(parts, list(mine))
        items = [item for part in parts for item in part]
        assert len(items) == num_items, "processes disagree about what they share"
        return items

    def score_together(self, items: Sequence[T], score: Callable[[Sequence[T]], Tensor]) -> Tensor:
        """`score(items)`, one row per item, with every process scoring its share; differentiable.

        The gradient of a loss that every process computes from it is, averaged over processes, that of one
        process.
        """
        if self._num_processes == 1 or not items:
            return score(items)
        mine = self.share(items)
        # All must take part in the backward pass: who has no share scores an item and leaves its row out.
        rows = score(mine or items[:1])[: len(mine)]
        if self.lockstep is not None:
            rows = self.lockstep.join(rows)
        missing = -(-len(items) // self._num_processes) - len(mine)
        padded = F.pad(rows, (0, 0) * (rows.ndim - 1) + (0, missing)).to(self.device)
        everybodys = self.all_gather(padded, sync_grads=rows.requires_grad)
        assert isinstance(everybodys, Tensor)
        return everybodys.flatten(0, 1)[: len(items)]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep trainable parameters only, and every process's random state."""
        checkpoint["state_dict"] = keep_trainables(self, checkpoint["state_dict"])
        checkpoint["rng_states"] = self.gather([rng_state()], self._num_processes)

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Raise `CheckpointError` unless everything that is missing is frozen."""
        require_only_frozen_missing(self, checkpoint["state_dict"])
        states = checkpoint["rng_states"]
        # With another number of processes the run goes on, as good and not the same.
        self._saved_rng = states[self.global_rank % len(states)]

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """After a resume, put back the random state of the last step."""
        if self._saved_rng is not None:
            restore_rng_state(self._saved_rng)
            self._saved_rng = None

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:  # noqa: ARG002
        """Batches are text; the models place their own tensors."""
        return batch

    @property
    def _num_processes(self) -> int:
        return distributed.get_world_size() if distributed.is_initialized() else 1


def learning_rate_schedule(optimizer: Optimizer, warmup_steps: int, decay_steps: int) -> LambdaLR:
    """Linear warm-up, then a cosine down to a tenth of the rate, constant from there.

    Args:
        optimizer: The optimizer whose rates are set; every parameter group is scaled alike.
        warmup_steps: Steps of warm-up: the first has 1/`warmup_steps` of the rate, the last all of it.
        decay_steps: Step at which the cosine ends, counted from the start of training. With 0, or any number
            up to `warmup_steps`, the full rate is kept after the warm-up.
    """
    if decay_steps <= warmup_steps:
        library = get_constant_schedule_with_warmup(optimizer, warmup_steps)
    else:
        library = get_cosine_with_min_lr_schedule_with_warmup(
            optimizer, warmup_steps, decay_steps, min_lr_rate=_FINAL_RATE
        )
    scale = library.lr_lambdas[0]
    last_step = max(warmup_steps, decay_steps)

    def shifted_scale(step: int) -> float:
        # Transformers starts the warm-up with a rate of 0, a wasted step, and lets the rate rise again after
        # the end of the cosine.
        return scale(step + 1 if step < warmup_steps else min(step, last_step))

    return LambdaLR(optimizer, shifted_scale)


def require_each_once(module: nn.Module, optimizer: Optimizer) -> None:
    """Assert that the optimizer has every trainable parameter of the module once, and nothing else."""
    trained = sorted(id(p) for group in optimizer.param_groups for p in group["params"])
    trainable = sorted(id(p) for p in module.parameters() if p.requires_grad)
    assert trained == trainable, "the optimizer must hold every trainable parameter exactly once"
