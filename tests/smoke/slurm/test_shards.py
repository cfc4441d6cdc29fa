"""An evaluation as an array of jobs, against the same in one run."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.slurm, pytest.mark.coq, pytest.mark.slow]

# Tactics that need no policy: what a policy does in shards is compared without SLURM.
SEARCH_EVAL = [
    "+experiment=search_eval",
    "policy.experiment=null",
    "~evaluation.policies.policy",
    "evaluation.max_theorems=12",
]
ON_SLURM = ["-m", "+sweep=shards", "hydra/launcher=slurm_cpu", "hydra.launcher.cpus_per_task=1"]


def test_an_array_of_shards_merges_to_what_one_run_finds(slurm, cli, small, assert_same_results, tmp_path):
    before = set(slurm.squeue())
    own = cli.with_outputs(tmp_path)
    search_eval = [*SEARCH_EVAL, *small]
    sharded = [*search_eval, "evaluation.num_shards=2"]
    sent = own(*ON_SLURM, *sharded)
    assert sent.returncode == 0, sent.stderr[-3000:]
    assert len(slurm.squeue().keys() - before) == 2
    merge = own(*sharded)
    assert merge.returncode == 0, merge.stderr[-3000:]
    assert "made first" not in merge.stderr, "every shard is there"
    assert_same_results(Path(merge.stdout.splitlines()[-1]), own.succeed(*search_eval))
