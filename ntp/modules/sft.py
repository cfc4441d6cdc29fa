"""Supervised fine-tuning of a tactic policy on human proofs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from ntp.data.examples import TacticPair
from ntp.experimental.sharding import Backbone
from ntp.modules.learner import Learner, OptimizerFactory
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import ScoreRequest


class SFTModule(Learner):
    """Maximum likelihood of the tactic, stop token included, given the state.

    Args:
        policy: The policy to train.
        optimizer: Builds the optimizer from parameters.
        prompt_weight: Weight of the mean negative log-likelihood of the state's own tokens in the loss. It
            helps a model trained from scratch to learn the language of states; a pretrained model does not
            need it, and an encoder-decoder, which does not predict states, ignores it.
        warmup_steps: Optimizer steps of linear warm-up.
        decay_steps: Steps after which the learning rate has decayed to a tenth, by a cosine; 0 for no decay.
        keep_best: Whether to save the weights with the least validation loss instead of the last ones.
    """

    def __init__(
        self,
        policy: TacticPolicy,
        optimizer: OptimizerFactory,
        prompt_weight: float,
        warmup_steps: int,
        decay_steps: int,
        keep_best: bool,
    ) -> None:
        super().__init__(optimizer, warmup_steps, decay_steps)
        self.selected_by = "val/nll" if keep_best else None
        self.policy = policy
        self._prompt_weight = prompt_weight
        self._val_nll = MeanMetric()
        self._val_exact = MeanMetric()

    def training_step(self, batch: Sequence[TacticPair]) -> Tensor:
        """Mean negative log-likelihood per token of tactics, in nats, plus the weighted one of states."""
        score = self._score_with_prompts if self._prompt_weight else self._score
        scores_NC = self.score_together(batch, score)
        num_tokens_N = scores_NC[:, 1]
        nll = -scores_NC[:, 0].sum() / num_tokens_N.sum()
        prompt_nll = 0.0
        if self._prompt_weight:
            prompt_nll = -scores_NC[:, 2].sum() / scores_NC[:, 3].sum().clamp_min(1)
            self.log("train/prompt_nll", prompt_nll, batch_size=len(batch))
        self.log("train/nll", nll, prog_bar=True, batch_size=len(batch))
        self.log("train/tokens", num_tokens_N.sum(), reduce_fx="sum", batch_size=len(batch))
        return nll + self._prompt_weight * prompt_nll

    def validation_step(self, batch: Sequence[TacticPair]) -> None:
        """Collect the negative log-likelihood of the tactics, and which of them the policy would choose."""
        mine = self.share(batch)
        if not mine:
            return
        log_p_N, num_tokens_N = self._score(mine).unbind(1)
        self._val_nll.update(-log_p_N / num_tokens_N, num_tokens_N)
        chosen = self.policy.greedy([pair.state for pair in mine])
        exact = [_same(pair.tactic, tactic.text) for pair, tactic in zip(mine, chosen, strict=True)]
        self._val_exact.update(num_tokens_N.new_tensor(exact))

    def on_validation_epoch_end(self) -> None:
        """Log `val/nll` (nats per token, stop tokens included), `val/perplexity` and `val/exact_match`.

        The last is the share of pairs whose tactic, up to white space, is the policy's greedy choice.
        """
        self.meet()
        nll = self._val_nll.compute()
        self.log("val/nll", nll, prog_bar=True)
        self.log("val/perplexity", nll.exp())
        self.log("val/exact_match", self._val_exact.compute(), prog_bar=True)
        self._val_nll.reset()
        self._val_exact.reset()

    def save(self, directory: Path) -> None:
        """Write the policy to `directory/policy`."""
        self.policy.save(directory / "policy")

    def backbones(self) -> list[Backbone]:
        """The policy's model."""
        return [Backbone((self.policy.decoder.model,))]

    def _score(self, pairs: Sequence[TacticPair]) -> Tensor:
        """Log-probability and number of tokens of each tactic, stop token included, (N, 2)."""
        tactics = [self.policy.encode_tactic(pair.tactic) for pair in pairs]
        requests = [ScoreRequest(pair.state, (ids,)) for pair, ids in zip(pairs, tactics, strict=True)]
        log_p_N = self.policy.score(requests)
        return torch.stack([log_p_N, _num_tokens(tactics, log_p_N)], dim=1)

    def _score_with_prompts(self, pairs: Sequence[TacticPair]) -> Tensor:
        """The columns of `_score`, and the same for the states, (N, 4)."""
        tactics = [self.policy.encode_tactic(pair.tactic) for pair in pairs]
        scores = self.policy.score_texts([pair.state for pair in pairs], tactics)
        num_prompt_tokens_N = scores.num_prompt_tokens_N.to(scores.prompt_N)
        columns = (scores.tactic_N, _num_tokens(tactics, scores.tactic_N))
        return torch.stack([*columns, scores.prompt_N, num_prompt_tokens_N], dim=1)


def _num_tokens(tactics: Sequence[tuple[int, ...]], like: Tensor) -> Tensor:
    return like.new_tensor([len(ids) + 1 for ids in tactics])


def _same(human: str, chosen: str) -> bool:
    return human.split() == chosen.split()
