"""Training of a dense retriever on the premises that recorded proofs use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightning
from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.bounds import NonNegativeInt, PositiveInt
from ntp.data.dataset import Dataset
from ntp.modules.retriever import RetrieverModule
from ntp.modules.supervised_data import RetrievalDataModule
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.examples import retrieval_examples
from ntp.retrieval.negatives import ContrastiveSchedule
from ntp.tasks.needs import add_dataset, learning, refuse_lent_premises
from ntp.tasks.selection import load_split
from ntp.tasks.train import check_training, train
from ntp.workflow.task import Task


@dataclass(frozen=True)
class RetrieverOptions:
    """Training of a dense retriever.

    Attributes:
        batch_size: Steps of proofs in a batch.
        num_in_file: Negatives of a step from the file of its theorem.
        num_accessible: Negatives of a step from everything that its theorem could have used.
        warmup_steps: Optimizer steps of linear warm-up.
        decay: Whether the learning rate falls to a tenth by a cosine over `trainer.max_steps`.
    """

    batch_size: PositiveInt = 64
    num_in_file: NonNegativeInt = 2
    num_accessible: NonNegativeInt = 0
    warmup_steps: NonNegativeInt = 50
    decay: bool = True


def build(
    cfg: DictConfig,
    dataset: Dataset,
    inputs: Mapping[str, Path],  # noqa: ARG001 - the signature of all builders
) -> tuple[RetrieverModule, lightning.LightningDataModule]:
    """A dual encoder, to be trained on the premises that proofs of the training split use."""
    split, options = load_split(cfg, dataset), cfg.module
    corpus = PremiseCorpus.of(dataset)
    train = retrieval_examples(corpus, dataset.select(split.train))
    val = retrieval_examples(corpus, dataset.select(split.val))
    schedule = ContrastiveSchedule(
        train, corpus, options.batch_size, options.num_in_file, options.num_accessible, cfg.seed
    )
    encoder = instantiate(cfg.model).create([*(e.state for e in train), *corpus.documents])
    module = RetrieverModule(
        encoder,
        corpus,
        instantiate(cfg.loss),
        instantiate(cfg.optimizer),
        options.warmup_steps,
        cfg.trainer.max_steps if options.decay else 0,
    )
    return module, RetrievalDataModule(schedule, val, options.batch_size)


def _check(cfg: DictConfig) -> None:
    refuse_lent_premises(cfg)
    check_training(cfg)


TASK = Task(
    name="train_retriever",
    run=partial(train, build),
    reads=learning("loss"),
    needs=add_dataset,
    check=_check,
    distributed=True,
    weights="retriever",
)
