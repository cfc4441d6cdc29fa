from functools import partial

import lightning
import pytest
import torch

from ntp.data.examples import TacticPair
from ntp.errors import ConfigError
from ntp.experimental.sharded_strategy import ShardedStrategy
from ntp.experimental.sharding import require_shardable
from ntp.modules.learner import Learner
from ntp.modules.sft import SFTModule
from ntp.modules.supervised_data import TacticDataModule

ADAM = partial(torch.optim.AdamW, lr=1e-3)


@pytest.fixture
def module(oracle):
    """What trains a policy in full."""
    return SFTModule(
        oracle.make_policy(seed=0), ADAM, prompt_weight=0.0, warmup_steps=0, decay_steps=0, keep_best=True
    )


def test_a_process_by_itself_is_refused(module):
    """However it came about, as with trainer.devices=auto."""
    trainer = lightning.Trainer(
        accelerator="cpu", devices=1, strategy=ShardedStrategy(), logger=False, enable_checkpointing=False
    )
    with pytest.raises(ConfigError, match="needs two devices or more"):
        trainer.fit(module, TacticDataModule([TacticPair("⊢ a", "b")], [], batch_size=1, seed=0))
    assert not torch.distributed.is_initialized()


def test_what_is_trained_in_full_is_refused(module):
    for learner in (module, Learner(ADAM, warmup_steps=0)):
        with pytest.raises(ConfigError, match="here all are trained"):
            require_shardable(learner.backbones())
