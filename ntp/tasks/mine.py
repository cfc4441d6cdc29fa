"""Mine attempts: search theorems with a policy, and label every tactic tried by what the kernel said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.data.attempts import LABELS, AttemptRecord, MinedTheorem, label_attempts
from ntp.data.dataset import Dataset
from ntp.data.examples import PreferenceRecord, preference_pairs
from ntp.data.records import TheoremRecord
from ntp.envs.pool import EnvPool
from ntp.errors import InitError
from ntp.jsonl import read_jsonl, write_jsonl
from ntp.search.base import Proposer
from ntp.search.driver import search_theorems
from ntp.seeding import derive_seed
from ntp.tasks.parts import Part, num_done, parts_of
from ntp.tasks.policies import load_policy
from ntp.tasks.searches import best_first_search, sampling_search
from ntp.tasks.selection import sample_theorems
from ntp.tasks.shards import shard_of
from ntp.tracking.progress import ProgressReporter
from ntp.types import Theorem
from ntp.workflow.context import Context


def attempts_file(directory: Path, side: str) -> Path:
    """Where the attempts of a side of the split lie in the directory of a mining run."""
    return directory / f"attempts-{side}.jsonl"


def mined_files(directory: Path, side: str) -> list[Path]:
    """Where all that was mined on a side lies, in order: the parts of a mining run or of a shard of one."""
    return sorted((directory / "parts").glob(f"mined-{side}-*.jsonl"))


def run(context: Context) -> dict[str, float]:
    """Search theorems of the wanted sides of the split; parts that are there already are not made again.

    A shard leaves it at its parts: attempts and pairs are drawn from the whole, by the merge.
    """
    cfg, directory = context.cfg, context.directory
    wanted = wanted_theorems(cfg, Dataset.load(context.inputs["dataset"]))
    asked = [(side, record) for side, records in wanted.items() for record in records]
    chosen = asked[shard_of(cfg, [record for _, record in asked])]
    proposer = load_policy(cfg, context.inputs["policy"])
    mined: dict[str, list[MinedTheorem]] = {}
    for side in wanted:
        if theorems := [record.theorem for of, record in chosen if of == side]:
            mined[side] = _mine_side(cfg, parts_of(directory, f"mined-{side}", theorems), side, proposer)
    if cfg.mining.shard is not None:
        return {f"{side}/num_theorems": len(found) for side, found in mined.items()}
    return write_sides(context, mined)


def wanted_theorems(cfg: DictConfig, dataset: Dataset) -> dict[str, list[TheoremRecord]]:
    """The theorems to mine, by side of the split."""
    return {
        side: sample_theorems(cfg, dataset, side, cfg.mining.num_theorems.get(side))
        for side in cfg.mining.sides
    }


def write_sides(context: Context, mined: Mapping[str, Sequence[MinedTheorem]]) -> dict[str, float]:
    """Write attempts and pairs drawn from all that was mined on every side; their numbers."""
    metrics: dict[str, float] = {}
    for side, found in mined.items():
        metrics |= _write_side(context.cfg, context.directory, side, found)
    return metrics


def _mine_side(cfg: DictConfig, parts: Sequence[Part], side: str, proposer: Proposer) -> list[MinedTheorem]:
    """What was mined on the theorems of a side, made as far as it is not there."""
    make_env = instantiate(cfg.env)
    num_theorems = sum(len(part.theorems) for part in parts)
    with (
        EnvPool(make_env, make_env.num_workers) as pool,
        ProgressReporter(f"mine {side}", num_theorems, "theorems", num_before=num_done(parts)) as progress,
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
    """At most `max_per_label` attempts of each label for each theorem; which ones is up to the seed."""
    groups: defaultdict[tuple[str, str], list[AttemptRecord]] = defaultdict(list)
    for attempt in attempts:
        groups[attempt.theorem_id, attempt.label].append(attempt)
    kept = []
    for group in groups.values():
        group.sort(key=lambda a: derive_seed(seed, a.theorem_id, a.state, a.num_other_goals, a.tactic))
        kept += group[:max_per_label]
    return kept


def _write_side(
    cfg: DictConfig, directory: Path, side: str, found: Sequence[MinedTheorem]
) -> dict[str, float]:
    mined = [attempt for theorem in found for attempt in theorem.attempts]
    attempts = balanced(mined, cfg.mining.max_per_label, cfg.seed)
    write_jsonl(attempts_file(directory, side), attempts)
    pairs: list[PreferenceRecord] = list(preference_pairs(attempts, cfg.mining.max_pairs, cfg.seed))
    num_pairs = write_jsonl(directory / f"preferences-{side}.jsonl", pairs)
    counts = Counter(attempt.label for attempt in attempts)
    return {
        f"{side}/num_theorems": len(found),
        f"{side}/num_theorems_proved": len({a.theorem_id for a in attempts if a.label == "proved"}),
        f"{side}/num_theorems_with_pairs": len({pair.theorem_id for pair in pairs}),
        f"{side}/num_mined": len(mined),
        f"{side}/num_attempts": len(attempts),
        f"{side}/num_pairs": num_pairs,
        **{f"{side}/num_{label}": counts[label] for label in LABELS},
    }
