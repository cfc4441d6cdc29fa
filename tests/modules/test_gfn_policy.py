from functools import partial
from pathlib import Path

import lightning
import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from ntp.buffers.replay import ReplayBuffer
from ntp.envs.toy import ToyEnv, ToyNode, toy_theorem
from ntp.errors import CheckpointError, EnvError
from ntp.losses.anchored_balance import AnchoredBalance
from ntp.losses.expert_iteration import ExpertIteration
from ntp.losses.goal_balance import GoalBalance
from ntp.losses.subtrajectory_balance import DetailedBalance, SubTrajectoryBalance
from ntp.losses.trajectory_balance import Pairwise, TrajectoryBalance, VarGrad
from ntp.modules.curriculum import Frontier
from ntp.modules.datamodules import TheoremDataModule
from ntp.modules.gfn_policy import GFNPolicyModule
from ntp.modules.learner import require_each_once
from ntp.modules.rollout import RolloutConfig
from ntp.rewards.kernel import KernelReward
from ntp.types import Crashed, Proved, Timeout

OBJECTIVES = [
    TrajectoryBalance,
    SubTrajectoryBalance,
    DetailedBalance,
    VarGrad,
    Pairwise,
    AnchoredBalance,
    GoalBalance,
    ExpertIteration,
]
MIXED = RolloutConfig(num_on_policy=12, num_tempered=4, num_replay=2, max_depth=3)


class Recorder(lightning.Callback):
    """What was logged at every step (Lightning repeats the last value of what was not)."""

    def __init__(self):
        self.steps = []

    def on_train_batch_end(self, trainer, *args):
        self.steps.append({name: float(value) for name, value in trainer.callback_metrics.items()})


class SaveInTraining(lightning.Callback):
    """Saves a checkpoint after a step, where `LastCheckpoint` does."""

    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer, *args):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


def build(oracle, objective=VarGrad, behaviour=MIXED, reference=None, **kwargs) -> GFNPolicyModule:
    return GFNPolicyModule(
        oracle.make_policy(seed=0),
        reference or oracle.PRIOR,
        objective(),
        KernelReward(),
        behaviour,
        ReplayBuffer(32),
        partial(torch.optim.AdamW, lr=1e-3),
        **{
            "keep_unsolved": 1.0,
            "num_replay_theorems": 0,
            "log_z_lr": 0.1,
            "warmup_steps": 0,
            "average_decay": 0.98,
            "seed": 0,
            **kwargs,
        },
    )


def fit(
    module,
    directory,
    num_steps,
    theorems=None,
    make_env=None,
    oracle=None,
    ckpt_path=None,
    num_workers=None,
    curriculum=None,
    batch_size=None,
    callbacks=(),
):
    recorder = Recorder()
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=num_steps,
        default_root_dir=directory,
        callbacks=[recorder, *callbacks],
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    theorems = theorems or oracle.THEOREMS
    datamodule = TheoremDataModule(
        theorems,
        make_env or oracle.make_env,
        num_workers or len(theorems),
        batch_size or len(theorems),
        seed=0,
        curriculum=curriculum,
    )
    trainer.fit(module, datamodule=datamodule, ckpt_path=ckpt_path)
    return trainer, recorder.steps


def weights(module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_trainable_parameter_moves(objective, oracle, tmp_path):
    module = build(oracle, objective)
    before = weights(module)
    trainer, _ = fit(module, tmp_path, 3, oracle=oracle)
    require_each_once(module, trainer.optimizers[0])
    learns_flows = objective in (TrajectoryBalance, SubTrajectoryBalance, DetailedBalance)
    assert (module.log_z is not None) == learns_flows
    still = [name for name, p in module.named_parameters() if torch.equal(p, before[name])]
    assert still == []


def test_averaged_weights_are_saved(oracle, tmp_path):
    module = build(oracle, average_decay=0.9)
    last, averaged = [], []
    fit(module, tmp_path, 4, oracle=oracle)
    last = weights(module.policy)
    module.save(tmp_path)
    assert all(torch.equal(p, last[name]) for name, p in module.policy.named_parameters())
    saved = load_file(tmp_path / "policy/model.safetensors")
    with module.average.applied():
        averaged = weights(module.policy.model)
    found = {name: tensor for name, tensor in saved.items() if name in averaged}
    assert found
    for name, tensor in found.items():
        assert_close(tensor, averaged[name])
        assert not torch.equal(tensor, last[f"model.{name}"])


def test_log_z_has_its_own_learning_rate_and_no_decay(oracle):
    module = build(oracle, TrajectoryBalance, log_z_lr=0.07)
    policy_group, log_z_group = module.configure_optimizers()["optimizer"].param_groups
    assert log_z_group["lr"] == 0.07
    assert log_z_group["weight_decay"] == 0
    assert policy_group["lr"] == 1e-3
    assert {id(p) for p in log_z_group["params"]} == {id(p) for p in module.log_z.parameters()}


def test_a_parameter_left_out_or_held_twice_is_caught(oracle):
    module = build(oracle, TrajectoryBalance)
    policy_only = torch.optim.SGD(module.policy.parameters(), lr=1.0)
    with pytest.raises(AssertionError, match="exactly once"):
        require_each_once(module, policy_only)


def test_frozen_reference_is_neither_trained_nor_saved(oracle, tmp_path):
    reference = oracle.make_policy(seed=0).make_reference()
    before = weights(reference)
    module = build(oracle, reference=reference)
    trainer, _ = fit(module, tmp_path, 2, oracle=oracle)
    for name, p in reference.named_parameters():
        assert torch.equal(p, before[name])
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    saved = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert all(name.startswith("policy.") for name in saved["state_dict"])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_resumed_run_is_the_uninterrupted_run(objective, oracle, tmp_path):
    whole = build(oracle, objective, warmup_steps=2)
    _, expected = fit(whole, tmp_path, 6, oracle=oracle)

    first = build(oracle, objective, warmup_steps=2)
    fit(first, tmp_path, 4, oracle=oracle, callbacks=[SaveInTraining(3, tmp_path / "half.ckpt")])
    resumed = build(oracle, objective, warmup_steps=2)
    _, steps = fit(resumed, tmp_path, 6, oracle=oracle, ckpt_path=tmp_path / "half.ckpt")

    assert steps == expected[3:]
    assert resumed.buffer.state_dict() == whole.buffer.state_dict()
    assert len(resumed.buffer) > 0
    for (name, p), (_, q) in zip(whole.named_parameters(), resumed.named_parameters(), strict=True):
        assert torch.equal(p, q), name
    with whole.average.applied(), resumed.average.applied():
        for (name, p), (_, q) in zip(whole.named_parameters(), resumed.named_parameters(), strict=True):
            assert torch.equal(p, q), f"average of {name}"


def test_the_number_of_provers_does_not_change_what_is_computed(oracle, tmp_path):
    runs = [fit(build(oracle), tmp_path, 3, oracle=oracle, num_workers=num)[1] for num in (1, 3)]
    assert runs[0] == [pytest.approx(step, rel=1e-3, abs=1e-4) for step in runs[1]]


def frontier(oracle):
    return Frontier({theorem.id: (0.5, 1.0) for theorem in oracle.THEOREMS}, 16, share=0.5, seed=0)


def test_a_resumed_run_with_a_curriculum_is_the_uninterrupted_run(oracle, tmp_path):
    def run(num_steps, ckpt_path=None):
        module = build(oracle, AnchoredBalance, num_replay_theorems=2)
        trainer, steps = fit(
            module,
            tmp_path,
            num_steps,
            oracle=oracle,
            ckpt_path=ckpt_path,
            curriculum=frontier(oracle),
            batch_size=1,
        )
        return module, trainer, steps

    whole, _, expected = run(8)
    _, trainer, _ = run(5)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _, steps = run(8, tmp_path / "half.ckpt")
    assert max(step["train/num_groups"] for step in expected) > 1, "proofs of other theorems are replayed"
    assert steps == expected[5:]
    assert resumed.buffer.state_dict() == whole.buffer.state_dict()
    for p, q in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(p, q)


def test_metrics_logged_before_a_resume_are_kept(oracle, tmp_path):
    """Steps with nothing to learn from log fewer metrics; those of earlier steps are reported then."""
    first = build(oracle, keep_unsolved=0.0)
    trainer, _ = fit(first, tmp_path, 1, [toy_theorem("a")], statuses_env)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    resumed = build(oracle, keep_unsolved=0.0)
    fit(resumed, tmp_path, 2, [toy_theorem("b")], statuses_env, ckpt_path=tmp_path / "a.ckpt")
    assert "train/f_std" not in resumed.trainer.callback_metrics
    assert resumed.final_metrics()["train/f_std"] == first.final_metrics()["train/f_std"]
    assert resumed.final_metrics()["rollout/success"] == 0.0 < first.final_metrics()["rollout/success"]


def test_final_metrics_are_means_over_the_last_fifth(oracle, tmp_path):
    module = build(oracle)
    _, steps = fit(module, tmp_path, 10, oracle=oracle)
    final = module.final_metrics()
    for name in ("train/loss", "rollout/success"):
        assert final[name] == pytest.approx((steps[8][name] + steps[9][name]) / 2)
    assert final["buffer/num_proofs"] == steps[9]["buffer/num_proofs"]


def test_checkpoint_of_another_objective_is_refused(oracle, tmp_path):
    trainer, _ = fit(build(oracle, VarGrad), tmp_path, 1, oracle=oracle)
    trainer.save_checkpoint(tmp_path / "vargrad.ckpt")
    with pytest.raises(CheckpointError, match="another model"):
        fit(build(oracle, TrajectoryBalance), tmp_path, 2, oracle=oracle, ckpt_path=tmp_path / "vargrad.ckpt")


def test_log_z_starts_at_the_estimate_from_the_first_groups(oracle, tmp_path):
    """And stays there in the first step, in which its gradient is nothing but rounding errors."""
    module = build(oracle, TrajectoryBalance, log_z_lr=0.1)
    _, (first,) = fit(module, tmp_path, 1, oracle=oracle)
    assert first["train/log_z"] == pytest.approx(module.log_z.head.bias.item(), abs=1e-5)
    assert first["train/log_z"] != 0
    assert not module.log_z.head.weight.any()


CRASH = Crashed("out of memory")
MIXED_ROOT = ToyNode(
    "a", {"": Timeout(), "a": CRASH, "a a": CRASH, "a b": CRASH, "b": Proved(), "b a": Proved()}
)
HOPELESS = ToyNode("b", {})


def statuses_env() -> ToyEnv:
    return ToyEnv({"a": MIXED_ROOT, "b": HOPELESS})


def test_crashes_and_timeouts_are_counted_and_crashes_left_out(oracle, tmp_path):
    behaviour = RolloutConfig(num_on_policy=40, num_replay=0, max_depth=1)
    module = build(oracle, behaviour=behaviour)
    _, (step,) = fit(module, tmp_path, 1, [toy_theorem("a")], statuses_env)
    assert step["rollout/num_crashed"] > 0
    assert step["rollout/num_timeouts"] > 0
    assert step["train/num_trajectories"] == 40 - step["rollout/num_crashed"]
    assert 0 < step["rollout/success"] < 1


def test_theorem_that_cannot_be_opened_is_counted_and_skipped(oracle, tmp_path):
    theorems = [toy_theorem("a"), toy_theorem("nowhere")]
    _, (step,) = fit(build(oracle), tmp_path, 1, theorems, statuses_env)
    assert step["rollout/num_init_errors"] == 1
    assert step["train/num_groups"] == 1


def test_training_on_theorems_none_of_which_can_be_opened_ends(oracle, tmp_path):
    nowhere = [toy_theorem(f"nowhere {i}") for i in range(4)]
    with pytest.raises(EnvError, match=r"none of the first 8 theorems can be opened: .*nowhere"):
        fit(build(oracle), tmp_path, 4, nowhere, statuses_env)
    fit(build(oracle), tmp_path, 4, [toy_theorem("a"), *nowhere], statuses_env)


def test_a_step_with_nothing_to_learn_changes_nothing_but_the_step(oracle, tmp_path):
    module = build(oracle, keep_unsolved=0.0)
    before = weights(module)
    trainer, steps = fit(module, tmp_path, 2, [toy_theorem("b")], statuses_env)
    assert trainer.global_step == 2
    assert all(step["train/num_groups"] == 0 and step["rollout/solved"] == 0 for step in steps)
    assert all(torch.equal(p, before[name]) for name, p in module.named_parameters())


def test_the_asked_for_fraction_of_unsolved_groups_is_kept(oracle, tmp_path):
    behaviour = RolloutConfig(num_on_policy=2, num_replay=0, max_depth=1)
    module = build(oracle, behaviour=behaviour, keep_unsolved=0.25)
    names = [f"hopeless {i}" for i in range(25)]
    env = ToyEnv(dict.fromkeys(names, HOPELESS))
    _, steps = fit(module, tmp_path, 4, [toy_theorem(name) for name in names], lambda: env)
    kept = sum(step["train/num_groups"] for step in steps)
    assert 12 <= kept <= 38  # 25 expected of 100, standard deviation 4.3


def test_expert_iteration_trains_on_proofs_alone(oracle, tmp_path):
    behaviour = RolloutConfig(num_on_policy=30, num_replay=0, max_depth=3)
    _, (step,) = fit(build(oracle, ExpertIteration, behaviour), tmp_path, 1, oracle=oracle)
    assert 0 < step["train/num_trajectories"] < 90


def test_own_proofs_are_remembered_and_replayed(oracle, tmp_path):
    behaviour = RolloutConfig(num_on_policy=16, num_replay=3, max_depth=3)
    module = build(oracle, behaviour=behaviour)
    _, steps = fit(module, tmp_path, 6, oracle=oracle)
    assert steps[0]["train/num_trajectories"] == 48
    assert steps[-1]["train/num_trajectories"] > 48
    for theorem in oracle.THEOREMS:
        for proof in module.buffer.proofs(theorem.id):
            assert oracle.make_env().check_proof(theorem, proof.tactics).accepted
            assert proof.log_ref == pytest.approx(
                sum(oracle.PRIOR.log_p(s, t) for s, t in zip(proof.states, proof.token_ids, strict=True)),
                abs=1e-5,
            )


def test_gradients_are_clipped_per_group(oracle):
    module = build(oracle, TrajectoryBalance)
    optimizer = module.configure_optimizers()["optimizer"]
    for group, scale in zip(optimizer.param_groups, (1e-3, 1e3), strict=True):
        for p in group["params"]:
            p.grad = torch.full_like(p, scale)
    small = optimizer.param_groups[0]["params"][-1].grad.clone()
    module.configure_gradient_clipping(optimizer, gradient_clip_val=1.0)
    assert_close(optimizer.param_groups[0]["params"][-1].grad, small)
    log_z_norm = torch.nn.utils.get_total_norm([p.grad for p in optimizer.param_groups[1]["params"]])
    assert_close(log_z_norm, torch.tensor(1.0))


def test_metrics_of_a_step(oracle, tmp_path):
    _, (step,) = fit(build(oracle, TrajectoryBalance), Path(tmp_path), 1, oracle=oracle)
    assert {
        "train/loss", "train/log_z", "train/log_reward", "train/f_std", "train/failure_mass_bound",
        "train/grad_norm", "train/num_trajectories", "rollout/success", "rollout/solved",
        "rollout/num_distinct_proofs", "rollout/num_crashed", "rollout/num_timeouts",
        "rollout/num_init_errors", "rollout/num_stopped_by_limits", "buffer/num_proofs",
    } <= step.keys()  # fmt: skip
    assert 0 <= step["train/failure_mass_bound"] <= 1
    assert all(value == value for value in step.values())
