"""Checks that sampling and scoring with a pretrained model agree with its plain forward pass."""

from __future__ import annotations

import torch

from ntp.errors import CheckpointError, NtpError
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import SampleRequest, SamplingParams, ScoreRequest

# Two lengths, so that one of them is padded.
_STATES = ("n : nat\n⊢ n + 0 = n", "⊢ True")
_NUM_DRAWS = 3
# Nats per token, in float32 and with weights or matrix products of at most 8 bits of precision (bfloat16).
_FULL_TOLERANCE = 1e-4
_REDUCED_TOLERANCE = 0.1


@torch.no_grad()
def require_faithful(policy: TacticPolicy) -> None:
    """Sample a few tactics and compare their log-probabilities with a plain forward pass.

    Raises:
        CheckpointError: They differ, or the model does not run. A causal model's attention may ignore tree
            masks or position ids (recurrent layers, ALiBi), an encoder-decoder's may not be transformers'
            own, and either's output may not be its head applied to its hidden states.
    """
    name = policy.decoder.model.config.model_type
    problem = f"a {name} model cannot be used: it needs {policy.requirement}"
    policy.eval()
    try:
        draws = tuple(map(SamplingParams, range(_NUM_DRAWS)))
        rows = policy.sample([SampleRequest(state, draws) for state in _STATES])
        asked = [(state, tactic) for state, row in zip(_STATES, rows, strict=True) for tactic in row]
        scored = policy.score([ScoreRequest(state, (tactic.token_ids,)) for state, tactic in asked]).tolist()
        plain = [_plain_log_prob(policy, state, tactic.token_ids) for state, tactic in asked]
    except (
        AttributeError,
        IndexError,
        KeyError,
        NotImplementedError,
        NtpError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as e:
        raise CheckpointError(f"{problem} ({type(e).__name__}: {str(e).partition(chr(10))[0]})") from e
    for (_, tactic), scored_log_p, plain_log_p in zip(asked, scored, plain, strict=True):
        tolerance = _tolerance(policy) * (len(tactic.token_ids) + 1)
        # Negated, so that a NaN fails too.
        if not max(abs(tactic.log_prob - plain_log_p), abs(scored_log_p - plain_log_p)) <= tolerance:
            raise CheckpointError(problem)


def _tolerance(policy: TacticPolicy) -> float:
    decoder = policy.decoder
    is_full = decoder.model.dtype == torch.float32 and decoder.precision == "fp32" and not policy.is_quantized
    return _FULL_TOLERANCE if is_full else _REDUCED_TOLERANCE


def _plain_log_prob(policy: TacticPolicy, state: str, token_ids: tuple[int, ...]) -> float:
    targets = [*token_ids, policy.decoder.stop_id][: policy.max_tactic_tokens]
    logits_LV = policy.plain_logits(policy.encode_state(state), targets)
    log_p_LV = policy.decoder.normalise(logits_LV)
    return float(log_p_LV[range(len(targets)), targets].sum())
