"""Causal language models: a tiny one from scratch, or any pretrained one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from ntp.errors import CheckpointError, ConfigError

# Their bars for a single small file would tear a run's own progress display.
transformers_logging.disable_progress_bar()

Quantization = Literal["none", "4bit", "8bit"]

ARCHITECTURE_FIELDS = (
    "model_type",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
)


def architecture(model: PreTrainedModel) -> dict[str, int | str]:
    """The sizes that decide whether weights fit a model, as far as its config names them."""
    config = model.config
    return {name: getattr(config, name) for name in ARCHITECTURE_FIELDS if hasattr(config, name)}


def build_tiny_llama(
    vocab_size: int,
    pad_token_id: int,
    eos_token_id: int,
    hidden_size: int = 256,
    num_layers: int = 4,
    num_heads: int = 4,
    intermediate_size: int = 688,
    max_positions: int = 1024,
    seed: int = 0,
) -> LlamaForCausalLM:
    """A Llama of any size with random weights; the defaults give 3.7 M parameters, embeddings tied.

    Raises:
        ConfigError: `hidden_size` is not a multiple of `num_heads`.
    """
    if hidden_size % num_heads:
        raise ConfigError(f"hidden_size={hidden_size} is not a multiple of num_heads={num_heads}")
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        num_key_value_heads=num_heads,
        max_position_embeddings=max_positions,
        tie_word_embeddings=True,
        pad_token_id=pad_token_id,
        bos_token_id=None,
        eos_token_id=eos_token_id,
        attn_implementation="sdpa",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def load_causal_lm(
    name_or_path: str | Path,
    dtype: str = "auto",
    attn_implementation: str = "sdpa",
    quantization: Quantization = "none",
    gradient_checkpointing: bool = False,
) -> PreTrainedModel:
    """Load a pretrained causal language model by hub name or local path.

    Args:
        name_or_path: Hub name (`EleutherAI/llemma_7b`) or a directory written by `save_pretrained`.
        dtype: Of the weights: `auto` keeps the checkpoint's, or `float32`, `bfloat16`, `float16`.
        attn_implementation: `sdpa` or `eager`: the ones that take a tree-shaped attention mask.
        quantization: `4bit` or `8bit` need bitsandbytes and a GPU.
        gradient_checkpointing: Trade compute for memory in training.

    Raises:
        CheckpointError: The model cannot be found or read, or weights are missing.
        ConfigError: An option has an unknown value or needs a package that is not installed.
    """
    _require_source(name_or_path)
    if attn_implementation not in ("sdpa", "eager"):
        raise ConfigError(
            f"attn_implementation={attn_implementation!r} cannot take tree masks: use sdpa or eager"
        )
    options: dict[str, Any] = {"dtype": _torch_dtype(dtype), "attn_implementation": attn_implementation}
    if quantization != "none":
        options["quantization_config"] = _quantization_config(quantization)
    try:
        model, info = AutoModelForCausalLM.from_pretrained(name_or_path, output_loading_info=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(_unreadable("model", name_or_path, error)) from error
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise CheckpointError(
            f"weights in {name_or_path} are incomplete: {len(missing)} tensors missing (first: {missing[0]})"
        )
    if gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    return model


def load_tokenizer(name_or_path: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a pretrained model.

    Raises:
        CheckpointError: It cannot be found or read.
    """
    _require_source(name_or_path)
    try:
        return AutoTokenizer.from_pretrained(name_or_path)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(_unreadable("tokenizer", name_or_path, error)) from error


def _require_source(name_or_path: str | Path) -> None:
    path = Path(name_or_path).expanduser()
    looks_local = (
        path.is_absolute() or str(name_or_path).startswith((".", "~")) or str(name_or_path).count("/") > 1
    )
    if looks_local and not (path / "config.json").is_file():
        raise CheckpointError(f"no model in {path}: give a directory that holds config.json and weights")


def _torch_dtype(dtype: str) -> torch.dtype | str:
    names = ("auto", "float32", "bfloat16", "float16")
    if dtype not in names:
        raise ConfigError(f"dtype={dtype!r} is unknown: use one of {', '.join(names)}")
    return dtype if dtype == "auto" else getattr(torch, dtype)


def _quantization_config(quantization: str) -> BitsAndBytesConfig:
    if quantization not in ("4bit", "8bit"):
        raise ConfigError(f"quantization={quantization!r} is unknown: use none, 4bit or 8bit")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(f"quantization={quantization} needs bitsandbytes: pip install bitsandbytes")
    if quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )


def _unreadable(what: str, name_or_path: str | Path, error: Exception) -> str:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"cannot load the {what} {name_or_path}: {first_line} "
        "(without network, give the path of a local copy instead of a hub name)"
    )
