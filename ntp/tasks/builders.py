"""Retrievers from configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig

from ntp.data.dataset import Dataset
from ntp.errors import ConfigError
from ntp.retrieval.augmentation import Augmentation
from ntp.retrieval.base import Retriever
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.dense import DenseRetriever, premise_vectors
from ntp.retrieval.dual_encoder import DualEncoder
from ntp.retrieval.lexical import BM25Retriever
from ntp.tracking.progress import ProgressReporter


def load_augmentation(cfg: DictConfig, dataset: Dataset, inputs: Mapping[str, Path]) -> Augmentation | None:
    """What puts premises in front of states; None where states are read as they are.

    The premises are those of the stage `corpus` where there is one, else those of the data set.

    Raises:
        ConfigError: `cfg.retrieval` is not known or out of range.
        CheckpointError: The dense retriever cannot be read.
    """
    options = cfg.retrieval
    if options.name == "none":
        return None
    corpus = PremiseCorpus.of(Dataset.load(inputs["corpus"]) if "corpus" in inputs else dataset)
    retriever = load_retriever(options.name, cfg, corpus, inputs)
    return Augmentation(retriever, options.num_premises, options.max_bytes)


def load_retriever(
    name: str, cfg: DictConfig, corpus: PremiseCorpus, inputs: Mapping[str, Path]
) -> Retriever:
    """A retriever over a corpus, its index kept beside the data set that has the premises.

    Args:
        name: `bm25` or `dense`.
        cfg: Its options are in `cfg.retrieval`.
        corpus: The premises of the data set in `inputs`.
        inputs: Directories of the stages `dataset` or `corpus` and, for `dense`, `retriever`.

    Raises:
        ConfigError: The name is not known, or an option is out of range.
        CheckpointError: The dense retriever cannot be read.
    """
    options, cache = cfg.retrieval, inputs.get("corpus", inputs["dataset"]) / "indices"
    if name == "bm25":
        return BM25Retriever(corpus, cache, options.k1, options.b)
    if name != "dense":
        raise ConfigError(f"retrieval={name} is unknown: choose none, bm25 or dense")
    encoder = DualEncoder.load(options.name_or_path or _inner(inputs["retriever"])).eval()
    if torch.cuda.is_available():
        encoder.to("cuda")
    with ProgressReporter("index", len(corpus), "premises") as progress:
        vectors = premise_vectors(encoder, corpus, cache, options.batch_size, progress.advance)
    return DenseRetriever(encoder, corpus, vectors, options.batch_size)


def _inner(path: Path) -> Path:
    """Where the encoder lies in what a user or a stage gives: itself, or the `retriever` folder of a run."""
    return path / "retriever" if (path / "retriever").is_dir() else path
