"""Trains one module on some processes and writes what was logged: `KIND NUM_PROCESSES OUTPUT [fsdp]`.

A module of its own, since each process runs it.
"""

import importlib.util
import json
import sys
from functools import partial
from pathlib import Path

import lightning
import torch
from torch.distributed.tensor import DTensor

from ntp.buffers.replay import ReplayBuffer
from ntp.data.conversations import Completion
from ntp.data.examples import LabelledState, TacticPair
from ntp.experimental.sharded_strategy import ShardedStrategy
from ntp.experimental.sharding import resident_numel
from ntp.losses.preference import DirectPreference
from ntp.losses.trajectory_balance import TrajectoryBalance, VarGrad
from ntp.models.heads import HeadSettings
from ntp.models.lora import LoraSettings, add_lora
from ntp.modules.chat import encode
from ntp.modules.completions import CompletionModule
from ntp.modules.datamodules import TheoremDataModule
from ntp.modules.gfn_policy import GFNPolicyModule
from ntp.modules.packing import pack
from ntp.modules.rollout import RolloutConfig
from ntp.modules.sft import SFTModule
from ntp.modules.supervised_data import LabelledStateDataModule, PackedDataModule, TacticDataModule
from ntp.modules.verifier_ensemble import VerifierEnsembleModule
from ntp.policy import scorer
from ntp.policy.causal import CausalPolicy
from ntp.policy.factory import TinyPolicyFactory
from ntp.rewards.aggregation import WorstCase
from ntp.rewards.kernel import KernelReward
from ntp.rewards.verifier import VerifierReward
from ntp.tracking.lightning import AtomicCheckpointIO, LastCheckpoint
from ntp.verifier.calibration import Calibration
from ntp.verifier.ensemble import VerifierEnsemble
from ntp.verifier.features import ScoreFeatures
from ntp.verifier.model import VerifierModel
from ntp.verifier.scoring import reference_log_probs

NUM_STEPS = 6
ADAM = partial(torch.optim.AdamW, lr=5e-3)
# Of very different lengths, so that a mean over processes is not the mean over tokens.
PAIRS = [
    TacticPair("n : nat\n⊢ n + 0 = n", "induction n; simpl; auto."),
    TacticPair("⊢ True", "exact I."),
    TacticPair("P : Prop\nh : P\n⊢ P", "assumption."),
    TacticPair("P Q : Prop\nh : P\nh0 : Q\n⊢ P /\\ Q", "split; assumption || auto."),
    TacticPair("⊢ 1 = 1", "auto."),
]
STATES = [
    LabelledState(name, pair.state, (pair.tactic, "trivial."), ("left.", "exact n."), (1, 1, 1, 1))
    for name, pair in zip("abcde", PAIRS, strict=True)
]

ENSEMBLE = {
    "features": ScoreFeatures("joint", 0.0),
    "bootstrap": True,
    "clip_norm": 1.0,
    "diversity": 0.0,
    "warmup_steps": 0,
    "seed": 0,
}


def make_policy():
    sizes = {"vocab_size": 300, "hidden_size": 32, "num_layers": 2, "num_heads": 2, "intermediate_size": 48}
    factory = TinyPolicyFactory(**sizes, max_state_tokens=64, max_tactic_tokens=24)
    return factory.create(text for pair in PAIRS for text in (pair.state, pair.tactic))


def adapted(policy):
    """The policy's model frozen under adapters, which do something from the start."""
    model = add_lora(policy.decoder.model, LoraSettings(r=4, alpha=8))
    with torch.no_grad():
        for i, p in enumerate(p for p in model.parameters() if p.requires_grad):
            p.normal_(std=0.05, generator=torch.Generator().manual_seed(i))
    return CausalPolicy(model, policy.tokenizer, policy.prompt, policy.max_tactic_tokens)


def make_sft(adapt=False):
    policy = adapted(make_policy()) if adapt else make_policy()
    module = SFTModule(policy, ADAM, prompt_weight=0.5, warmup_steps=0, decay_steps=0, keep_best=True)
    return module, TacticDataModule(PAIRS, PAIRS, batch_size=5, seed=0)


def make_sft_chat(adapt=False):
    policy = adapted(make_policy()) if adapt else make_policy()
    examples = [encode(Completion(pair.state, pair.tactic), policy.tokenizer) for pair in PAIRS]
    packed = pack(examples, max_tokens=40)
    assert 1 < len(packed) < len(PAIRS)
    module = CompletionModule(policy, ADAM, warmup_steps=0, decay_steps=0, keep_best=True)
    return module, PackedDataModule(packed, packed, batch_size=len(packed), seed=0)


def make_verifier():
    verifier = VerifierModel(make_policy(), HeadSettings(3, r=4, alpha=8, seed=0))
    reference = reference_log_probs(verifier, STATES)
    module = VerifierEnsembleModule(verifier, DirectPreference(0.5), reference, ADAM, **ENSEMBLE)
    return module, LabelledStateDataModule(STATES, STATES, batch_size=5, seed=0)


def make_gfn(objective, adapt=False, reward=None):
    """Three theorems for two processes; some steps have groups without any proof, which are dropped."""
    oracle = _oracle()
    policy = adapted(oracle.make_policy(seed=0)) if adapt else oracle.make_policy(seed=0)
    module = GFNPolicyModule(
        policy,
        policy.make_reference() if adapt else oracle.PRIOR,
        objective,
        reward or KernelReward(),
        RolloutConfig(num_on_policy=5, num_tempered=2, num_replay=2, max_depth=3),
        ReplayBuffer(32),
        ADAM,
        make_ensemble(oracle) if reward else None,
        keep_unsolved=0.3,
        num_replay_theorems=0,
        log_z_lr=1e-2,
        warmup_steps=0,
        average_decay=0.98,
        seed=1,
    )
    return module, TheoremDataModule(
        oracle.THEOREMS, oracle.make_env, len(oracle.THEOREMS), len(oracle.THEOREMS), seed=0
    )


def make_ensemble(oracle):
    verifier = VerifierModel(oracle.make_policy(seed=5), HeadSettings(2, r=2, alpha=4))
    for layer in verifier.heads.layers.values():
        layer.b_KOR.data.normal_(std=0.5, generator=torch.Generator().manual_seed(0))
    each = ((0.0,), (0.0,))
    ones = ((1.0,), (1.0,))
    return VerifierEnsemble(
        verifier, Calibration(ScoreFeatures("likelihood", 0.0, 0.1), each, ones, ones, each)
    )


def _oracle():
    path = Path(__file__).parents[2] / "experiments/bench/oracle.py"
    spec = importlib.util.spec_from_file_location("oracle_bench", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


KINDS = {
    "sft": make_sft,
    "sft_chat": make_sft_chat,
    "verifier": make_verifier,
    "gfn": partial(make_gfn, VarGrad()),
    "gfn_tb": partial(make_gfn, TrajectoryBalance()),
    "sft_lora": partial(make_sft, adapt=True),
    "sft_chat_lora": partial(make_sft_chat, adapt=True),
    "gfn_lora": partial(make_gfn, VarGrad(), adapt=True),
    "gfn_tb_lora": partial(make_gfn, TrajectoryBalance(), adapt=True, reward=VerifierReward(WorstCase())),
}


class Recorder(lightning.Callback):
    def __init__(self):
        self.steps = []

    def on_train_batch_end(self, trainer, *args):
        self.steps.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def main(kind, num_processes, output, strategy="auto"):
    torch.set_num_threads(1)
    scorer.MAX_BATCH_TOKENS = 96  # so that shares of a batch take different numbers of calls
    lightning.seed_everything(0, verbose=False)
    module, datamodule = KINDS[kind]()
    recorder = Recorder()
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=num_processes,
        strategy=ShardedStrategy() if strategy == "fsdp" else strategy,
        inference_mode=strategy != "fsdp",
        max_steps=NUM_STEPS,
        callbacks=[recorder, LastCheckpoint(output, every_n_steps=1000)],
        plugins=[AtomicCheckpointIO()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        use_distributed_sampler=False,
        limit_val_batches=1.0 if kind == "sft_lora" else 0,
        num_sanity_val_steps=0,
    )
    models = [model.base_model for backbone in module.backbones() for model in backbone.models]
    logged = {"whole": [resident_numel(model) for model in models]}
    trainer.fit(module, datamodule)
    module.save_from_main(output / "saved")
    logged["kept"] = [resident_numel(model) for model in models]
    logged["replicated"] = [
        {name: p.numel() for name, p in model.named_parameters() if not isinstance(p, DTensor)}
        for model in models
    ]
    last = {}
    if kind.startswith("sft"):
        trainer.limit_val_batches = 1.0
        (last,) = trainer.validate(module, datamodule, verbose=False)
    if trainer.is_global_zero:
        (output / "logged.json").write_text(json.dumps({"steps": recorder.steps, "last": last, **logged}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
