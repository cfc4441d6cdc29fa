"""What choices in a config mean, for the plan as for the tasks."""

from __future__ import annotations

from omegaconf import DictConfig

from ntp.errors import ConfigError


def verifier_side(cfg: DictConfig) -> str:
    """The side of the split whose attempts verifiers are trained on: their own where there is one."""
    return "verifier" if cfg.data.split.verifier_fraction > 0 else "train"


def priority_weights(search: DictConfig) -> tuple[float, float]:
    """Weights of the policy's log-probability and of the verifiers' belief, as `search.score` says.

    Raises:
        ConfigError: It is unknown.
    """
    weight = float(search.verifier_weight)
    weights = {"policy": (1.0, 0.0), "verifier": (0.0, weight), "mixed": (1.0, weight)}
    if search.score not in weights:
        raise ConfigError(f"search.score={search.score} is unknown: choose one of {', '.join(weights)}")
    return weights[search.score]
