"""Supervised fine-tuning of a tactic policy on human proofs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from ntp.data.tactics import TacticPair
from ntp.modules.learner import Learner, OptimizerFactory
from ntp.policy.policy import TacticPolicy
from ntp.policy.requests import ScoreRequest


class SFTModule(Learner):
    """Maximum likelihood of the tactic, stop token included, given the state.

    Args:
        policy: What is trained.
        optimizer: Builds the optimizer from parameters.
        prompt_weight: Of the mean negative log-likelihood of the state's own tokens in the loss. A model
            trained from nothing learns to read from it; a pretrained one needs none, and an encoder-decoder,
            which predicts no state, gets none.
        warmup_steps: Optimizer steps of linear warm-up.
        decay_steps: Steps after which the learning rate has fallen to a tenth, by a cosine; 0 for none.
    """

    def __init__(
        self,
        policy: TacticPolicy,
        optimizer: OptimizerFactory,
        prompt_weight: float,
        warmup_steps: int,
        decay_steps: int,
    ) -> None:
        super().__init__(optimizer, warmup_steps, decay_steps)
        self.policy = policy
        self._prompt_weight = prompt_weight
        self._val_nll = MeanMetric()
        self._val_exact = MeanMetric()

    def training_step(self, batch: Sequence[TacticPair]) -> Tensor:
        """Mean negative log-likelihood per token of the tactics, in nats, plus the states' weighted."""
        states, tactics, num_tokens_N = self._encode(batch)
        if self._prompt_weight:
            scores = self.policy.score_texts(states, tactics)
            log_p_N = scores.tactic_N
            prompt_nll = -scores.prompt_N.sum() / scores.num_prompt_tokens_N.sum().clamp_min(1)
            self.log("train/prompt_nll", prompt_nll, batch_size=len(batch))
        else:
            log_p_N, prompt_nll = self._score(states, tactics), 0.0
        nll = -log_p_N.sum() / num_tokens_N.sum()
        self.log("train/nll", nll, prog_bar=True, batch_size=len(batch))
        self.log("train/tokens", num_tokens_N.sum().float(), reduce_fx="sum", batch_size=len(batch))
        return nll + self._prompt_weight * prompt_nll

    def validation_step(self, batch: Sequence[TacticPair]) -> None:
        """Collect the negative log-likelihood per token of the tactics, and which the policy would choose."""
        states, tactics, num_tokens_N = self._encode(batch)
        self._val_nll.update(-self._score(states, tactics) / num_tokens_N, num_tokens_N)
        chosen = self.policy.greedy(states)
        exact = [_same(pair.tactic, tactic.text) for pair, tactic in zip(batch, chosen, strict=True)]
        self._val_exact.update(num_tokens_N.new_tensor(exact).float())

    def on_validation_epoch_end(self) -> None:
        """Log `val/nll` (nats per token, stop tokens included), `val/perplexity` and `val/exact_match`.

        The last is the share of pairs whose tactic, up to white space, is the policy's greedy choice.
        """
        nll = self._val_nll.compute()
        self.log("val/nll", nll, prog_bar=True)
        self.log("val/perplexity", nll.exp())
        self.log("val/exact_match", self._val_exact.compute(), prog_bar=True)
        self._val_nll.reset()
        self._val_exact.reset()

    def save(self, directory: Path) -> None:
        """Write the policy to `directory/policy`."""
        self.policy.save(directory / "policy")

    def _encode(self, batch: Sequence[TacticPair]) -> tuple[list[str], list[tuple[int, ...]], Tensor]:
        """States, token ids of tactics, and how many tokens each tactic has with its stop token."""
        tactics = [self.policy.encode_tactic(pair.tactic) for pair in batch]
        num_tokens_N = torch.tensor([len(ids) + 1 for ids in tactics], device=self.policy.device)
        return [pair.state for pair in batch], tactics, num_tokens_N

    def _score(self, states: Sequence[str], tactics: Sequence[tuple[int, ...]]) -> Tensor:
        return self.policy.score(
            [ScoreRequest(state, (ids,)) for state, ids in zip(states, tactics, strict=True)]
        )


def _same(human: str, chosen: str) -> bool:
    return human.split() == chosen.split()
