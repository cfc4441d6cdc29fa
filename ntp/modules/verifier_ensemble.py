"""Trains an ensemble of verifiers in one pass: K heads, each on its own sample of labelled tactics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from ntp.data.examples import LabelledState
from ntp.experimental.sharding import Backbone
from ntp.losses.batch import PairBatch, VerifierObjective
from ntp.losses.diversity import head_diversity
from ntp.modules.learner import Learner, OptimizerFactory
from ntp.seeding import derive_seed
from ntp.tracking.progress import ProgressReporter
from ntp.verifier.assessment import Labels
from ntp.verifier.calibration import Calibration, calibrate
from ntp.verifier.features import ScoreFeatures
from ntp.verifier.model import VerifierModel
from ntp.verifier.scoring import score_tactics

JOINT = ScoreFeatures("joint", length_exponent=0)


class VerifierEnsembleModule(Learner):
    """Trains all heads of a verifier on one batch of states.

    The heads share only the states, which the backbone encodes once: each head samples its own pair of a
    correct and an incorrect tactic of a state, weighs the theorem by its own bootstrap sample (Poisson(1),
    the online bootstrap of Oza and Russell 2001), and is clipped by its own gradient norm. Samples are a
    function of seed, step, state and head, so that a head trained alone as head k gets the same samples as in
    an ensemble.

    Args:
        verifier: The verifier to train.
        objective: The loss.
        reference: log p(tactic | state) of the bare backbone, by (state, tactic text), computed beforehand.
        features: Features of the trained heads' calibrated scores.
        optimizer: Builds the optimizer from parameters.
        bootstrap: Whether heads weigh theorems differently.
        clip_norm: Maximum gradient norm of a head.
        diversity: Weight of `head_diversity`, averaged over layers, which is subtracted from the loss. Above
            0 the heads influence each other, and differ from heads trained alone.
        warmup_steps: Optimizer steps of linear warm-up.
        decay_steps: Steps after which the learning rate has decayed to a tenth, by a cosine; 0 for no decay.
        seed: Seed of pairs and bootstrap samples.
        first_head: Number of the first head, to train some heads of an ensemble separately.
    """

    def __init__(
        self,
        verifier: VerifierModel,
        objective: VerifierObjective,
        reference: Mapping[tuple[str, str], float],
        optimizer: OptimizerFactory,
        features: ScoreFeatures,
        *,
        bootstrap: bool,
        clip_norm: float,
        diversity: float,
        warmup_steps: int,
        decay_steps: int = 0,
        seed: int,
        first_head: int = 0,
    ) -> None:
        super().__init__(optimizer, warmup_steps, decay_steps)
        self.verifier = verifier
        self._objective = objective
        self._reference = reference
        self._features = features
        self._bootstrap = bootstrap
        self._clip_norm = clip_norm
        self._diversity = diversity
        self._seed = seed
        self._head_numbers = range(first_head, first_head + verifier.num_heads)

    def training_step(self, batch: Sequence[LabelledState]) -> Tensor:
        """The objective on one pair of tactics per state and head, summed over heads."""
        pairs = self.draw_batch(batch, self.trainer.global_step)
        loss = self._objective(pairs)
        if self._diversity:
            layers = self.verifier.heads.layers.values()
            diversity = torch.stack([head_diversity(layer.a_KRD, layer.b_KOR) for layer in layers]).mean()
            self.log("train/diversity", diversity, batch_size=len(batch))
            loss = loss - self._diversity * diversity
        margin_KS = (pairs.log_ratio_KSP[..., 0] - pairs.log_ratio_KSP[..., 1]).detach()
        self.log("train/loss", loss / len(margin_KS), prog_bar=True, batch_size=len(batch))
        self.log("train/pair_accuracy", (margin_KS > 0).float().mean(), batch_size=len(batch))
        return loss

    def draw_batch(self, batch: Sequence[LabelledState], step: int) -> PairBatch:
        """Sample and score every head's pairs in the states of a batch."""
        texts_KSP = [[self._draw_pair(state, k, step) for state in batch] for k in self._head_numbers]
        encode = self.verifier.backbone.encode_tactic
        ids_KSP = [[[encode(text) for text in pair] for pair in row] for row in texts_KSP]
        states = [state.state for state in batch]

        def score(part: Sequence[int]) -> Tensor:
            ids = [[row[s] for s in part] for row in ids_KSP]
            return self.verifier.log_probs([states[s] for s in part], ids).transpose(0, 1)

        log_p_KSP = self.score_together(range(len(batch)), score).transpose(0, 1)
        reference = [
            [[self._reference[state, text] for text in pair] for state, pair in zip(states, row, strict=True)]
            for row in texts_KSP
        ]
        num_tokens = [[[len(ids) + 1 for ids in pair] for pair in row] for row in ids_KSP]
        weights = [[self._weight(state.theorem_id, k) for state in batch] for k in self._head_numbers]
        return PairBatch(
            log_p_KSP,
            torch.tensor(reference, device=log_p_KSP.device),
            torch.tensor(num_tokens, device=log_p_KSP.device),
            torch.tensor(weights, device=log_p_KSP.device),
        )

    def optimized(self) -> list[Tensor]:
        """The stacked weights of all heads."""
        return list(self.verifier.heads.parameters())

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,  # noqa: ARG002 - Lightning's signature
        gradient_clip_val: float | None = None,  # noqa: ARG002 - a norm over all heads would couple them
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002
    ) -> None:
        """Clip the gradient norm of every head separately."""
        clip_heads(self.verifier.heads.parameters(), self._clip_norm)

    def calibrate(self, states: Sequence[LabelledState]) -> Calibration:
        """Fit scores and probabilities on held-out states.

        Raises:
            DataError: All labels are equal.
        """
        tactics = [state.tactics for state in states]
        with ProgressReporter("calibrate", len(states), "states") as progress:
            scored = score_tactics(self.verifier, [s.state for s in states], tactics, progress.advance)
        labels = Labels.of(states)
        features = replace(self._features, beta=self._objective.beta)
        return calibrate(scored, labels.label_N, labels.num_tried_N, features)

    def save(self, directory: Path) -> None:
        """Write the heads, calibrated on the validation split, to `directory/verifier`."""
        self.verifier.to(self.trainer.strategy.root_device)  # the trainer leaves modules on the CPU
        calibration = self.calibrate(self.trainer.datamodule.val)  # type: ignore[attr-defined]
        self.verifier.save(directory / "verifier")
        calibration.save(directory / "verifier")

    def backbones(self) -> list[Backbone]:
        """The backbone under the heads."""
        return [self.verifier.shardable()]

    def _draw_pair(self, state: LabelledState, head: int, step: int) -> tuple[str, str]:
        draw = derive_seed(self._seed, "pair", head, step, state.theorem_id, state.state)
        correct, incorrect = state.correct, state.incorrect
        return correct[draw % len(correct)], incorrect[draw // len(correct) % len(incorrect)]

    def _weight(self, theorem_id: str, head: int) -> float:
        if not self._bootstrap:
            return 1.0
        return float(
            np.random.default_rng(derive_seed(self._seed, "bootstrap", head, theorem_id)).poisson(1.0)
        )


def clip_heads(stacked: Sequence[Tensor], max_norm: float) -> None:
    """Scale the gradients of every head whose norm over all layers exceeds `max_norm`, in place."""
    gradients = [p.grad for p in stacked if p.grad is not None]
    norm_K = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0).sqrt()
    scale_K = (max_norm / (norm_K + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale_K.view(-1, *[1] * (gradient.ndim - 1)))
