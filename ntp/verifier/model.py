"""Log-probabilities of tactics under K heads and under the bare backbone, each state encoded once for all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ntp.errors import CheckpointError, ConfigError
from ntp.experimental.sharding import Backbone
from ntp.jsonl import atomic_write
from ntp.models.backbone import weights_fingerprint
from ntp.models.heads import HeadSettings, add_heads
from ntp.models.shared_prefix import Prefix, encode_branches, encode_prompts, use_shared_prefix
from ntp.policy.causal import CausalPolicy
from ntp.policy.policy import TacticPolicy

TokenIds = Sequence[int]
DESCRIPTION_FILE = "ntp_verifier.json"


class VerifierModel(nn.Module):
    """K heads on a frozen language model.

    The state is encoded by the backbone alone. The heads apply from the prompt's tokens between state and
    tactic on, like activated LoRA adapters, so that all heads and tactics share the state's keys and values.

    Args:
        backbone: A policy whose model becomes the frozen backbone, modified in place; its adapters, if any,
            are merged into it.
        settings: Settings of the heads.

    Raises:
        ConfigError: The policy is not a causal language model, nothing separates state and tactic in its
            prompts, or heads cannot be added to the model.
    """

    def __init__(self, backbone: TacticPolicy, settings: HeadSettings) -> None:
        super().__init__()
        if not isinstance(backbone, CausalPolicy):
            kind = backbone.decoder.model.config.model_type
            raise ConfigError(
                f"verifier heads need a causal language model, and a {kind} model is none: give "
                "verifier.backbone a policy of model=tiny, model=pretrained or the like"
            )
        self.backbone = backbone
        self.invocation_ids = backbone.prompt_end_ids
        if not self.invocation_ids:
            raise ConfigError(
                "a verifier needs a prompt with the same end for every state: end its template with text"
            )
        # PEFT cannot load a head onto a model with other adapters merged into it.
        name = backbone.decoder.model.config.name_or_path
        self._base_name = None if backbone.has_adapters or not name else name
        backbone.merge_adapters()
        model = backbone.decoder.model
        self._fingerprint = weights_fingerprint(model)
        use_shared_prefix(model)
        self.heads = add_heads(model, settings)

    @property
    def num_heads(self) -> int:
        """K."""
        return self.heads.settings.num_heads

    def shardable(self) -> Backbone:
        """The backbone, which is called with one row for each head."""
        return Backbone((self.backbone.decoder.model,), num_rows=self.num_heads)

    def log_probs(self, states: Sequence[str], tactics_KSN: Sequence[Sequence[Sequence[TokenIds]]]) -> Tensor:
        """Log p_k(tactic | state) in nats, stop token included, differentiable in the heads, (K, S, N).

        Args:
            states: S states.
            tactics_KSN: For each head, N tactics in each state, as token ids without the stop token.
        """
        with self.heads.switch.off():
            prefix = self._encode(states)
        return self._score(prefix, tactics_KSN)

    @torch.no_grad()
    def reference_log_probs(self, states: Sequence[str], tactics_SN: Sequence[Sequence[TokenIds]]) -> Tensor:
        """Log p(tactic | state) under the backbone alone, in nats, (S, N)."""
        with self.heads.switch.off():
            return self._score(self._encode(states), [tactics_SN])[0]

    def save(self, directory: Path) -> None:
        """Write the heads as PEFT adapters, and `ntp_verifier.json`, which describes their backbone."""
        directory.mkdir(parents=True, exist_ok=True)
        self.heads.save(directory, self._base_name, self.invocation_ids)
        with atomic_write(directory / DESCRIPTION_FILE) as stream:
            stream.write(json.dumps(self._describe(), indent=2) + "\n")

    @classmethod
    def load(cls, backbone: TacticPolicy, directory: Path) -> VerifierModel:
        """Load saved heads onto a backbone, in place.

        Raises:
            CheckpointError: They are for another backbone or tokenizer, incomplete or corrupt.
        """
        path = directory / DESCRIPTION_FILE
        try:
            saved = json.loads(path.read_text())
            settings = HeadSettings(**{**saved["heads"], "seed": 0})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"no verifier in {directory}: {DESCRIPTION_FILE}: {error}") from error
        verifier = cls(backbone, settings)
        asked = verifier._describe()
        if differing := [name for name in asked if saved.get(name) != asked[name]]:
            there = ", ".join(f"{name}={saved.get(name)}" for name in differing)
            here = ", ".join(f"{name}={asked[name]}" for name in differing)
            raise CheckpointError(
                f"the verifier in {directory} is for a backbone with {there}; this one has {here}"
            )
        verifier.heads.load(directory)
        return verifier

    def _describe(self) -> dict[str, Any]:
        settings, policy = self.heads.settings, self.backbone
        targets = settings.target_modules
        return {
            "heads": {
                "num_heads": settings.num_heads,
                "r": settings.r,
                "alpha": settings.alpha,
                "target_modules": targets if isinstance(targets, str) else list(targets),
            },
            "invocation_ids": list(self.invocation_ids),
            "weights": self._fingerprint,
            **policy.description(),
        }

    def _encode(self, states: Sequence[str]) -> Prefix:
        prompts = [self.backbone.encode_state(state) for state in states]
        num_end = len(self.invocation_ids)
        for prompt, state in zip(prompts, states, strict=True):
            if tuple(prompt[-num_end:]) != self.invocation_ids:
                raise ConfigError(f"the prompt of the state {state[:80]!r} does not end like the others")
        decoder = self.backbone.decoder
        with decoder.autocast():
            return encode_prompts(decoder.model, [prompt[:-num_end] for prompt in prompts])

    def _score(self, prefix: Prefix, tactics_KSN: Sequence[Sequence[Sequence[TokenIds]]]) -> Tensor:
        decoder, end = self.backbone.decoder, list(self.invocation_ids)
        limit = self.backbone.max_tactic_tokens
        flat = [tactic for row in tactics_KSN for tactics in row for tactic in tactics]
        targets = [torch.tensor([*tactic, decoder.stop_id][:limit], device=decoder.device) for tactic in flat]
        ids = [
            torch.tensor([*end, *tactic][: len(end) + limit - 1], device=decoder.device) for tactic in flat
        ]
        shape = (len(tactics_KSN), len(tactics_KSN[0]), len(tactics_KSN[0][0]))
        ids_BL = pad_sequence(ids, batch_first=True, padding_value=decoder.stop_id)
        with decoder.autocast():
            hidden_BLD = encode_branches(decoder.model, prefix, ids_BL.view(*shape, -1)).flatten(0, 2)
            # From the last token of the layout on; padding is cut off before the output layer.
            places = [slice(len(end) - 1, len(end) - 1 + len(target)) for target in targets]
            hidden_MD = torch.cat([hidden_BLD[b, place] for b, place in enumerate(places)])
            log_p_MV = decoder.log_probs(hidden_MD)
        log_p_M = log_p_MV.gather(1, torch.cat(targets)[:, None])[:, 0]
        row_M = torch.repeat_interleave(
            torch.tensor([len(target) for target in targets], device=decoder.device)
        )
        sum_B = torch.zeros(len(flat), dtype=torch.float64, device=decoder.device)
        return sum_B.index_add(0, row_M, log_p_M.double()).float().view(shape)
