"""Exponential moving average of trained weights, which is what a run of tuning saves.

Adam's steps keep their length near an optimum, so at a constant learning rate the last weights are one sample
of a walk around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ntp.errors import CheckpointError


class WeightAverage:
    """The average of parameters over training steps.

    After n updates the decay is min(decay, (1 + n) / (10 + n)), so that the first weights are soon forgotten
    (as in TensorFlow's ExponentialMovingAverage).

    Args:
        parameters: The parameters in training. Only these are copied.
        decay: Weight of the average against the present parameters, in [0, 1); 0 is the last weights.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float) -> None:
        self._parameters = list(parameters)
        self._averages = [parameter.detach().clone() for parameter in self._parameters]
        self._decay = decay
        self._num_updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the present parameters."""
        decay = min(self._decay, (1 + self._num_updates) / (10 + self._num_updates))
        self._num_updates += 1
        # On the parameters' device, which they may have been moved to since.
        self._averages = [a.to(p.device) for a, p in zip(self._averages, self._parameters, strict=True)]
        for average, parameter in zip(self._averages, self._parameters, strict=True):
            average.lerp_(parameter, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the parameters be the average."""
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
        if [a.shape for a in averages] != [p.shape for p in self._parameters]:
            raise CheckpointError("the checkpoint's averages are of another model")
        self._averages, self._num_updates = averages, num_updates

    @torch.no_grad()
    def _set(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self._parameters, values, strict=True):
            parameter.copy_(value)
