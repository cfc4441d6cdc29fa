"""Does training reach the distribution it is meant to? Exact answer on an enumerable environment.

A small Llama policy is trained on toy theorems by the same sampler, scorer, reward, losses and module that
train against a prover, in four regimes: trajectory balance and VarGrad, each on-policy and off-policy (hot
trajectories and replay, none from the policy itself). All trajectories, failures included, are then listed
and scored, and the policy's terminating distribution is compared with R / Z.

    python experiments/bench/oracle.py
"""

from __future__ import annotations

import json
import logging
import math
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import lightning
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ntp.buffers.replay import ReplayBuffer, ReplayProof
from ntp.envs.toy import ToyEnv, ToyNode, enumerate_trajectories, toy_theorem
from ntp.losses.batch import Objective
from ntp.losses.trajectory_balance import TrajectoryBalance, VarGrad
from ntp.models.backbone import build_tiny_llama, tiny_llama_config
from ntp.models.tokenizer import MARKER, PAD, STOP
from ntp.modules.datamodules import TheoremDataModule
from ntp.modules.gfn_policy import GFNPolicyModule
from ntp.modules.rollout import RolloutConfig, score_paths
from ntp.policy.causal import CausalPolicy
from ntp.policy.prompt import PromptFormat, ScoreRequest
from ntp.rewards.base import Linear, RewardComponents
from ntp.rewards.kernel import KernelReward
from ntp.seeding import derive_seed
from ntp.types import Outcome, Proved, Tactic, Theorem, Timeout, Trajectory

LETTERS = ("a", "b")
READ_ONLY = ("⊢", "c")  # in states, never in tactics
MAX_TACTIC_TOKENS = 2
MAX_DEPTH = 3
NUM_STEPS = 450

Moves = Mapping[str, "Moves | Outcome"]
QED = Proved()
TREES: Mapping[str, Moves] = {
    "a": {
        "a": {"a": QED, "b": {"a": QED, "b": QED}, "b b": QED},
        "b": {"b": QED, "a": QED},
        "a b": QED,
    },
    "b": {"b a": {"a": QED, "b": QED}, "b": {"a": QED}, "a": Timeout()},
    "c": {
        "a b": QED,
        "b": {"a": {"a": {"a": QED}, "": QED}, "b": QED},  # "b a a a" is TRUNCATED
    },
}
THEOREMS = tuple(toy_theorem(name) for name in TREES)
ON_POLICY = RolloutConfig(num_on_policy=96, num_tempered=0, num_replay=0, max_depth=MAX_DEPTH)
OFF_POLICY = RolloutConfig(
    num_on_policy=0,
    num_tempered=56,
    num_replay=8,
    temperature_min=2.0,
    temperature_max=4.0,
    max_depth=MAX_DEPTH,
)
REGIMES: Mapping[str, tuple[Callable[[], Objective], RolloutConfig]] = {
    "tb_on": (TrajectoryBalance, ON_POLICY),
    "tb_off": (TrajectoryBalance, OFF_POLICY),
    "vargrad_on": (VarGrad, ON_POLICY),
    "vargrad_off": (VarGrad, OFF_POLICY),
}


def make_reward(num_steps: int) -> KernelReward:
    """Failures are punished little by little, or an on-policy run never sees the rarer proofs again."""
    temperature = Linear(start=10.0, end=1.0, num_steps=max(1, int(0.5 * num_steps)))
    # Failures with enough mass that a sampler which ignores them is found out.
    return KernelReward(
        alpha_success=0.5,
        alpha_fail=1.0,
        log_reward_fail=-4.0,
        temperature=temperature,
        max_failure_mass=1.0,
    )


def make_env() -> ToyEnv:
    """All toy theorems."""
    return ToyEnv({name: _grow(name, moves) for name, moves in TREES.items()})


def _grow(conclusion: str, moves: Moves) -> ToyNode:
    """States are named by the way to them, so that a state is its history."""
    return ToyNode(
        conclusion,
        {
            word: _grow(f"{conclusion} {word}", after) if isinstance(after, Mapping) else after
            for word, after in moves.items()
        },
    )


class KnownPrior:
    """A reference in closed form: uniform over tokens, times a weight peculiar to each (state, tactic)."""

    def log_p(self, state: str, token_ids: Sequence[int]) -> float:
        """Log weight of a tactic, in nats."""
        noise = derive_seed("prior", state, *token_ids) / 2**63
        return -(len(token_ids) + 1) * math.log(len(LETTERS) + 1) + 3 * noise - 1.5

    def score(self, requests: Sequence[ScoreRequest]) -> Tensor:
        """The same of every tactic asked for, as a policy would answer."""
        return torch.tensor([self.log_p(r.state, tactic) for r in requests for tactic in r.tactics])


PRIOR = KnownPrior()


def make_policy(seed: int) -> CausalPolicy:
    """A small Llama whose tactics are all sequences of at most `MAX_TACTIC_TOKENS` letters."""
    words = [PAD, STOP, MARKER, *READ_ONLY, *LETTERS]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=STOP, extra_special_tokens=[MARKER, *READ_ONLY]
    )
    config = tiny_llama_config(
        fast, hidden_size=64, num_layers=2, num_heads=4, intermediate_size=128, max_positions=32
    )
    config.initializer_range = 0.1  # states look different from the start, as they do to a trained policy
    model = build_tiny_llama(config, seed)
    return CausalPolicy(model, fast, PromptFormat("{state}", MARKER, 16), MAX_TACTIC_TOKENS)


def make_module(regime: str, policy: CausalPolicy, num_steps: int) -> GFNPolicyModule:
    objective, behaviour = REGIMES[regime]
    return GFNPolicyModule(
        policy,
        reference=PRIOR,
        objective=objective(),
        reward=make_reward(num_steps),
        behaviour=behaviour,
        buffer=ReplayBuffer(32),
        optimizer=partial(torch.optim.AdamW, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0),
        log_z_lr=5e-2,
        keep_unsolved=1.0,
        num_replay_theorems=0,
        warmup_steps=50,
        decay_steps=num_steps,
        seed=0,
    )


def train(regime: str, num_steps: int, seed: int = 0) -> GFNPolicyModule:
    module = make_module(regime, make_policy(seed), num_steps)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=num_steps,
        gradient_clip_val=10.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=TheoremDataModule(THEOREMS, make_env, len(THEOREMS), len(THEOREMS), seed))
    return module


@dataclass(frozen=True)
class Exact:
    """Every trajectory of a theorem and its known reward.

    Attributes:
        paths: The N trajectories.
        log_reward_N: Their log R, (N,).
    """

    paths: tuple[ReplayProof, ...]
    log_reward_N: Tensor


def enumerate_exactly(policy: CausalPolicy, theorem: Theorem) -> Exact:
    """List what a policy can do with a theorem."""
    letter_ids = [policy.encode_tactic(letter)[0] for letter in LETTERS]
    sequences = [ids for n in range(MAX_TACTIC_TOKENS + 1) for ids in product(letter_ids, repeat=n)]
    tactics = [Tactic(policy.decode_tactic(ids), ids) for ids in sequences]
    trajectories = enumerate_trajectories(make_env(), theorem, tactics, MAX_DEPTH)
    paths = tuple(map(_path, trajectories))
    reward = make_reward(num_steps=1)
    log_reward = [
        reward.log_reward(RewardComponents(path.log_ref, trajectory.status), step=1)
        for path, trajectory in zip(paths, trajectories, strict=True)
    ]
    return Exact(paths, torch.tensor(log_reward, dtype=torch.float64))


def _path(trajectory: Trajectory) -> ReplayProof:
    steps = [(t.state.text, t.tactic.token_ids) for t in trajectory.transitions]
    return ReplayProof(
        states=tuple(state for state, _ in steps),
        tactics=trajectory.tactics,
        token_ids=tuple(token_ids for _, token_ids in steps),
        log_ref=sum(PRIOR.log_p(state, token_ids) for state, token_ids in steps),
    )


@torch.no_grad()
def measure(module: GFNPolicyModule) -> dict[str, float]:
    """Of the worst theorem: total variation distance, leak of probability, error of the learned log Z."""
    figures: dict[str, float] = {"tv": 0.0, "leak": 0.0}
    for theorem in THEOREMS:
        exact = enumerate_exactly(module.policy, theorem)
        p_N = score_paths(module.policy, exact.paths).double().exp()
        tv = 0.5 * float((p_N - exact.log_reward_N.softmax(0)).abs().sum())
        figures["tv"] = max(figures["tv"], tv)
        figures["leak"] = max(figures["leak"], abs(1 - float(p_N.sum())))
        if module.log_z is not None:
            learned = float(module.log_z(module.policy.state_features([exact.paths[0].states[0]])))
            error = abs(learned - float(exact.log_reward_N.logsumexp(0)))
            figures["log_z_error"] = max(figures.get("log_z_error", 0.0), error)
    return figures


def main() -> None:
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    num_steps = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_STEPS
    figures: dict[str, dict[str, float]] = {}
    for regime in REGIMES:
        start = time.monotonic()
        for name, value in measure(train(regime, num_steps)).items():
            figures.setdefault(name, {})[regime] = round(value, 5)
        figures.setdefault("seconds", {})[regime] = round(time.monotonic() - start, 1)
        print(
            regime, {name: values[regime] for name, values in figures.items() if regime in values}, flush=True
        )
    print(json.dumps({"bench": "oracle", "ratios": {}, "figures": figures}))


if __name__ == "__main__":
    main()
