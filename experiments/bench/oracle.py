"""Does training reach the distribution it is meant to? Exact answer on an enumerable environment.

A small Llama policy is tuned on toy theorems by the same sampler, scorer, reward, losses and module that tune
against a prover, with the options of the experiments in `conf/experiment`. As there, it reads the first goal
alone: different ways lead to the same goal, and one theorem is a goal of another. All trajectories, failures
included, are then listed and scored, and the policy's terminating distribution is compared with R / Z.

    python experiments/bench/oracle.py [STEPS [REGIME ...]]
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product, repeat
from multiprocessing import get_context

import lightning
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ntp.buffers.replay import ReplayBuffer, ReplayProof
from ntp.envs.toy import ToyEnv, ToyNode, enumerate_trajectories, toy_theorem
from ntp.losses.anchored_balance import AnchoredBalance
from ntp.losses.batch import Objective
from ntp.losses.goal_balance import GoalBalance
from ntp.losses.subtrajectory_balance import DetailedBalance, SubTrajectoryBalance
from ntp.losses.trajectory_balance import Pairwise, TrajectoryBalance, VarGrad
from ntp.models.backbone import build_tiny_llama, tiny_llama_config
from ntp.models.tokenizer import MARKER, PAD, STOP
from ntp.modules.datamodules import TheoremDataModule
from ntp.modules.gfn_policy import GFNPolicyModule
from ntp.modules.rollout import RolloutConfig, score_paths
from ntp.policy.causal import CausalPolicy
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import PromptFormat, ScoreRequest
from ntp.rewards.base import RewardComponents
from ntp.rewards.kernel import KernelReward
from ntp.types import Outcome, Proved, Tactic, Theorem, Timeout, Trajectory

LETTERS = ("a", "b")
READ_ONLY = ("⊢", "c")  # in states, never in tactics
MAX_TACTIC_TOKENS = 2
MAX_DEPTH = 5
NUM_STEPS = 400
LR = 2e-4

QED = Proved()
# Of each goal, by tactic: the goals that it leaves, one after the other, or its outcome.
GOALS: Mapping[str, Mapping[str, tuple[str, ...] | Outcome]] = {
    "a": {"a": ("b c", "a c"), "b": ("b c",), "a b": QED, "b b": ("a c", "a c")},
    "b": {"b a": ("a c",), "b": ("b c", "b c"), "a": Timeout()},
    "c": {"a b": QED, "b": ("a",)},
    "b c": {"a": QED, "b": ("a c",), "b b": QED},
    "a c": {"b": QED, "a a": QED, "": QED},
}
THEOREMS = tuple(map(toy_theorem, ("a", "b", "c")))


@dataclass(frozen=True)
class Regime:
    """An objective and how a group is composed.

    Attributes:
        objective: Makes the loss.
        num_replay: Proofs replayed for a theorem.
        keep_unsolved: Fraction of the groups without any proof that are trained on.
        num_tempered: How many of the six trajectories of a group are sampled hotter.
    """

    objective: Callable[[], Objective]
    num_replay: int = 2
    keep_unsolved: float = 0.25
    num_tempered: int = 0

    @property
    def behaviour(self) -> RolloutConfig:
        """The composition of a group."""
        return RolloutConfig(
            num_on_policy=6 - self.num_tempered,
            num_tempered=self.num_tempered,
            num_replay=self.num_replay,
            max_depth=MAX_DEPTH,
        )


REGIMES: Mapping[str, Regime] = {
    "tb": Regime(TrajectoryBalance),
    "tb_tempered": Regime(TrajectoryBalance, num_tempered=6),
    "vargrad": Regime(VarGrad),
    "pairwise_tempered": Regime(Pairwise, num_tempered=6),
    "subtb": Regime(SubTrajectoryBalance),
    "db_tempered": Regime(DetailedBalance, num_tempered=6),
    "anchored_tb": Regime(AnchoredBalance, num_replay=3, keep_unsolved=0),
    "goal_balance": Regime(GoalBalance, num_replay=3, keep_unsolved=0),
}
REWARD = KernelReward()


def make_env() -> ToyEnv:
    """All toy theorems."""
    return ToyEnv({theorem.id: _grow(theorem.id) for theorem in THEOREMS})


def _grow(conclusion: str) -> ToyNode:
    moves = GOALS[conclusion].items()
    return ToyNode(
        conclusion,
        {word: tuple(map(_grow, after)) if isinstance(after, tuple) else after for word, after in moves},
    )


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


class Prior:
    """The reference: the policy as tuning finds it, whose answers are kept."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._known: dict[tuple[str, tuple[int, ...]], float] = {}

    def log_p(self, state: str, token_ids: Sequence[int]) -> float:
        """Log-probability of a tactic, in nats."""
        key = (state, tuple(token_ids))
        if key not in self._known:
            with torch.no_grad():
                (self._known[key],) = make_policy(self._seed).score([ScoreRequest(state, (key[1],))]).tolist()
        return self._known[key]

    def score(self, requests: Sequence[ScoreRequest]) -> Tensor:
        """The same of every tactic asked for, as a policy would answer."""
        return torch.tensor([self.log_p(r.state, tactic) for r in requests for tactic in r.tactics])


PRIOR = Prior()


def make_module(regime: str, policy: CausalPolicy) -> GFNPolicyModule:
    chosen = REGIMES[regime]
    return GFNPolicyModule(
        policy,
        reference=PRIOR,
        objective=chosen.objective(),
        reward=REWARD,  # pyright: ignore[reportArgumentType] - its class variable is the attribute asked for
        behaviour=chosen.behaviour,
        buffer=ReplayBuffer(32),
        optimizer=partial(torch.optim.AdamW, lr=LR, betas=(0.9, 0.95), weight_decay=0.0),
        log_z_lr=0.1,
        keep_unsolved=chosen.keep_unsolved,
        num_replay_theorems=0,
        warmup_steps=0,
        average_decay=0.98,
        seed=0,
    )


def train(regime: str, num_steps: int, seed: int = 0) -> GFNPolicyModule:
    module = make_module(regime, make_policy(seed))
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=num_steps,
        gradient_clip_val=1.0,
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


def enumerate_exactly(policy: TacticPolicy, theorem: Theorem) -> Exact:
    """List what a policy can do with a theorem."""
    letter_ids = [policy.encode_tactic(letter)[0] for letter in LETTERS]
    sequences = [ids for n in range(MAX_TACTIC_TOKENS + 1) for ids in product(letter_ids, repeat=n)]
    tactics = [Tactic(policy.decode_tactic(ids), ids) for ids in sequences]
    trajectories = enumerate_trajectories(make_env(), theorem, tactics, MAX_DEPTH)
    paths = tuple(map(_path, trajectories))
    log_reward = [
        REWARD.log_reward(RewardComponents(path.log_ref, trajectory.status), step=1)
        for path, trajectory in zip(paths, trajectories, strict=True)
    ]
    return Exact(paths, torch.tensor(log_reward, dtype=torch.float64))


def _path(trajectory: Trajectory) -> ReplayProof:
    steps = [(t.state.text, t.tactic.token_ids) for t in trajectory.transitions]
    return ReplayProof(
        states=tuple(state for state, _ in steps),
        tactics=trajectory.tactics,
        token_ids=tuple(token_ids for _, token_ids in steps),
        log_ref_T=tuple(PRIOR.log_p(state, token_ids) for state, token_ids in steps),
        unread=tuple(transition.state.unread_goals for transition in trajectory.transitions),
    )


@torch.no_grad()
def measure(module: GFNPolicyModule) -> dict[str, float]:
    """Of the worst theorem: total variation distance, leak of probability, error of the learned log Z.

    All are of averaged weights (`module.average_decay=0.98`); `tv_last` is the distance of the last ones,
    which tuning saves by default.
    """
    figures: dict[str, float] = {"tv": 0.0, "tv_last": 0.0, "leak": 0.0}

    def note(name: str, value: float) -> None:
        figures[name] = max(figures.get(name, 0.0), value)

    for theorem in THEOREMS:
        exact = enumerate_exactly(module.policy, theorem)
        target_N = exact.log_reward_N.softmax(0)
        last_N = score_paths(module.policy, exact.paths).double().exp()
        note("tv_last", 0.5 * float((last_N - target_N).abs().sum()))
        with module.average.applied():
            p_N = score_paths(module.policy, exact.paths).double().exp()
            note("tv", 0.5 * float((p_N - target_N).abs().sum()))
            note("leak", abs(1 - float(p_N.sum())))
            if module.log_z is not None:
                log_z = float(module.log_z(module.policy.state_features([exact.paths[0].states[0]])))
                note("log_z_error", abs(log_z - float(exact.log_reward_N.logsumexp(0))))
    return figures


def run(regime: str, num_steps: int) -> dict[str, float]:
    """Train in a regime and measure, in a process of its own."""
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    start = time.monotonic()
    figures = measure(train(regime, num_steps))
    return {**figures, "seconds": round(time.monotonic() - start, 1)}


def main() -> None:
    num_steps = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_STEPS
    regimes = sys.argv[2:] or list(REGIMES)
    figures: dict[str, dict[str, float]] = {}
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for regime, values in zip(regimes, pool.map(run, regimes, repeat(num_steps)), strict=True):
            for name, value in values.items():
                figures.setdefault(name, {})[regime] = round(value, 5)
            print(regime, {name: figures[name][regime] for name in values}, flush=True)
    print(json.dumps({"bench": "oracle", "ratios": {}, "figures": figures}))


if __name__ == "__main__":
    main()
