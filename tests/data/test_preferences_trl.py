import copy
import math

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ntp.data.attempts import AttemptRecord
from ntp.data.examples import preference_pairs
from ntp.jsonl import write_jsonl
from ntp.models.tokenizer import train_tokenizer


def attempt(theorem, state, tactic, label, distance=None):
    return AttemptRecord(theorem, f"{theorem}.v", state, 0, 0, tactic, label, distance, 1)


ADD_ZERO = "n : nat\n⊢ n + 0 = n"
REV_REV = "A : Type\nl : list A\n⊢ rev (rev l) = l"
ATTEMPTS = [
    attempt("add_zero", ADD_ZERO, "induction n; simpl; auto.", "proved", 1),
    attempt("add_zero", ADD_ZERO, "apply plus_n_O.", "proved", 2),
    attempt("add_zero", ADD_ZERO, "reflexivity.", "error"),
    attempt("rev_rev", REV_REV, "apply rev_involutive.", "proved", 1),
    attempt("rev_rev", REV_REV, 'simpl.\n  idtac "λ".', "no_progress"),
    attempt("rev_rev", REV_REV, "destruct l.", "dead_end"),
]


@pytest.fixture
def offline(monkeypatch):
    # Both read their environment variables on import, and something else may have imported them already.
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def tokenizer():
    # TRL joins prompt and completion as they are and cuts where their tokens allow: here, where they meet.
    return train_tokenizer([text for a in ATTEMPTS for text in (a.state, a.tactic)], 300)


@pytest.fixture
def model(tokenizer):
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(config)


def test_trl_trains_on_the_file_as_it_is(tmp_path, offline, tokenizer, model):
    from datasets import load_dataset
    from trl import DPOConfig, DPOTrainer

    pairs = list(preference_pairs(ATTEMPTS, 100, seed=0))
    write_jsonl(tmp_path / "pairs.jsonl", pairs)
    dataset = load_dataset(
        "json", data_files=str(tmp_path / "pairs.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    trainer = DPOTrainer(
        model,
        copy.deepcopy(model),
        DPOConfig(
            output_dir=str(tmp_path / "out"),
            max_steps=2,
            per_device_train_batch_size=len(pairs),
            learning_rate=1e-2,
            lr_scheduler_type="constant",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
            activation_checkpointing=False,
            dataloader_pin_memory=False,
            disable_tqdm=True,
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
    )

    read = [
        tuple(tokenizer.decode(row[f"{part}_ids"]) for part in ("prompt", "chosen", "rejected"))
        for row in trainer.train_dataset
    ]
    stop = tokenizer.eos_token
    assert len(pairs) == 4
    assert read == [(pair.prompt, pair.chosen + stop, pair.rejected + stop) for pair in pairs]

    trainer.train()
    first, second = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    assert first == pytest.approx(math.log(2), abs=1e-4)
    assert second < first - 1e-2
