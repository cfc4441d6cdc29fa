"""Checks that a pretrained model computes the same on packed trees as on plain sequences."""

from __future__ import annotations

import torch

from ntp.errors import CheckpointError
from ntp.policy.policy import TacticPolicy
from ntp.policy.requests import Draw, SampleRequest, ScoreRequest

_STATE = "n : nat\n⊢ n + 0 = n"
_NUM_DRAWS = 3
# Wide enough for bfloat16 weights, far below what a wrong mask does to a trained model.
_TOLERANCE_PER_TOKEN = 0.1


@torch.no_grad()
def require_tree_attention(policy: TacticPolicy) -> None:
    """Sample a few tactics and compare their log-probabilities with a plain forward pass.

    Raises:
        CheckpointError: They differ, or the model does not run: its attention ignores tree masks or position
            ids (recurrent layers, ALiBi), or its output is not its head applied to its hidden states.
    """
    name = policy.decoder.model.config.model_type
    problem = f"a {name} model cannot be used: it needs full attention that takes 4D masks and position ids"
    policy.eval()
    try:
        (tactics,) = policy.sample([SampleRequest(_STATE, tuple(map(Draw, range(_NUM_DRAWS))))])
        packed = policy.score([ScoreRequest(_STATE, tuple(tactic.token_ids for tactic in tactics))]).tolist()
        plain = [_plain_log_prob(policy, tactic.token_ids) for tactic in tactics]
    except (
        AttributeError,
        IndexError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as e:
        raise CheckpointError(f"{problem} ({type(e).__name__}: {str(e).partition(chr(10))[0]})") from e
    for tactic, packed_log_p, plain_log_p in zip(tactics, packed, plain, strict=True):
        tolerance = _TOLERANCE_PER_TOKEN * (len(tactic.token_ids) + 1)
        if max(abs(tactic.log_prob - plain_log_p), abs(packed_log_p - plain_log_p)) > tolerance:
            raise CheckpointError(problem)


def _plain_log_prob(policy: TacticPolicy, token_ids: tuple[int, ...]) -> float:
    decoder = policy.decoder
    prompt = policy.encode_state(_STATE)
    targets = [*token_ids, decoder.stop_id][: policy.max_tactic_tokens]
    ids_BL = torch.tensor([[*prompt, *targets]], device=decoder.device)
    with decoder.autocast():
        logits_LV = decoder.model(input_ids=ids_BL).logits[0, len(prompt) - 1 : -1].float()
    suppressed = torch.tensor(decoder.suppressed_ids, dtype=torch.long, device=decoder.device)
    log_p_LV = logits_LV.index_fill(1, suppressed, -torch.inf).log_softmax(-1)
    return float(log_p_LV[range(len(targets)), targets].sum())
