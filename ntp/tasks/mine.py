"""Mine attempts: search theorems with a policy, and label every tactic tried by what the kernel said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.bounds import PositiveInt
from ntp.data.attempts import (
    LABELS,
    AttemptRecord,
    MinedTheorem,
    attempts_file,
    label_attempts,
    mined_files,
)
from ntp.data.dataset import Dataset
from ntp.data.examples import PreferenceRecord, preference_pairs
from ntp.data.records import TheoremRecord
from ntp.envs.pool import EnvPool
from ntp.errors import InitError
from ntp.evaluation.costs import ESTIMATE, TIMES_FILE, TheoremTime
from ntp.jsonl import read_jsonl, write_jsonl
from ntp.search.driver import search_theorems
from ntp.search.interface import Proposer
from ntp.seeding import derive_seed
from ntp.tasks.builders import (
    BestFirstOptions,
    SamplingOptions,
    best_first_search,
    load_policy,
    sampling_search,
)
from ntp.tasks.needs import (
    add_dataset,
    add_policy,
    prover_reads,
    refuse_lent_premises,
    refuse_retrieval,
    require_prover,
)
from ntp.tasks.selection import Part, num_done, parts_of, sample_theorems, shard_of
from ntp.tracking.progress import ProgressReporter
from ntp.types import Theorem
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.shards import merge_shards
from ntp.workflow.stage import read
from ntp.workflow.task import Sharding, Task


@dataclass(frozen=True)
class MiningOptions:
    """Which theorems attempts are mined from, and how they are searched.

    Attributes:
        shard: The shard `i/n` to make, i from 0.
        num_shards: Number of shards to merge.
        costs: Directory of an earlier run, whose times say how to divide theorems evenly among shards.
        splits: Parts of the split.
        num_theorems: Most theorems of each part.
        sampling: Search by independent samples.
        best_first: Best-first search.
        min_tries: A tactic is labelled incorrect only where its state was tried at least this often.
        max_per_label: Most attempts of a label per theorem.
        max_pairs: Most preference pairs per theorem.
    """

    shard: str | None = None
    num_shards: PositiveInt | None = None
    costs: str | None = None
    splits: list[str] = field(default_factory=lambda: ["train", "val"])
    num_theorems: dict[str, PositiveInt] = field(
        default_factory=lambda: {"train": 300, "verifier": 300, "val": 120, "test": 800}
    )
    sampling: SamplingOptions = field(default_factory=lambda: SamplingOptions(num_samples=24, max_depth=6))
    best_first: BestFirstOptions = field(
        default_factory=lambda: BestFirstOptions(max_expansions=16, max_depth=8)
    )
    min_tries: PositiveInt = 8
    max_per_label: PositiveInt = 32
    max_pairs: PositiveInt = 200


def run(context: Context) -> dict[str, float]:
    """Search theorems of the wanted parts of the split; what was searched before is not searched again.

    A shard only searches: attempts and pairs are selected from the whole, by the merge.
    """
    cfg, directory = context.cfg, context.directory
    wanted = wanted_theorems(cfg, Dataset.load(context.inputs["dataset"]))
    asked = [(split, record) for split, records in wanted.items() for record in records]
    chosen = asked[shard_of(cfg.mining, cfg.mining, [record for _, record in asked])]
    proposer = load_policy(cfg, context.inputs["policy"])
    mined: dict[str, list[MinedTheorem]] = {}
    for split in wanted:
        if theorems := [record.theorem for of, record in chosen if of == split]:
            mined[split] = _mine_split(cfg, parts_of(directory, f"mined-{split}", theorems), split, proposer)
    if cfg.mining.shard is not None:
        return {f"{split}/num_theorems": len(found) for split, found in mined.items()}
    return write_splits(context, mined)


def wanted_theorems(cfg: DictConfig, dataset: Dataset) -> dict[str, list[TheoremRecord]]:
    """The theorems to mine, by part of the split."""
    return {
        split: sample_theorems(cfg, dataset, split, cfg.mining.num_theorems.get(split))
        for split in cfg.mining.splits
    }


def write_splits(context: Context, mined: Mapping[str, Sequence[MinedTheorem]]) -> dict[str, float]:
    """Write attempts and preference pairs of everything that was mined; returns their numbers."""
    metrics: dict[str, float] = {}
    for split, found in mined.items():
        metrics |= _write_split(context.cfg, context.directory, split, found)
    return metrics


def _mine_split(cfg: DictConfig, parts: Sequence[Part], split: str, proposer: Proposer) -> list[MinedTheorem]:
    """What was mined on the theorems of a split; parts that exist are reused."""
    make_env = instantiate(cfg.env)
    num_theorems = sum(len(part.theorems) for part in parts)
    with (
        EnvPool(make_env, make_env.num_workers) as pool,
        ProgressReporter(f"mine {split}", num_theorems, "theorems", num_before=num_done(parts)) as progress,
    ):
        for part in parts:
            if not part.path.exists():
                write_jsonl(part.path, mine(cfg, part.theorems, proposer, pool))
                progress.advance(len(part.theorems))
    return [found for part in parts for found in read_jsonl(part.path, MinedTheorem)]


def mine(
    cfg: DictConfig, theorems: Sequence[Theorem], proposer: Proposer, pool: EnvPool
) -> Iterator[MinedTheorem]:
    """Every attempt of both searches on some theorems, labelled; theorems that cannot be opened have none."""
    sample = sampling_search(cfg.mining.sampling, cfg.seed)
    best_first = best_first_search(cfg.mining.best_first, cfg.seed)
    for theorem, *searches in zip(
        theorems,
        search_theorems(theorems, sample, proposer, pool),
        search_theorems(theorems, best_first, proposer, pool),
        strict=True,
    ):
        opened = [search for search in searches if not isinstance(search, InitError)]
        attempts: list[AttemptRecord] = []
        if opened:
            steps = [step for search in opened for step in search.transitions]
            attempts = label_attempts(theorem, opened[0].root, steps, cfg.mining.min_tries)
        cost_s = sum(search.usage.cost_s for search in opened)
        yield MinedTheorem(theorem.id, tuple(attempts), float(cost_s))


def balanced(attempts: Iterable[AttemptRecord], max_per_label: int, seed: int) -> list[AttemptRecord]:
    """At most `max_per_label` attempts of each label per theorem; the seed decides which."""
    groups: defaultdict[tuple[str, str], list[AttemptRecord]] = defaultdict(list)
    for attempt in attempts:
        groups[attempt.theorem_id, attempt.label].append(attempt)
    kept = []
    for group in groups.values():
        group.sort(key=lambda a: derive_seed(seed, a.theorem_id, a.state, a.num_other_goals, a.tactic))
        kept += group[:max_per_label]
    return kept


def _write_split(
    cfg: DictConfig, directory: Path, split: str, found: Sequence[MinedTheorem]
) -> dict[str, float]:
    mined = [attempt for theorem in found for attempt in theorem.attempts]
    attempts = balanced(mined, cfg.mining.max_per_label, cfg.seed)
    write_jsonl(attempts_file(directory, split), attempts)
    pairs: list[PreferenceRecord] = list(preference_pairs(attempts, cfg.mining.max_pairs, cfg.seed))
    num_pairs = write_jsonl(directory / f"preferences-{split}.jsonl", pairs)
    counts = Counter(attempt.label for attempt in attempts)
    return {
        f"{split}/num_theorems": len(found),
        f"{split}/num_theorems_proved": len({a.theorem_id for a in attempts if a.label == "proved"}),
        f"{split}/num_theorems_with_pairs": len({pair.theorem_id for pair in pairs}),
        f"{split}/num_mined": len(mined),
        f"{split}/num_attempts": len(attempts),
        f"{split}/num_pairs": num_pairs,
        **{f"{split}/num_{label}": counts[label] for label in LABELS},
    }


def merge(context: Context) -> dict[str, float]:
    """Merge shards into what one run would have made.

    Raises:
        DataError: A theorem is missing, occurs twice, or was not asked for.
    """
    shards = [context.inputs[f"shard/{index}"] for index in range(context.cfg.mining.num_shards)]
    mined: dict[str, list[MinedTheorem]] = {}
    for split, records in wanted_theorems(context.cfg, Dataset.load(context.inputs["dataset"])).items():
        files = [file for shard in shards for file in mined_files(shard, split)]
        names = [record.theorem.id for record in records]
        mined[split] = merge_shards(names, (read_jsonl(file, MinedTheorem) for file in files))
    times = [TheoremTime(found.theorem, found.wall_s) for part in mined.values() for found in part]
    write_jsonl(context.directory / TIMES_FILE, times)
    return write_splits(context, mined)


def _reads(cfg: DictConfig) -> dict[str, Any]:
    values = read(cfg, "data.split", "seed", "model", "mining") | prover_reads(cfg)
    # How many theorems of other parts of the split would be mined does not matter here.
    wanted = values["mining"]["num_theorems"]
    values["mining"]["num_theorems"] = {split: wanted.get(split) for split in cfg.mining.splits}
    return values


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    add_policy(needs)


def _check(cfg: DictConfig) -> None:
    require_prover(cfg)
    refuse_lent_premises(cfg)
    refuse_retrieval(cfg, "mining")


TASK = Task(
    name="mine",
    run=run,
    reads=_reads,
    needs=_needs,
    check=_check,
    sharding=Sharding("mining", merge, ESTIMATE),
)
