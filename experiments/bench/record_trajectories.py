"""Record rollouts as of a GFlowNet step: the fixture of `gfn_step.py` and `sampler.py`.

A supervised policy attempts theorems of the data set it was trained on, as a training step does: eight
trajectories each, at most five tactics, every tactic run by Coq. As in training, all groups with a proof are
kept and a quarter of the others. States of human proofs, as many short as long ones, are added.

    python -m ntp.run +experiment=demo_sft        # prints POLICY; the DATASET is in its log
    python experiments/bench/record_trajectories.py DATASET POLICY
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from _trajectories import FIXTURE, RecordedGroup, RecordedPath, write_fixture

from ntp.data.dataset import Dataset
from ntp.data.records import TheoremRecord
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.pool import EnvPool
from ntp.modules.rollout import Group, RolloutConfig, sample_groups
from ntp.policy.factory import TinyPolicyFactory
from ntp.tasks.needs import inner
from ntp.types import Status

NUM_THEOREMS = 100
KEEP_UNSOLVED = 0.25
GROUP_SIZE = 8
MAX_PROOF_STEPS = 5
NUM_LENGTHS, STATES_PER_LENGTH, MAX_STATE_LENGTH = 20, 6, 1000
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("policy", type=Path)
    arguments = parser.parse_args()
    policy = TinyPolicyFactory().load(inner(arguments.policy, "policy"))
    records = list(Dataset.load(arguments.dataset).records.values())
    theorems = [r.theorem for r in records if r.closing == "Qed" and len(r.steps) <= MAX_PROOF_STEPS]
    rng = random.Random(SEED)
    chosen = rng.sample(theorems, NUM_THEOREMS)
    behaviour = RolloutConfig(num_on_policy=GROUP_SIZE, num_replay=0, max_depth=5)
    with EnvPool(CoqEnvFactory(), num_workers=2) as pool:
        groups = sample_groups(chosen, policy, pool, behaviour, SEED)
    recorded = [
        RecordedGroup(
            group.theorem.id,
            tuple(RecordedPath(a.states, a.tactics, a.status is Status.PROVED) for a in group.attempts),
        )
        for group in groups
        if isinstance(group, Group) and (group.solved or rng.random() < KEEP_UNSOLVED)
    ]
    write_fixture(recorded, spread_by_length(records, rng))
    num_proved = sum(path.proved for group in recorded for path in group.paths)
    print(f"{FIXTURE}: {len(recorded)} theorems of {GROUP_SIZE} attempts, {num_proved} proofs")


def spread_by_length(records: Sequence[TheoremRecord], rng: random.Random) -> list[str]:
    """States of human proofs, as many of each length in characters up to `MAX_STATE_LENGTH`."""
    states = sorted({str(step.before) for record in records for step in record.steps})
    bins: dict[int, list[str]] = {}
    for state in rng.sample(states, len(states)):
        if len(state) < MAX_STATE_LENGTH:
            bins.setdefault(len(state) * NUM_LENGTHS // MAX_STATE_LENGTH, []).append(state)
    return sorted((state for same in bins.values() for state in same[:STATES_PER_LENGTH]), key=len)


if __name__ == "__main__":
    main()
