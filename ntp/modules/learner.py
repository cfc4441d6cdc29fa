"""The base class of all LightningModules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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

from ntp.errors import CheckpointError
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

# Fraction of the full rate at which a cosine ends.
_FINAL_RATE = 0.1
# A single step is noise; the mean over this fraction of a run, at its end, is what the run has reached.
_LAST_FRACTION = 0.2
_AVERAGED = ("train/", "rollout/", "verifier/")


class Learner(lightning.LightningModule):
    """A module whose batches are text and whose checkpoints hold trainable parameters only.

    Frozen backbones are not written to checkpoints: they are reloaded from their original source.

    In a distributed run every process receives the whole batch, scores its share of it, and computes the loss
    of the whole batch from the scores of all processes. So normalisers, groups and logged numbers do not
    depend on the number of processes, and the loss is the same up to rounding.

    Processes may share a sharded backbone (`ntp.experimental.sharding`). They must then call `meet` after
    calls to it whose number differs between processes, and before any other collective operation.

    Args:
        optimizer: Builds the optimizer from parameters or their groups.
        warmup_steps: Optimizer steps of linear warm-up.
        decay_steps: Steps after which the learning rate has decayed to a tenth, by a cosine; 0 for no decay.

    Attributes:
        lockstep: Coordinates sharded backbones; None if every process has all weights.
        selected_by: The validation metric whose least value selects the weights that are saved; None to save
            the last ones.
    """

    def __init__(self, optimizer: OptimizerFactory, warmup_steps: int, decay_steps: int = 0) -> None:
        super().__init__()
        self.strict_loading = False
        self._optimizer = optimizer
        self._warmup_steps = warmup_steps
        self._decay_steps = decay_steps
        self._saved_rng: Mapping[str, Any] | None = None
        self._saved_metrics: Mapping[str, float] = {}
        self._history = MetricHistory()
        self.lockstep: Lockstep | None = None
        self.selected_by: str | None = None

    def optimized(self) -> Iterable[Any]:
        """The parameters to train, or groups of them with their own optimizer options."""
        return [p for p in self.parameters() if p.requires_grad]

    def save(self, directory: Path) -> None:
        """Write the trained model for later use."""
        raise NotImplementedError

    def save_from_main(self, directory: Path) -> None:
        """`save` in the main process; must be called in all, since it may need the others' shards."""
        if is_main():
            self.save(directory)
        self.meet()

    def backbones(self) -> Sequence[Backbone]:
        """The models whose frozen weights may be sharded; none by default."""
        return ()

    def meet(self) -> None:
        """Wait until all processes arrive, and take part in their calls to a sharded backbone until then."""
        if self.lockstep is not None:
            self.lockstep.meet()

    def configure_optimizers(self) -> Any:
        """One optimizer over `optimized()`, which must contain all trainable parameters; a rate per step."""
        optimizer = self._optimizer(self.optimized())
        require_each_once(self, optimizer)
        schedule = learning_rate_schedule(optimizer, self._warmup_steps, self._decay_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's share of common items: a slice, since neighbours often share states or files."""
        size = -(-len(items) // self._num_processes)
        return items[size * self.global_rank :][:size]

    def gather(self, mine: Sequence[T], num_items: int) -> list[T]:
        """The shares of all processes, `num_items` in order; values are pickled."""
        if self._num_processes == 1:
            return list(mine)
        self.meet()
        parts: list[Any] = [None] * self._num_processes
        distributed.all_gather_object(parts, list(mine))
        items = [item for part in parts for item in part]
        assert len(items) == num_items, "processes disagree about the common items"
        return items

    def score_together(self, items: Sequence[T], score: Callable[[Sequence[T]], Tensor]) -> Tensor:
        """`score(items)`, one row per item, where every process scores its share; differentiable.

        If every process computes the same loss from it, the gradient averaged over processes equals that of a
        single process.
        """
        if self._num_processes == 1 or not items:
            return score(items)
        mine = self.share(items)
        # All must take part in the backward pass: a process without a share scores an item and drops its row.
        rows = score(mine or items[:1])[: len(mine)]
        if self.lockstep is not None:
            rows = self.lockstep.join(rows)
        missing = -(-len(items) // self._num_processes) - len(mine)
        padded = F.pad(rows, (0, 0) * (rows.ndim - 1) + (0, missing)).to(self.device)
        everybodys = self.all_gather(padded, sync_grads=rows.requires_grad)
        assert isinstance(everybodys, Tensor)
        return everybodys.flatten(0, 1)[: len(items)]

    def log(self, name: str, value: Any, *args: Any, **kwargs: Any) -> None:
        """Log a metric, and keep its history for `final_metrics`."""
        super().log(name, value, *args, **kwargs)
        self._history.add(name, value, self.trainer.global_step)

    def final_metrics(self) -> dict[str, float]:
        """What the run has reached, also with metrics that were logged before it was resumed.

        Metrics of training steps are means over the last fifth of the run, others are the last values logged.
        """
        return {**self._last_metrics(), **self._history.means(self.trainer.global_step)}

    def _last_metrics(self) -> dict[str, float]:
        logged = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        return {**self._saved_metrics, **logged}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save trainable parameters only, the random states of all processes, and the metrics."""
        checkpoint["state_dict"] = keep_trainables(self, checkpoint["state_dict"])
        checkpoint["rng_states"] = self.gather([rng_state()], self._num_processes)
        checkpoint["metrics"] = self._last_metrics()
        checkpoint["metric_history"] = self._history.state_dict()

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Load them; raises `CheckpointError` if a trainable parameter is missing."""
        require_only_frozen_missing(self, checkpoint["state_dict"])
        states = checkpoint["rng_states"]
        # With another number of processes the run continues, but is not reproduced exactly.
        self._saved_rng = states[self.global_rank % len(states)]
        self._saved_metrics = checkpoint["metrics"]
        self._history.load_state_dict(checkpoint["metric_history"])

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """After a resume, restore the random state of the last step."""
        if self._saved_rng is not None:
            restore_rng_state(self._saved_rng)
            self._saved_rng = None

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:  # noqa: ARG002
        """Do nothing: batches are text, and the models place their own tensors."""
        return batch

    @property
    def _num_processes(self) -> int:
        return distributed.get_world_size() if distributed.is_initialized() else 1


class MetricHistory:
    """The values of metrics of training steps, with the steps that they were logged at."""

    def __init__(self) -> None:
        self._steps: dict[str, list[int]] = {}
        self._values: dict[str, list[Tensor | float]] = {}

    def add(self, name: str, value: Tensor | float, step: int) -> None:
        """Keep a value, without waiting for the device that computes it."""
        if name.startswith(_AVERAGED):
            self._steps.setdefault(name, []).append(step)
            kept = value.detach() if isinstance(value, Tensor) else float(value)
            self._values.setdefault(name, []).append(kept)

    def means(self, num_steps: int) -> dict[str, float]:
        """Mean of each metric over the last fifth of a run; its last value if it was not logged there.

        Args:
            num_steps: Steps of the whole run.
        """
        begin = num_steps - max(1, round(_LAST_FRACTION * num_steps))
        found = {}
        for name, steps in self._steps.items():
            values = [float(v) for s, v in zip(steps, self._values[name], strict=True) if s >= begin]
            found[name] = sum(values) / len(values) if values else float(self._values[name][-1])
        return found

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Everything kept, as tensors that `torch.load` accepts with `weights_only`."""
        return {
            name: {
                "steps": torch.tensor(steps),
                "values": torch.tensor([float(v) for v in self._values[name]], dtype=torch.float64),
            }
            for name, steps in self._steps.items()
        }

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Replace the contents with those of a `state_dict`."""
        self._steps = {name: kept["steps"].tolist() for name, kept in state.items()}
        self._values = {name: kept["values"].tolist() for name, kept in state.items()}


class WeightAverage:
    """Exponential moving average of trained weights over training steps.

    Adam's steps keep their length near an optimum, so at a constant learning rate the last weights are one
    sample of a walk around it.

    After n updates the decay is min(decay, (1 + n) / (10 + n)), so that the first weights are soon forgotten
    (as in TensorFlow's ExponentialMovingAverage).

    Args:
        parameters: The parameters in training. Only these are copied.
        decay: Weight of the average against the present parameters, in [0, 1]; 0 is the last weights.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float) -> None:
        self._parameters = list(parameters)
        # In 16 bits a small step would be rounded away. Without decay nothing is copied.
        kept = self._parameters if decay else []
        self._averages = [parameter.detach().float().clone() for parameter in kept]
        self._decay = decay
        self._num_updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the present parameters."""
        if not self._decay:
            return
        decay = min(self._decay, (1 + self._num_updates) / (10 + self._num_updates))
        self._num_updates += 1
        # On the parameters' device, which they may have been moved to since.
        self._averages = [a.to(p.device) for a, p in zip(self._averages, self._parameters, strict=True)]
        for average, parameter in zip(self._averages, self._parameters, strict=True):
            average.lerp_(parameter.float(), 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the parameters be the average."""
        if not self._decay:
            yield
            return
        present = [parameter.detach().clone() for parameter in self._parameters]
        self._set(self._averages)
        try:
            yield
        finally:
            self._set(present)

    def state_dict(self) -> dict[str, object]:
        """Everything kept, as containers that `torch.load` accepts with `weights_only`."""
        return {"num_updates": self._num_updates, "averages": [a.cpu() for a in self._averages]}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Replace what is kept.

        Raises:
            CheckpointError: It is of other parameters.
        """
        averages, num_updates = state["averages"], state["num_updates"]
        assert isinstance(averages, list) and isinstance(num_updates, int)
        if [a.shape for a in averages] != [a.shape for a in self._averages]:
            raise CheckpointError("the checkpoint's averages are of another model")
        self._averages, self._num_updates = averages, num_updates

    @torch.no_grad()
    def _set(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self._parameters, values, strict=True):
            parameter.copy_(value)


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
    """Assert that the optimizer holds every trainable parameter of the module once, and nothing else."""
    trained = sorted(id(p) for group in optimizer.param_groups for p in group["params"])
    trainable = sorted(id(p) for p in module.parameters() if p.requires_grad)
    assert trained == trainable, "the optimizer must hold every trainable parameter exactly once"
