"""One GFlowNet training step, packed against plain.

The step: log P_F of all trajectories of VarGrad groups of 8 with gradient, their log-probabilities under the
reference, the loss and its backward pass. Ours encodes each state once, with all tactics tried in it, under a
tree mask. The plain implementation encodes every (state, tactic) pair by itself, in padded batches of similar
length under the same token budget, and applies the output head to tactic positions only. Both run the same
float32 model, one thread, on rollouts recorded from Coq (`record_trajectories.py`).

Token-passes are counted at the model's door, padding included, forward passes only.

    python experiments/bench/gfn_step.py
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from _timing import interleaved_medians
from _trajectories import RecordedGroup, all_texts, read_groups
from torch import Tensor, nn

from ntp.losses.trajectory_balance import vargrad_loss
from ntp.modules.rollout import Origin, Rollout, Scorer, score_paths
from ntp.policy.decoder import Decoder
from ntp.policy.factory import TinyPolicyFactory
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import ScoreRequest
from ntp.policy.scorer import MAX_BATCH_TOKENS, length_groups
from ntp.types import Status

NUM_GROUPS = 12
NUM_ROUNDS = 3
ALPHA_SUCCESS, FAILURE_MARGIN = 0.5, 8.0


@dataclass(frozen=True, slots=True)
class PlainScorer:
    """Scores every (state, tactic) pair as a sequence of its own."""

    policy: TacticPolicy

    def score(self, requests: Sequence[ScoreRequest]) -> Tensor:
        """Log P_F of every tactic of every request, flat and in order."""
        decoder = self.policy.decoder
        assert isinstance(decoder, Decoder)
        pairs = []
        for request in requests:
            prompt = self.policy.encode_state(request.state)
            for tactic in request.tactics:
                targets = [*tactic, decoder.stop_id][: self.policy.max_tactic_tokens]
                pairs.append((prompt, targets, len(prompt) + len(targets) - 1))
        order = sorted(range(len(pairs)), key=lambda i: pairs[i][2])
        scores: dict[int, Tensor] = {}
        for begin, end in length_groups([pairs[i][2] for i in order], MAX_BATCH_TOKENS):
            batch = order[begin:end]
            rows = [[*prompt, *targets[:-1]] for prompt, targets, _ in (pairs[i] for i in batch)]
            width = max(map(len, rows))
            ids_BL = torch.tensor([row + [decoder.stop_id] * (width - len(row)) for row in rows])
            hidden_BLD = decoder.hidden(ids_BL, torch.arange(width).expand_as(ids_BL))
            for row, index in enumerate(batch):
                prompt, targets, length = pairs[index]
                log_p_LV = decoder.log_probs(hidden_BLD[row, len(prompt) - 1 : length])
                scores[index] = log_p_LV[range(len(targets)), targets].sum()
        return torch.stack([scores[i] for i in range(len(pairs))])


class TokenCounter:
    """Counts the tokens that go through models."""

    def __init__(self, *models: nn.Module) -> None:
        self.count = 0
        for model in models:
            model.register_forward_pre_hook(self._add, with_kwargs=True)

    def _add(self, _module: nn.Module, _args: object, kwargs: dict[str, Tensor]) -> None:
        self.count += kwargs["input_ids"].numel()


def training_step(policy: Scorer, reference: Scorer, groups: Sequence[Sequence[Rollout]]) -> Tensor:
    """The loss, after its backward pass."""
    attempts = [attempt for group in groups for attempt in group]
    log_pf_N = score_paths(policy, attempts)
    with torch.no_grad():
        log_ref_N = score_paths(reference, attempts)
    proved_N = torch.tensor([attempt.status is Status.PROVED for attempt in attempts])
    log_reward_N = torch.where(proved_N, ALPHA_SUCCESS * log_ref_N, log_ref_N - FAILURE_MARGIN)
    group_N = torch.tensor([g for g, group in enumerate(groups) for _ in group])
    loss = vargrad_loss(log_pf_N, log_reward_N, group_N)
    loss.backward()
    return loss.detach()


def to_attempts(policy: TacticPolicy, group: RecordedGroup) -> list[Rollout]:
    """Recorded paths in the policy's own tokens."""
    return [
        Rollout(
            states=path.states,
            tactics=path.tactics,
            token_ids=tuple(map(policy.encode_tactic, path.tactics)),
            status=Status.PROVED if path.proved else Status.STUCK,
            origin=Origin.ON_POLICY,
            unread=((),) * len(path.states),
        )
        for path in group.paths
    ]


def main() -> None:
    torch.set_num_threads(1)
    recorded = read_groups()
    policy = TinyPolicyFactory().create(all_texts())
    reference = policy.make_reference()
    groups = [to_attempts(policy, group) for group in recorded[:NUM_GROUPS]]
    counter = TokenCounter(policy.decoder.model.base_model, reference.decoder.model.base_model)
    scorers = {"ours": (policy, reference), "plain": (PlainScorer(policy), PlainScorer(reference))}
    losses, gradients, tokens = {}, {}, {}

    def run(name: str) -> None:
        policy.zero_grad()
        counter.count = 0
        scorer, prior = scorers[name]
        losses[name] = training_step(scorer, prior, groups)
        gradients[name] = [p.grad.clone() for p in policy.trainable_parameters() if p.grad is not None]
        tokens[name] = counter.count

    seconds = interleaved_medians({name: lambda name=name: run(name) for name in scorers}, NUM_ROUNDS)
    pairs = zip(gradients["ours"], gradients["plain"], strict=True)
    figures = {
        "num_trajectories": sum(map(len, groups)),
        "num_pairs": sum(len(attempt.states) for group in groups for attempt in group),
        **{f"{name}_token_passes": tokens[name] for name in scorers},
        **{f"{name}_s": round(seconds[name], 3) for name in scorers},
        "loss": float(losses["ours"]),
        "loss_difference": float((losses["ours"] - losses["plain"]).abs()),
        "gradient_norm": float(torch.cat([g.flatten() for g in gradients["ours"]]).norm()),
        "gradient_max_difference": max(float((a - b).abs().max()) for a, b in pairs),
    }
    ratios = {
        "token_passes": round(tokens["plain"] / tokens["ours"], 3),
        "time": round(seconds["plain"] / seconds["ours"], 3),
    }
    print(json.dumps({"bench": "gfn_step", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
