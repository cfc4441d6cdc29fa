"""Language models: a tiny causal one from scratch, or any pretrained one, causal or encoder-decoder."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForTextEncoding,
    AutoTokenizer,
    BitsAndBytesConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from ntp.errors import CheckpointError, ConfigError

# Their progress bars for a single small file would disturb a run's own progress display.
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
    "num_decoder_layers",
    "decoder_layers",
    "d_ff",
    "d_kv",
)

# Names in T5-like and in BART-like models.
_DROPOUT_FIELDS = ("dropout_rate", "dropout", "attention_dropout", "activation_dropout")


def architecture(config: PretrainedConfig) -> dict[str, int | str]:
    """The sizes that must match for weights to fit a model, as far as its config has them."""
    return {name: getattr(config, name) for name in ARCHITECTURE_FIELDS if hasattr(config, name)}


def weights_fingerprint(model: PreTrainedModel) -> str:
    """A hash of a few numbers of every weight, which distinguishes weights of the same architecture.

    The numbers are rounded to bfloat16, so that it does not depend on the type of the loaded weights.
    """
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        sample = weight.detach().flatten()[:: max(1, weight.numel() // 16)][:16]
        digest.update(name.encode() + sample.to(torch.bfloat16).float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def tiny_llama_config(
    tokenizer: PreTrainedTokenizerBase,
    hidden_size: int,
    num_layers: int,
    num_heads: int,
    intermediate_size: int,
    max_positions: int,
) -> LlamaConfig:
    """A Llama of any size over a tokenizer's vocabulary, embeddings tied.

    Raises:
        ConfigError: `hidden_size` is not an even multiple of `num_heads`.
    """
    if hidden_size % (2 * num_heads):
        raise ConfigError(f"hidden_size={hidden_size} is not an even multiple of num_heads={num_heads}")
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        num_key_value_heads=num_heads,
        max_position_embeddings=max_positions,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,  # pyright: ignore[reportArgumentType]
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,  # pyright: ignore[reportArgumentType]
    )


def build_tiny_llama(config: LlamaConfig, seed: int) -> LlamaForCausalLM:
    """A Llama with random weights, a function of the seed."""
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
        dtype: Type of the weights: `auto` (the checkpoint's), `float32`, `bfloat16` or `float16`.
        attn_implementation: `sdpa` or `eager`, which support a tree-shaped attention mask.
        quantization: `4bit` or `8bit` need bitsandbytes and a GPU.
        gradient_checkpointing: Trade compute for memory in training.

    Raises:
        CheckpointError: The model cannot be found or read, or weights are missing.
        ConfigError: An option has an unknown value or needs a package that is not installed.
    """
    if attn_implementation not in ("sdpa", "eager"):
        raise ConfigError(
            f"attn_implementation={attn_implementation!r} does not support tree masks: use sdpa or eager"
        )
    config = load_config(name_or_path)
    if config.is_encoder_decoder:
        raise CheckpointError(
            f"{name_or_path} is an encoder-decoder model ({config.model_type}), not a causal one: "
            "choose model=seq2seq"
        )
    options: dict[str, Any] = {"dtype": _torch_dtype(dtype), "attn_implementation": attn_implementation}
    return _load(AutoModelForCausalLM, name_or_path, options, quantization, gradient_checkpointing)


def load_seq2seq_lm(
    name_or_path: str | Path,
    dtype: str = "float32",
    dropout: float = 0.0,
    quantization: Quantization = "none",
    gradient_checkpointing: bool = False,
) -> PreTrainedModel:
    """Load a pretrained encoder-decoder language model by hub name or local path.

    Args:
        name_or_path: Hub name (`google/byt5-small`) or a directory written by `save_pretrained`.
        dtype: Type of the weights: `float32` or `bfloat16`; activations of T5 overflow in float16.
        dropout: Dropout in training mode; replaces the checkpoint's settings.
        quantization: `4bit` or `8bit` need bitsandbytes and a GPU.
        gradient_checkpointing: Trade compute for memory in training.

    Raises:
        CheckpointError: The model cannot be found or read, weights are missing, or it has no encoder.
        ConfigError: An option has an unknown value or needs a package that is not installed.
    """
    if dtype not in ("float32", "bfloat16"):
        raise ConfigError(f"dtype={dtype!r} is not supported for encoder-decoders: use float32 or bfloat16")
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout={dropout} is not in [0, 1)")
    config = load_config(name_or_path)
    if not config.is_encoder_decoder:
        raise CheckpointError(
            f"{name_or_path} is a {config.model_type} model, not an encoder-decoder: choose model=pretrained"
        )
    for name in _DROPOUT_FIELDS:
        if hasattr(config, name):
            setattr(config, name, dropout)
    options: dict[str, Any] = {"dtype": _torch_dtype(dtype), "config": config}
    return _load(AutoModelForSeq2SeqLM, name_or_path, options, quantization, gradient_checkpointing)


def _load(
    auto_class: Any,
    name_or_path: str | Path,
    options: dict[str, Any],
    quantization: Quantization,
    gradient_checkpointing: bool,
) -> PreTrainedModel:
    if quantization != "none":
        options["quantization_config"] = _quantization_config(quantization)
    model = _load_complete(auto_class, name_or_path, options)
    if gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def load_text_encoder(name_or_path: str | Path) -> PreTrainedModel:
    """Load a pretrained text encoder (T5's, BERT's, ...) by hub name or local path, in float32.

    Of an encoder-decoder model only the encoder is loaded.

    Raises:
        CheckpointError: The model cannot be found or read, is no encoder, or weights are missing.
    """
    _require_source(name_or_path, "config.json")
    return _load_complete(AutoModelForTextEncoding, name_or_path, {"dtype": torch.float32})


def load_config(name_or_path: str | Path) -> PretrainedConfig:
    """Load the configuration of a pretrained model, without its weights.

    Raises:
        CheckpointError: It cannot be found or read.
    """
    _require_source(name_or_path, "config.json")
    try:
        return AutoConfig.from_pretrained(name_or_path)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(_unreadable("model", name_or_path, error)) from error


def load_tokenizer(name_or_path: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a pretrained model.

    Raises:
        CheckpointError: It cannot be found or read.
    """
    _require_source(name_or_path, "tokenizer_config.json")
    try:
        return AutoTokenizer.from_pretrained(name_or_path)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(_unreadable("tokenizer", name_or_path, error)) from error


def _load_complete(kind: Any, name_or_path: str | Path, options: dict[str, Any]) -> PreTrainedModel:
    try:
        model, info = kind.from_pretrained(name_or_path, output_loading_info=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(_unreadable("model", name_or_path, error)) from error
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise CheckpointError(
            f"weights in {name_or_path} are incomplete: {len(missing)} tensors missing (first: {missing[0]})"
        )
    return model


def _require_source(name_or_path: str | Path, file: str) -> None:
    """Refuse a wrong path, which would otherwise be looked up as a name on the hub."""
    path, text = Path(name_or_path).expanduser(), str(name_or_path)
    is_local = path.is_absolute() or text.startswith((".", "~")) or text.count("/") > 1
    if is_local and not (path / file).is_file():
        raise CheckpointError(f"no model in {path}: {file} is missing")


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
    reason = " ".join(str(error).split()).partition(". ")[0] or type(error).__name__
    advice = "; without network, give the path of a local copy" if isinstance(error, OSError) else ""
    return f"cannot load the {what} {name_or_path}: {reason}{advice}"
