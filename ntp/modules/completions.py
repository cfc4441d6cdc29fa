"""Supervised fine-tuning on instruction and chat data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from ntp.experimental.sharding import Backbone
from ntp.modules.chat import IGNORED
from ntp.modules.learner import Learner, OptimizerFactory
from ntp.modules.packing import Packed
from ntp.policy.causal import CausalPolicy


class CompletionModule(Learner):
    """Maximum likelihood of completions and of the assistant's turns, given what precedes them.

    Args:
        policy: The policy whose model is trained.
        optimizer: Builds the optimizer from parameters.
        warmup_steps: Optimizer steps of linear warm-up.
        decay_steps: Steps after which the learning rate has decayed to a tenth, by a cosine; 0 for no decay.
        keep_best: Whether to save the weights with the least validation loss instead of the last ones.
    """

    def __init__(
        self,
        policy: CausalPolicy,
        optimizer: OptimizerFactory,
        warmup_steps: int,
        decay_steps: int,
        keep_best: bool,
    ) -> None:
        super().__init__(optimizer, warmup_steps, decay_steps)
        self.selected_by = "val/nll" if keep_best else None
        self.policy = policy
        self._val_nll = MeanMetric()

    def training_step(self, batch: Sequence[Packed]) -> Tensor:
        """Mean negative log-likelihood per learned token of the whole batch, in nats."""
        log_p_N, num_tokens_N = self.score_together(batch, self.score).unbind(1)
        nll = -log_p_N.sum() / num_tokens_N.sum().clamp_min(1)
        self.log("train/nll", nll, prog_bar=True, batch_size=len(batch))
        self.log("train/tokens", num_tokens_N.sum(), reduce_fx="sum", batch_size=len(batch))
        return nll

    def validation_step(self, batch: Sequence[Packed]) -> None:
        """Collect the negative log-likelihood of validation examples."""
        mine = self.share(batch)
        if mine:
            log_p_N, num_tokens_N = self.score(mine).unbind(1)
            self._val_nll.update(-log_p_N / num_tokens_N.clamp_min(1), num_tokens_N)

    def on_validation_epoch_end(self) -> None:
        """Log `val/nll`, nats per learned token, and `val/perplexity`."""
        self.meet()
        nll = self._val_nll.compute()
        self.log("val/nll", nll, prog_bar=True)
        self.log("val/perplexity", nll.exp())
        self._val_nll.reset()

    def score(self, batch: Sequence[Packed]) -> Tensor:
        """Log-probability and number of the learned tokens of each sequence, (N, 2)."""
        return torch.stack([self._score(packed) for packed in batch])

    def save(self, directory: Path) -> None:
        """Write the policy to `directory/policy`."""
        self.policy.save(directory / "policy")

    def backbones(self) -> list[Backbone]:
        """The policy's model."""
        return [Backbone((self.policy.decoder.model,))]

    def _score(self, packed: Packed) -> Tensor:
        decoder = self.policy.decoder
        ids_1L, position_1L, label_1L = (
            torch.tensor([values], device=decoder.device)
            for values in (packed.ids, packed.positions, packed.labels)
        )
        learned_L = label_1L[0, 1:] != IGNORED
        with decoder.autocast():
            hidden_1LD = decoder.hidden(ids_1L, position_1L)
            head = decoder.model.get_output_embeddings()
            assert head is not None
            # Most of a prompt is not learned, and logits are the largest tensor.
            logits_MV = head(hidden_1LD[0, :-1][learned_L]).float()
        log_p_M = logits_MV.log_softmax(-1).gather(1, label_1L[0, 1:][learned_L][:, None])
        return torch.stack([log_p_M.sum(), learned_L.sum().to(log_p_M)])
