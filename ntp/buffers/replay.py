"""The policy's own verified proofs, kept per theorem to be trained on again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ntp.errors import ConfigError
from ntp.seeding import weighted_sample

ProofKey = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplayProof:
    """A verified proof as a policy can be scored on it.

    Attributes:
        states: Text of the state that each tactic was applied to.
        tactics: Text of each tactic.
        token_ids: Tokens of each tactic, without the stop token.
        log_ref_T: log pi_ref of each tactic, in nats: the untempered component of its reward.
        unread: The goals that stood behind the one that each tactic was applied to.
        num_sampled: How often the policy itself has sampled it.
    """

    states: tuple[str, ...]
    tactics: tuple[str, ...]
    token_ids: tuple[tuple[int, ...], ...]
    log_ref_T: tuple[float, ...]
    unread: tuple[tuple[str, ...], ...]
    num_sampled: int = 0

    @property
    def log_ref(self) -> float:
        """Log pi_ref of the whole proof, in nats."""
        return sum(self.log_ref_T)

    @property
    def key(self) -> ProofKey:
        """The tactics: the same text may be sampled as different tokens."""
        return self.tactics


class ReplayBuffer:
    """Distinct proofs per theorem, a bounded number of each.

    When a theorem has too many, one is evicted from the largest set of proofs that pass through the same
    states (spellings of one idea): the one with the lowest log_ref, the oldest if several have it. This keeps
    different ideas first, and the spellings with the highest reward among them.

    Args:
        capacity: Maximum number of proofs of a theorem.

    Raises:
        ConfigError: The capacity is below 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ConfigError(f"buffer.capacity={capacity} keeps no proof: give at least 1")
        self._capacity = capacity
        self._proofs: dict[str, dict[ProofKey, ReplayProof]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._proofs.values()))

    @property
    def num_theorems(self) -> int:
        """Theorems with at least one proof."""
        return len(self._proofs)

    def all_proofs(self) -> Iterator[ReplayProof]:
        """The proofs kept for all theorems."""
        for kept in self._proofs.values():
            yield from kept.values()

    def proofs(self, theorem_id: str) -> list[ReplayProof]:
        """The proofs kept for a theorem, oldest first."""
        return list(self._proofs.get(theorem_id, {}).values())

    def add(self, theorem_id: str, proof: ReplayProof) -> bool:
        """Keep a proof; returns whether it was new. It may be evicted at once.

        `num_sampled` of a proof that is kept already is added to what it was.
        """
        kept = self._proofs.setdefault(theorem_id, {})
        if proof.key in kept:
            before = kept[proof.key]
            kept[proof.key] = replace(before, num_sampled=before.num_sampled + proof.num_sampled)
            return False
        kept[proof.key] = proof
        if len(kept) > self._capacity:
            del kept[_least_wanted(kept).key]
        return True

    def sample(
        self, theorem_id: str, num: int, seed: int, exclude: Collection[ProofKey] = ()
    ) -> list[ReplayProof]:
        """Up to `num` distinct proofs, sampled uniformly; a pure function of the buffer and the seed.

        Args:
            theorem_id: The theorem whose proofs are sampled.
            num: Maximum number of proofs returned.
            seed: Seed of the sample.
            exclude: Keys of proofs not to return.
        """
        candidates = [proof for key, proof in self._proofs.get(theorem_id, {}).items() if key not in exclude]
        return random.Random(seed).sample(candidates, min(num, len(candidates)))

    def unseen(self, theorem_id: str) -> float:
        """Estimated share of a theorem's proofs, by the policy's probability, that it has not sampled yet.

        The Good-Turing estimate: the proofs sampled once over all samples (Good 1953, equation 9), at most
        one half, since one sample says nothing; 0 for a theorem whose proofs were never sampled.
        """
        counts = [proof.num_sampled for proof in self.proofs(theorem_id)]
        return min(0.5, counts.count(1) / sum(counts)) if sum(counts) else 0.0

    def choose_theorems(self, num: int, weight: Callable[[str], float], seed: int) -> list[str]:
        """Up to `num` different theorems that have proofs; a pure function of the buffer and the arguments.

        Args:
            num: Number of theorems.
            weight: Relative probability to be the next one chosen, positive.
            seed: Seed of the choice.
        """
        if not num:
            return []
        weights = {theorem_id: weight(theorem_id) for theorem_id in sorted(self._proofs)}
        return weighted_sample(weights, num, random.Random(seed))

    def state_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Everything kept, in order, as plain containers that `torch.load` accepts with `weights_only`."""
        return {
            theorem_id: [asdict(proof) for proof in kept.values()]
            for theorem_id, kept in self._proofs.items()
        }

    def load_state_dict(self, state: Mapping[str, list[dict[str, Any]]]) -> None:
        """Replace the contents with those of a `state_dict`."""
        self._proofs = {}
        for theorem_id, records in state.items():
            proofs = [ReplayProof(**record) for record in records]
            self._proofs[theorem_id] = {proof.key: proof for proof in proofs}


def _least_wanted(kept: Mapping[ProofKey, ReplayProof]) -> ReplayProof:
    crowd = Counter(proof.states for proof in kept.values())
    return min(kept.values(), key=lambda proof: (-crowd[proof.states], proof.log_ref))
