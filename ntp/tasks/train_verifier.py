"""Training of an ensemble of verifiers on kernel-labelled attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import lightning
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ntp.bounds import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from ntp.data.dataset import Dataset
from ntp.data.examples import decided_states
from ntp.models.heads import HeadSettings
from ntp.modules.supervised_data import LabelledStateDataModule
from ntp.modules.verifier_ensemble import VerifierEnsembleModule
from ntp.tasks.builders import load_labelled, load_policy
from ntp.tasks.needs import (
    add_attempts,
    add_dataset,
    add_policy,
    learning,
    refuse_lent_premises,
    refuse_retrieval,
    verifier_split,
)
from ntp.tasks.train import check_training, train
from ntp.tracking.progress import ProgressReporter
from ntp.verifier.features import ScoreFeatures
from ntp.verifier.model import VerifierModel
from ntp.verifier.scoring import reference_log_probs
from ntp.workflow.plan import Needs
from ntp.workflow.task import Task


@dataclass(frozen=True)
class EnsembleOptions(HeadSettings):
    """An ensemble of verifiers.

    Attributes:
        batch_size: States in a batch.
        bootstrap: Whether each head has a bootstrap sample of the states of its own.
        clip_norm: Greatest gradient norm of a head.
        diversity: Weight of the heads' diversity, which is subtracted from the loss.
        features: What the calibration weighs: `joint`, `likelihood` or `log_ratio`.
        length_exponent: Scores are divided by the number of tokens to this power (0: whole, 1: per token).
        warmup_steps: Optimizer steps of linear warm-up.
    """

    batch_size: PositiveInt = 16
    bootstrap: bool = True
    clip_norm: PositiveFloat = 1.0
    diversity: NonNegativeFloat = 0.0
    features: str = "joint"
    length_exponent: NonNegativeFloat = 0.0
    warmup_steps: NonNegativeInt = 50


def build(
    cfg: DictConfig,
    dataset: Dataset,  # noqa: ARG001 - the signature of all builders
    inputs: Mapping[str, Path],
) -> tuple[VerifierEnsembleModule, lightning.LightningDataModule]:
    """Heads on a supervised policy, to be trained on attempts at the theorems set aside for them."""
    train_states = decided_states(load_labelled(inputs["attempts"], verifier_split(cfg)))
    val_states = load_labelled(inputs["attempts"], "val")
    backbone = load_policy(cfg, inputs["policy"])
    options = cfg.module
    plain = OmegaConf.to_container(options, resolve=True)
    assert isinstance(plain, dict)
    verifier = VerifierModel(backbone, HeadSettings(**{f.name: plain[f.name] for f in fields(HeadSettings)}))
    with ProgressReporter("reference", len(train_states), "states") as progress:
        reference = reference_log_probs(verifier, train_states, progress.advance)
    module = VerifierEnsembleModule(
        verifier,
        instantiate(cfg.loss),
        reference,
        instantiate(cfg.optimizer),
        ScoreFeatures(options.features, options.length_exponent),
        bootstrap=options.bootstrap,
        clip_norm=options.clip_norm,
        diversity=options.diversity,
        warmup_steps=options.warmup_steps,
        decay_steps=cfg.trainer.max_steps,
        seed=options.seed,
    )
    return module, LabelledStateDataModule(train_states, val_states, options.batch_size, options.seed)


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    add_policy(needs)
    add_attempts(needs, "attempts", verifier_split(needs.cfg), "val")


def _check(cfg: DictConfig) -> None:
    refuse_lent_premises(cfg)
    refuse_retrieval(cfg, "a verifier")
    check_training(cfg)


TASK = Task(
    name="train_verifier",
    run=partial(train, build),
    reads=learning("loss"),
    needs=_needs,
    check=_check,
    distributed=True,
    weights="verifier",
)
