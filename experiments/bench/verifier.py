"""Eight verifier heads on one backbone, against the ways that PEFT offers.

A Llama of 14 M parameters with random weights and a word-level tokenizer, float32, one thread; states of 400
tokens, tactics of 30. Ours reads a state once and lets the heads touch the tactic alone. PEFT's adapters are
the same heads (activated LoRA), over state and tactic: switched one after the other (`loop`), or all in one
batch with `adapter_names` (`mixed`). The output layer is applied to the tactic's positions only on all sides.

    one_candidate   ours with 8 heads and one candidate over one PEFT head's pass
    vs_peft_loop    theirs over ours, 16 candidates
    vs_peft_mixed   theirs over ours, 16 candidates
    train_step      eight DPO steps with one head over one DPO step with eight, both ours

    python experiments/bench/verifier.py
"""

from __future__ import annotations

import json
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from peft import PeftModel
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ntp.losses.preference import dpo_loss
from ntp.models.heads import HeadSettings
from ntp.policy.causal import CausalPolicy
from ntp.policy.prompt import PromptFormat
from ntp.verifier.model import VerifierModel

NUM_HEADS, RANK = 8, 8
STATE_TOKENS, TACTIC_TOKENS, NUM_CANDIDATES, TRAIN_PAIRS = 400, 30, 16, 2
NUM_WORDS = 8000
NUM_ROUNDS = 3

Tactics = list[tuple[int, ...]]


def make_policy() -> CausalPolicy:
    """A random backbone whose tokens are numbered words."""
    words = {"<pad>": 0, "<stop>": 1, "<tactic>": 2, **{f"w{i}": i + 3 for i in range(NUM_WORDS - 3)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<stop>",
        extra_special_tokens=["<tactic>"],
    )
    config = LlamaConfig(
        vocab_size=NUM_WORDS,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=6,
        intermediate_size=1040,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=words["<stop>"],
    )
    torch.manual_seed(0)
    prompt = PromptFormat("{state}", "<tactic>", STATE_TOKENS)
    return CausalPolicy(LlamaForCausalLM(config).eval(), fast, prompt, TACTIC_TOKENS + 1)


def make_verifier(num_heads: int) -> VerifierModel:
    """Heads that differ from each other and from the backbone."""
    verifier = VerifierModel(make_policy(), HeadSettings(num_heads, r=RANK))
    generator = torch.Generator().manual_seed(1)
    for layer in verifier.heads.layers.values():
        layer.b_KOR.data.copy_(torch.randn(layer.b_KOR.shape, generator=generator) * 0.02)
    return verifier


def draw_state(rng: random.Random) -> str:
    """A state of as many tokens as there are words."""
    return " ".join(f"w{rng.randrange(NUM_WORDS - 3)}" for _ in range(STATE_TOKENS - 1))


def draw_tactics(rng: random.Random, num: int) -> Tactics:
    """Tactics as token ids."""
    return [tuple(rng.randrange(3, NUM_WORDS) for _ in range(TACTIC_TOKENS)) for _ in range(num)]


class PeftVerifier:
    """The same heads as PEFT adapters on a backbone of its own."""

    def __init__(self, verifier: VerifierModel) -> None:
        self.policy = make_policy()
        with tempfile.TemporaryDirectory() as directory:
            verifier.heads.save(Path(directory), None, verifier.invocation_ids)
            names = [f"head_{k}" for k in range(verifier.num_heads)]
            self.model = PeftModel.from_pretrained(self.policy.model, f"{directory}/{names[0]}", names[0])
            for name in names[1:]:
                self.model.load_adapter(f"{directory}/{name}", name)
        self.names = names
        self.model.eval()

    @torch.no_grad()
    def loop(self, state: str, tactics: Tactics, heads: int = NUM_HEADS) -> Tensor:
        """One pass per head, (K, N)."""
        rows = []
        for name in self.names[:heads]:
            self.model.set_adapter(name)
            rows.append(self._score(state, tactics))
        return torch.stack(rows)

    @torch.no_grad()
    def mixed(self, state: str, tactics: Tactics) -> Tensor:
        """One batch for all heads, (K, N)."""
        names = [name for name in self.names for _ in tactics]
        return self._score(state, tactics * len(self.names), adapter_names=names).view(len(self.names), -1)

    def _score(self, state: str, tactics: Tactics, **kwargs: list[str]) -> Tensor:
        prompt, stop = self.policy.encode_state(state), self.policy.decoder.stop_id
        ids_BL = torch.tensor([[*prompt, *tactic] for tactic in tactics])
        target_BT = torch.tensor([[*tactic, stop] for tactic in tactics])
        logits_BTV = self.model(input_ids=ids_BL, logits_to_keep=target_BT.shape[1], **kwargs).logits
        logits_BTV[..., list(self.policy.decoder.suppressed_ids)] = -torch.inf
        return logits_BTV.log_softmax(-1).gather(2, target_BT[..., None])[..., 0].sum(1)


def dpo_step(
    verifier: VerifierModel, optimizer: torch.optim.Optimizer, states: list[str], pairs: list[Tactics]
) -> None:
    """One DPO step of all heads on one pair in each state; the reference is known beforehand."""
    log_p_KSN = verifier.log_probs(states, [pairs] * verifier.num_heads)
    reward_KSN = 0.1 * (log_p_KSN + 100.0)
    optimizer.zero_grad()
    dpo_loss(reward_KSN[..., 0], reward_KSN[..., 1], torch.ones_like(reward_KSN[..., 0])).backward()
    optimizer.step()


def measure(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds and greatest resident memory in MB of `run`, run once in a child process."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        started = time.perf_counter()
        run()
        seconds = time.perf_counter() - started
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        os.write(write, json.dumps([seconds, peak_mb]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    seconds, peak_mb = json.loads(os.read(read, 100))
    return seconds, peak_mb


def main() -> None:
    torch.set_num_threads(1)
    rng = random.Random(0)
    verifier, single = make_verifier(NUM_HEADS), make_verifier(1)
    peft = PeftVerifier(verifier)
    state, tactics = draw_state(rng), draw_tactics(rng, NUM_CANDIDATES)
    states = [draw_state(rng) for _ in range(TRAIN_PAIRS)]
    pairs = [draw_tactics(rng, 2) for _ in states]
    optimizers = {v.num_heads: torch.optim.AdamW(v.heads.parameters()) for v in (verifier, single)}

    def ours(num: int) -> Tensor:
        with torch.no_grad():
            return verifier.log_probs([state], [[tactics[:num]]] * NUM_HEADS)[:, 0]

    torch.testing.assert_close(ours(4), peft.loop(state, tactics[:4]), atol=1e-3, rtol=0)
    torch.testing.assert_close(ours(4), peft.mixed(state, tactics[:4]), atol=1e-3, rtol=0)
    runs: dict[str, Callable[[], object]] = {
        "ours_1": lambda: ours(1),
        "peft_one_head_1": lambda: peft.loop(state, tactics[:1], heads=1),
        "ours_16": lambda: ours(NUM_CANDIDATES),
        "peft_loop_16": lambda: peft.loop(state, tactics),
        "peft_mixed_16": lambda: peft.mixed(state, tactics),
        "train_8_heads": lambda: dpo_step(verifier, optimizers[NUM_HEADS], states, pairs),
        "train_1_head_8_times": lambda: [
            dpo_step(single, optimizers[1], states, pairs) for _ in range(NUM_HEADS)
        ],
    }
    measured = {name: [] for name in runs}
    for _ in range(NUM_ROUNDS):
        for name, run in runs.items():
            measured[name].append(measure(run))
    seconds = {name: median(s for s, _ in values) for name, values in measured.items()}
    peaks = {f"{name}_peak_mb": round(max(mb for _, mb in values)) for name, values in measured.items()}
    ratios = {
        "one_candidate": seconds["ours_1"] / seconds["peft_one_head_1"],
        "vs_peft_loop": seconds["peft_loop_16"] / seconds["ours_16"],
        "vs_peft_mixed": seconds["peft_mixed_16"] / seconds["ours_16"],
        "train_step": seconds["train_1_head_8_times"] / seconds["train_8_heads"],
    }
    figures = {
        "backbone_parameters": sum(p.numel() for p in make_policy().parameters()),
        **{f"{name}_s": round(value, 4) for name, value in seconds.items()},
        **peaks,
    }
    rounded = {name: round(value, 3) for name, value in ratios.items()}
    print(json.dumps({"bench": "verifier", "ratios": rounded, "figures": figures}))


if __name__ == "__main__":
    main()
