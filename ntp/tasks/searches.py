"""Searches from the config: each of these makes a function that builds the search of a theorem."""

from __future__ import annotations

from collections.abc import Callable

from omegaconf import DictConfig

from ntp.policy.requests import SamplingParams
from ntp.search.base import Budget
from ntp.search.best_first import BestFirstSearch
from ntp.search.sampling import SamplingSearch
from ntp.seeding import derive_seed
from ntp.types import ProofState, Theorem


def sampling_search(options: DictConfig, seed: int) -> Callable[[Theorem, ProofState], SamplingSearch]:
    """Independent samples, as a config of `SamplingConfig` says."""
    budget = Budget(options.num_samples * options.max_depth, options.max_env_steps, options.max_seconds)

    def make(theorem: Theorem, root: ProofState) -> SamplingSearch:
        draws = [
            SamplingParams(derive_seed(seed, "sampling", theorem.id, i), options.temperature)
            for i in range(options.num_samples)
        ]
        return SamplingSearch(theorem, root, draws, options.max_depth, budget)

    return make


def best_first_search(
    options: DictConfig, seed: int, weights: tuple[float, float] = (1.0, 0.0)
) -> Callable[[Theorem, ProofState], BestFirstSearch]:
    """Best-first search, as a config of `BestFirstConfig` says, with weights of policy and verifiers."""
    budget = Budget(
        options.samples_per_expansion * options.max_expansions, options.max_env_steps, options.max_seconds
    )

    def make(theorem: Theorem, root: ProofState) -> BestFirstSearch:
        return BestFirstSearch(
            theorem,
            root,
            budget,
            options.samples_per_expansion,
            options.expansion_price,
            options.length_exponent,
            options.max_depth,
            options.temperature,
            derive_seed(seed, "best_first", theorem.id),
            *weights,
        )

    return make
