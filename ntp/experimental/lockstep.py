"""Calls of sharded models, made by all processes at once although each has calls of its own to make."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, distributed, nn


class Lockstep:
    """Lets processes call sharded models as often as each of them likes.

    The weights of a sharded model are gathered layer by layer, so that all processes must call it equally
    often and in the same order. Before each call a process says which model it is about to call. All agree on
    one of the calls that are asked for; who asked for another, or has none to make, makes a stand-in for it,
    a call of the least size whose outcome is of no use. Who has made all its calls says so at the next
    meeting and stands in there, until all have come.

    The backward pass of a call gathers the weights again. It has one in every process since calls with and
    without gradients are told apart, and stand-ins are joined to what the meeting hands on. Autograd goes
    through independent calls from the latest to the first, in all processes alike.

    Making one needs all processes, as meetings do.
    """

    def __init__(self) -> None:
        # Of its own, over the CPU: nothing else gets between, and no GPU waits in a kernel for a prover.
        self._group = distributed.new_group(backend="gloo")
        self._stand_ins: list[Callable[[], Tensor]] = []
        self._unjoined: list[Tensor] = []
        self._standing_in = False

    def lead(self, model: nn.Module, stand_in: Callable[[], Tensor]) -> None:
        """Keep all further forward calls of `model` in step.

        Args:
            model: In all processes the same; models are led in the same order everywhere.
            stand_in: Calls the model on as little as it takes, and gives its output, of any shape, which
                requires a gradient where those of other calls do.
        """
        number = len(self._stand_ins)
        self._stand_ins.append(stand_in)
        # Before the hook that gathers weights.
        model.register_forward_pre_hook(lambda *_: self._await_turn(number), prepend=True)

    def meet(self) -> None:
        """Stand in for others until all processes are here; to come before all else that they do together."""
        while chosen := self._agree_on(0):
            self._stand_in(chosen)

    def join(self, rows: Tensor) -> Tensor:
        """Meet; then `rows`, whose backward pass is also that of all stand-ins since the last time."""
        self.meet()
        unjoined, self._unjoined = self._unjoined, []
        # Sums of nothing: zero whatever the stand-ins gave, and a way for gradients of zero.
        return rows + sum(output.flatten()[:0].sum() for output in unjoined) if unjoined else rows

    def _await_turn(self, number: int) -> None:
        if self._standing_in:
            return
        wanted = 1 + 2 * number + torch.is_grad_enabled()
        while (chosen := self._agree_on(wanted)) != wanted:
            self._stand_in(chosen)

    def _agree_on(self, wanted: int) -> int:
        """The call that is made next: one that some process wants, or 0 if none wants any."""
        call = torch.tensor(wanted)
        distributed.all_reduce(call, distributed.ReduceOp.MAX, group=self._group)
        return int(call)

    def _stand_in(self, call: int) -> None:
        number, with_gradient = divmod(call - 1, 2)
        self._standing_in = True
        try:
            with torch.set_grad_enabled(bool(with_gradient)):
                output = self._stand_ins[number]()
        finally:
            self._standing_in = False
        if output.requires_grad:
            self._unjoined.append(output)
