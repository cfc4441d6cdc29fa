"""Synchronises calls of sharded models between processes that make different numbers of calls."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, distributed, nn


class Lockstep:
    """Lets each process call sharded models any number of times.

    The weights of a sharded model are gathered layer by layer, so all processes must call it equally often
    and in the same order. Before each call a process announces which model it wants to call, and all
    processes agree on one of the announced calls. A process that wants another call, or none, makes a
    stand-in: a call of minimal size whose result is discarded. A process that has made all its calls makes
    stand-ins in `meet` until all processes have arrived there.

    The backward pass of a call gathers the weights again. All processes run it, since calls with and without
    gradients are distinguished, and stand-ins are connected to the result of `join`. Autograd processes
    independent calls from the last to the first, in the same order in all processes.

    Creating an instance and `meet` are collective operations of all processes.
    """

    def __init__(self) -> None:
        # A separate group on the CPU: no other operation interferes, and no GPU kernel waits for a prover.
        self._group = distributed.new_group(backend="gloo")
        self._stand_ins: list[Callable[[], Tensor]] = []
        self._unjoined: list[Tensor] = []
        self._standing_in = False

    def lead(self, model: nn.Module, stand_in: Callable[[], Tensor]) -> None:
        """Synchronise all further forward calls of `model`.

        Args:
            model: The same in all processes; all processes add models in the same order.
            stand_in: Calls the model on minimal input and returns its output, of any shape, which requires a
                gradient if those of other calls do.
        """
        number = len(self._stand_ins)
        self._stand_ins.append(stand_in)
        # Runs before the hook that gathers weights.
        model.register_forward_pre_hook(lambda *_: self._await_turn(number), prepend=True)

    def meet(self) -> None:
        """Make stand-ins until all processes have arrived; required before other collective operations."""
        while chosen := self._agree_on(0):
            self._stand_in(chosen)

    def join(self, rows: Tensor) -> Tensor:
        """Meet; returns `rows`, whose backward pass includes that of all stand-ins since the last call."""
        self.meet()
        unjoined, self._unjoined = self._unjoined, []
        # Empty sums: zero for any output of the stand-ins, and a path for zero gradients.
        return rows + sum(output.flatten()[:0].sum() for output in unjoined) if unjoined else rows

    def _await_turn(self, number: int) -> None:
        if self._standing_in:
            return
        wanted = 1 + 2 * number + torch.is_grad_enabled()
        while (chosen := self._agree_on(wanted)) != wanted:
            self._stand_in(chosen)

    def _agree_on(self, wanted: int) -> int:
        """The next call: one that some process wants, or 0 if none wants any."""
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
