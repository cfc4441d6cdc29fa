"""The modules train an encoder-decoder policy as they train any other."""

from functools import partial

import lightning
import pytest
import torch

from ntp.buffers.replay import ReplayBuffer
from ntp.data.examples import TacticPair
from ntp.losses.trajectory_balance import TrajectoryBalance, VarGrad
from ntp.modules.datamodules import TheoremDataModule
from ntp.modules.gfn_policy import GFNPolicyModule
from ntp.modules.rollout import RolloutConfig
from ntp.modules.sft import SFTModule
from ntp.policy.factory import Seq2SeqPolicyFactory
from ntp.policy.prompt import SampleRequest, SamplingParams
from ntp.rewards.kernel import KernelReward

PAIRS = [
    TacticPair("n : ℕ\n⊢ n + 0 = n", "simp"),
    TacticPair("⊢ True", "trivial"),
    TacticPair("P : Prop\nh : P\n⊢ P", "assumption"),
]


def make_policy(byt5, adapter=None):
    return Seq2SeqPolicyFactory(str(byt5), adapter, max_state_tokens=64, max_tactic_tokens=16).create()


def train_supervised(policy, pairs, num_steps, lr):
    module = SFTModule(
        policy, partial(torch.optim.AdamW, lr=lr), 0.5, warmup_steps=0, decay_steps=0, keep_best=True
    )
    module.log = lambda *args, **kwargs: None  # no trainer to log to
    optimizer = module.configure_optimizers()["optimizer"]
    losses = []
    for _ in range(num_steps):
        optimizer.zero_grad()
        loss = module.training_step(pairs)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("adapter", [None, {"r": 8, "alpha": 16}])
def test_supervised_training_learns_the_tactics(byt5, adapter):
    policy = make_policy(byt5, adapter)
    losses = train_supervised(policy, PAIRS, 120, lr=1e-2)
    tactics = [policy.encode_tactic(pair.tactic) for pair in PAIRS]
    with torch.no_grad():
        log_p_N = policy.score_texts([pair.state for pair in PAIRS], tactics).tactic_N
    num_tokens = sum(len(ids) + 1 for ids in tactics)
    assert -log_p_N.sum().item() / num_tokens < (0.05 if adapter is None else 0.6) * losses[0]
    if adapter is None:
        rows = policy.sample(
            [SampleRequest(pair.state, tuple(map(SamplingParams, range(5)))) for pair in PAIRS]
        )
        said = [[tactic.text for tactic in row] for row in rows]
        assert sum(text == pair.tactic for pair, row in zip(PAIRS, said, strict=True) for text in row) >= 12


@pytest.mark.parametrize("adapter", [None, {"r": 4}])
@pytest.mark.parametrize("objective", [TrajectoryBalance, VarGrad])
def test_a_step_of_tuning_moves_every_trainable_parameter(byt5, oracle, objective, adapter, tmp_path):
    policy = make_policy(byt5, adapter)
    reference = policy.make_reference()
    # So that it finds proofs, and is no longer the reference, from which nothing could be learned by failing.
    roots = [oracle.make_env().open(theorem).root.text for theorem in oracle.THEOREMS]
    train_supervised(policy, [TacticPair(root, word) for root in roots for word in "ab"], 40, lr=1e-2)
    module = GFNPolicyModule(
        policy,
        reference,
        objective(),
        KernelReward(),
        RolloutConfig(num_on_policy=12, num_tempered=4, num_replay=2, max_depth=3),
        ReplayBuffer(32),
        partial(torch.optim.AdamW, lr=1e-3),
        keep_unsolved=1.0,
        num_replay_theorems=0,
        log_z_lr=0.1,
        warmup_steps=0,
        average_decay=0.98,
        seed=0,
    )
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    prior = [p.clone() for p in reference.parameters()]
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=3,
        default_root_dir=tmp_path,
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    theorems = oracle.THEOREMS
    trainer.fit(
        module, datamodule=TheoremDataModule(theorems, oracle.make_env, len(theorems), len(theorems), seed=0)
    )
    still = {name for name, p in module.named_parameters() if torch.equal(p, before[name])}
    assert still == {name for name, p in module.named_parameters() if not p.requires_grad}
    assert bool(still) == (adapter is not None)
    assert all(torch.equal(a, b) for a, b in zip(prior, reference.parameters(), strict=True))
    assert (module.log_z is not None) == (objective is TrajectoryBalance)
    if adapter is None:
        assert len(module.buffer) > 0
