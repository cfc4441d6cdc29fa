"""Structured-config schemas of premise retrieval."""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class TinyEncoderConfig:
    _target_: str = "ntp.retrieval.encoder_factory.TinyEncoderFactory"
    vocab_size: int = 8192
    hidden_size: int = 256
    num_layers: int = 0
    num_heads: int = 4
    intermediate_size: int = 256
    dropout: float = 0.1
    max_state_tokens: int = 128
    max_premise_tokens: int = 64
    seed: int = 0


@dataclass
class PretrainedEncoderConfig:
    _target_: str = "ntp.retrieval.encoder_factory.PretrainedEncoderFactory"
    name_or_path: str = MISSING
    max_state_tokens: int = 1024
    max_premise_tokens: int = 1024


@dataclass
class RetrieverModuleConfig:
    name: str = "retriever"
    batch_size: int = 64
    num_in_file: int = 2
    num_accessible: int = 0
    warmup_steps: int = 50
    decay: bool = True


@dataclass
class InfoNCEConfig:
    _target_: str = "ntp.losses.contrastive.InfoNCE"
    temperature: float = 0.05


@dataclass
class SimilarityMSEConfig:
    _target_: str = "ntp.losses.contrastive.SimilarityMSE"


@dataclass
class RetrievalConfig:
    """Premises in front of states: `name` is none, bm25 or dense.

    Attributes:
        name: Which retriever.
        num_premises: Premises retrieved for a state.
        max_bytes: Longest state with premises in front of it.
        k1: Of BM25.
        b: Of BM25.
        checkpoint: Output directory of a training run of the dense retriever.
        experiment: What trains it where there is no checkpoint.
        overrides: Of that experiment.
        name_or_path: A pretrained dual encoder that is used as it is, in place of both.
        batch_size: Texts encoded at once.
        corpus: Folder of a LeanDojo Benchmark whose premises stand in for those of data that has none.
    """

    name: str = MISSING
    num_premises: int = 100
    max_bytes: int = 2048
    k1: float = 2.5
    b: float = 1.0
    checkpoint: str | None = None
    experiment: str | None = "retriever"
    overrides: list[str] = field(default_factory=list)
    name_or_path: str | None = None
    batch_size: int = 64
    corpus: str | None = None


SCHEMAS: dict[tuple[str, str], type] = {
    ("model", "schema_tiny_encoder"): TinyEncoderConfig,
    ("model", "schema_pretrained_encoder"): PretrainedEncoderConfig,
    ("module", "schema_retriever"): RetrieverModuleConfig,
    ("loss", "schema_info_nce"): InfoNCEConfig,
    ("loss", "schema_similarity_mse"): SimilarityMSEConfig,
    ("retrieval", "schema"): RetrievalConfig,
}
