"""Lightning's DDP strategy, with the frozen backbone sharded over the processes."""

from __future__ import annotations

from lightning.pytorch.strategies import DDPStrategy
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from ntp.errors import ConfigError
from ntp.experimental.sharding import require_shardable, shard
from ntp.modules.learner import Learner


class ShardedStrategy(DDPStrategy):
    """Every process keeps a shard of a learner's backbones; trainable parameters are handled as in DDP.

    For CPUs (gloo) and GPUs (NCCL). Every process first reads the whole model into the machine's memory. The
    trainer must validate without `torch.inference_mode`, because weights gathered in that mode cannot be used
    in training.
    """

    def setup_environment(self) -> None:
        """Join the other processes.

        Raises:
            ConfigError: There are none.
        """
        if self.num_nodes * self.num_processes < 2:
            raise ConfigError("trainer.strategy=fsdp needs two devices or more: give trainer.devices")
        super().setup_environment()

    def model_to_device(self) -> None:
        """Shard what is not sharded yet, then move everything else to the device."""
        learner = self.lightning_module
        assert isinstance(learner, Learner)
        if learner.lockstep is None:
            self._shard(learner)
        super().model_to_device()

    def teardown(self) -> None:
        """End without moving the module: saving and validating still call it, and its shards are here."""
        learner = self.lightning_module
        self.model = learner  # without DDP's wrapper
        self._lightning_module = None
        super().teardown()
        self.model = self._lightning_module = learner

    def _shard(self, learner: Learner) -> None:
        backbones = learner.backbones()
        require_shardable(backbones)
        # A separate group, so that gathering weights and averaging gradients do not interfere.
        group = distributed.new_group()
        assert isinstance(group, distributed.ProcessGroup)
        mesh = DeviceMesh.from_group(group, self.root_device.type)
        learner.lockstep = shard(backbones, mesh)
        sharded = [name for name, p in learner.named_parameters() if isinstance(p, DTensor)]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(learner, sharded)
