"""Two processes call sharded models, each in its own way: `OUTPUT RANK [checkpointing] [bfloat16]`.

Every process writes what it got from sharded models and from the same models whole.
"""

import copy
import gc
import json
import sys
import weakref
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh
from transformers import LlamaConfig

from ntp.experimental.sharding import Backbone, resident_numel, shard
from ntp.models.backbone import build_tiny_llama
from ntp.models.lora import LoraSettings, add_lora

NUM_PROCESSES = 2
TIMEOUT = timedelta(seconds=100)  # processes that wait for one another
NUM_STEPS = 3
# The calls of a step up to each meeting, of one process and of the other: model, number of tokens, and
# whether it is for learning. "policy" and "reference" are twins. Processes swap parts with every step.
CALLS = (
    (
        [("policy", 3 + i, False) for i in range(9)],
        [("verifier", 4, False)],
        [("policy", 5, True), ("policy", 2, True), ("policy", 7, True), ("policy", 1, True)],
    ),
    (
        [("policy", 2, False), ("reference", 6, False), ("policy", 4, False), ("verifier", 2, False)],
        [],
        [("reference", 4, False)],
    ),
)


def make_models(options):
    """The policy, its twin, and another model."""
    config = LlamaConfig(
        vocab_size=62,
        hidden_size=32,
        intermediate_size=51,  # which two do not share out evenly
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=32,
    )
    dtype = torch.bfloat16 if "bfloat16" in options else torch.float32
    model = build_tiny_llama(config, seed=0).to(dtype)
    if "checkpointing" in options:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    policy = add_lora(model, LoraSettings(r=2))
    for i, p in enumerate(p for p in policy.parameters() if p.requires_grad):
        p.data.normal_(std=0.1, generator=torch.Generator().manual_seed(i))
    frozen = {id(p): p for p in policy.parameters() if not p.requires_grad}
    reference = copy.deepcopy(policy, frozen).requires_grad_(False).eval()
    verifier = build_tiny_llama(config, seed=1).to(dtype).requires_grad_(False)
    return {"policy": policy, "reference": reference, "verifier": verifier}


def plain(models):
    return {name: model.get_base_model() if name != "verifier" else model for name, model in models.items()}


def step(models, parts, join):
    """The sum of every call's output, and the gradients of the policy's adapters."""
    sums = []
    learned = torch.zeros(())
    for part in parts:
        rows = torch.zeros(())
        for name, num_tokens, learning in part:
            ids = torch.arange(num_tokens)[None] + 5
            with torch.set_grad_enabled(learning):
                hidden = plain(models)[name].base_model(input_ids=ids, use_cache=False).last_hidden_state
            sums.append(float(hidden.detach().float().sin().sum()))
            if learning:
                rows = rows + hidden.float().sin().sum()
        learned = learned + join(rows)
    if learned.requires_grad:
        learned.backward()
    trained = [p for p in models["policy"].parameters() if p.requires_grad]
    gradients = [0.0 if p.grad is None else float(p.grad.norm()) for p in trained]
    for p in trained:
        p.grad = None
    return [*sums, *gradients]


def work(rank, output, options):
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{output}/rendezvous",
        rank=rank,
        world_size=NUM_PROCESSES,
        timeout=TIMEOUT,
    )
    torch.set_num_threads(1)
    models, whole = make_models(options), make_models(options)
    parts = [CALLS[(rank + i) % 2] for i in range(NUM_STEPS)]
    expected = [step(whole, calls, lambda rows: rows) for calls in parts]
    policy, reference, verifier = plain(models).values()
    originals = [
        weakref.ref(p)
        for layer in (*policy.model.layers, *verifier.model.layers)
        for p in layer.parameters()
        if not p.requires_grad
    ]
    mesh = DeviceMesh.from_group(distributed.new_group(), "cpu")
    lockstep = shard([Backbone((policy, reference)), Backbone((verifier,))], mesh)
    gc.collect()
    num_whole = sum(original() is not None for original in originals)
    found = [step(models, calls, lockstep.join) for calls in parts[:-1]]
    for model in models.values():
        model.to("cpu")
    found.append(step(models, parts[-1], lockstep.join))
    shared = [model.base_model.layers[1].self_attn.o_proj.base_layer.weight for model in (policy, reference)]
    wrote = {
        "found": found,
        "expected": expected,
        "kept": [resident_numel(model.base_model) for model in (policy, reference, verifier)],
        "whole": [resident_numel(model.base_model) for model in plain(whole).values()],
        "num_whole": num_whole,
        "addresses": [weight.to_local().data_ptr() for weight in shared],
        "remembered": len(verifier.base_model._get_fsdp_state()._comm_ctx.post_forward_order),
    }
    (output / f"{rank}.json").write_text(json.dumps(wrote))
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    work(int(sys.argv[2]), Path(sys.argv[1]), sys.argv[3:])
