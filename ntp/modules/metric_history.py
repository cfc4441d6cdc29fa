"""Metrics of training steps, averaged over the end of a run."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

# A single step is noise; the mean over this fraction of a run, at its end, is what the run has reached.
LAST_FRACTION = 0.2
_AVERAGED = ("train/", "rollout/", "verifier/")


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
        begin = num_steps - max(1, round(LAST_FRACTION * num_steps))
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
