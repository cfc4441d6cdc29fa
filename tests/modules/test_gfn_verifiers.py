"""A GFlowNet step whose reward asks an ensemble of verifiers."""

from functools import partial

import lightning
import pytest
import torch

from ntp.buffers.replay import ReplayBuffer
from ntp.losses.batch import TrajectoryBatch
from ntp.losses.trajectory_balance import Pairwise
from ntp.models.heads import HeadSettings
from ntp.modules.datamodules import TheoremDataModule
from ntp.modules.gfn_batch import balance_metrics
from ntp.modules.gfn_policy import GFNPolicyModule
from ntp.modules.rollout import RolloutConfig
from ntp.rewards.aggregation import WorstCase
from ntp.rewards.base import RewardComponents
from ntp.rewards.verifier import VerifierOnlyReward, VerifierReward
from ntp.types import Status
from ntp.verifier.calibration import Calibration
from ntp.verifier.ensemble import VerifierEnsemble
from ntp.verifier.features import ScoreFeatures
from ntp.verifier.model import VerifierModel

BEHAVIOUR = RolloutConfig(num_on_policy=24, num_replay=0, max_depth=2)
CALIBRATION = Calibration(
    ScoreFeatures("likelihood", 0.0, 0.1),
    mean=((-4.0,), (-6.0,)),
    std=((4.0,), (4.0,)),
    slope=((1.0,), (1.5,)),
    offset=((0.0,), (1.0,)),
)


class Watching(Pairwise):
    """The pairwise objective, which keeps what it was given."""

    def __call__(self, batch):
        self.batch = batch
        return super().__call__(batch)


@pytest.fixture
def ensemble(oracle):
    verifier = VerifierModel(oracle.make_policy(seed=5), HeadSettings(2, r=2, alpha=4))
    for layer in verifier.heads.layers.values():
        layer.b_KOR.data.normal_(std=0.5, generator=torch.Generator().manual_seed(0))
    return VerifierEnsemble(verifier, CALIBRATION)


def step(oracle, ensemble, reward, monkeypatch):
    """One training step: the module, what its objective was given, the groups, and the metrics logged."""
    objective = Watching()
    module = GFNPolicyModule(
        oracle.make_policy(seed=0),
        oracle.PRIOR,
        objective,
        reward,
        BEHAVIOUR,
        ReplayBuffer(32),
        partial(torch.optim.AdamW, lr=1e-3),
        ensemble,
        keep_unsolved=1.0,
        num_replay_theorems=0,
        log_z_lr=1e-2,
        warmup_steps=0,
        average_decay=0.98,
        seed=0,
    )
    seen = []
    monkeypatch.setattr(
        module, "_collate", lambda groups: seen.append(groups) or type(module)._collate(module, groups)
    )
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=TheoremDataModule(oracle.THEOREMS, oracle.make_env, 3, 3, seed=0))
    attempts = [attempt for group in seen[0] for attempt in group.attempts]
    return module, objective.batch, attempts, trainer.callback_metrics


@pytest.mark.parametrize("reward", [VerifierReward(WorstCase()), VerifierOnlyReward(WorstCase())])
def test_verifiers_are_asked_about_the_tactic_that_the_reward_names(reward, oracle, ensemble, monkeypatch):
    _, batch, attempts, metrics = step(oracle, ensemble, reward, monkeypatch)
    assert {a.status for a in attempts} >= {Status.PROVED, Status.STUCK, Status.TRUNCATED}
    steps = [reward.scored_step(attempt.status, len(attempt.tactics)) for attempt in attempts]
    asked = [attempt for attempt, step in zip(attempts, steps, strict=True) if step is not None]
    for attempt, scored, log_reward, std in zip(
        attempts, steps, batch.log_reward_N.tolist(), batch.log_reward_std_N.tolist(), strict=True
    ):
        log_odds = ()
        if scored is not None:
            scores = ensemble.score([(attempt.states[scored], attempt.tactics[scored])])
            log_odds = tuple(scores.log_odds_KN[:, 0].tolist())
        components = RewardComponents(attempt.log_ref, attempt.status, log_odds)
        assert log_reward == pytest.approx(reward.log_reward(components, 0), abs=1e-4)
        assert std == pytest.approx(reward.log_reward_std(components, 0), abs=1e-4)
        assert scored is not None or std == 0
    assert batch.log_reward_std_N.max() > 0
    if isinstance(reward, VerifierOnlyReward):
        proved = sum(a.status is Status.PROVED for a in asked) / len(asked)
        assert metrics["verifier/proved"] == pytest.approx(proved)
    else:
        assert "verifier/proved" not in metrics
    worst = torch.tensor([min(a.log_odds) for a in asked]).sigmoid().mean()
    assert metrics["verifier/probability"] == pytest.approx(worst.item(), abs=1e-5)


def test_verifiers_are_neither_trained_nor_saved(oracle, ensemble, monkeypatch):
    before = [p.detach().clone() for p in ensemble.model.parameters()]
    module, *_ = step(oracle, ensemble, VerifierReward(), monkeypatch)
    assert all(torch.equal(p, q) for p, q in zip(before, ensemble.model.parameters(), strict=True))
    checkpoint = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    assert all(name.startswith("policy.") for name in checkpoint["state_dict"])


def test_pairs_that_verifiers_cannot_tell_apart_are_counted():
    def metrics(log_reward_std):
        batch = TrajectoryBatch(
            log_pf_N=torch.zeros(4),
            log_reward_N=torch.tensor([0.0, 1.0, 5.0, 0.0]),
            group_N=torch.tensor([0, 0, 0, 1]),
            proved_N=torch.zeros(4, dtype=torch.bool),
            log_reward_std_N=torch.tensor(log_reward_std),
        )
        return balance_metrics(batch)

    # 0 and 1 are closer than hypot(3, 4) = 5, as are 1 and 5; 0 and 5 are just far enough.
    assert metrics([3.0, 4.0, 4.0, 9.0])["train/doubtful_pairs"] == pytest.approx(2 / 3)
    assert "train/doubtful_pairs" not in metrics([0.0] * 4)
