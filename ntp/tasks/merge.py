"""Merge the shards of an evaluation or of mining into what one run would have made."""

from __future__ import annotations

from ntp.data.attempts import MinedTheorem
from ntp.data.dataset import Dataset
from ntp.evaluation.costs import TIMES_FILE, TheoremTime
from ntp.evaluation.results import TheoremResult
from ntp.jsonl import read_jsonl, write_jsonl
from ntp.tasks.evaluate import methods, report_results, results_file
from ntp.tasks.mine import mined_files, wanted_theorems, write_sides
from ntp.tasks.selection import sample_theorems
from ntp.workflow.context import Context
from ntp.workflow.shards import merge_shards


def run(context: Context) -> dict[str, float]:
    """Check that the shards make a whole, and go on as if it had been made in one run.

    Raises:
        DataError: A theorem is missing, occurs twice, or was not asked for.
    """
    return _MERGES[context.cfg.task.name](context)


def _evaluation(context: Context) -> dict[str, float]:
    options = context.cfg.evaluation
    dataset = Dataset.load(context.inputs["dataset"])
    records = sample_theorems(context.cfg, dataset, options.split, options.max_theorems)
    names = [record.theorem.id for record in records]
    shards = [context.inputs[f"shard/{index}"] for index in range(options.num_shards)]
    results: list[TheoremResult] = []
    for file in (results_file(method.name) for method in methods(context.cfg, context.inputs)):
        merged = merge_shards(names, (read_jsonl(shard / file, TheoremResult) for shard in shards))
        write_jsonl(context.directory / file, merged)
        results += merged
    return report_results(context, results)


def _mining(context: Context) -> dict[str, float]:
    options = context.cfg.mining
    shards = [context.inputs[f"shard/{index}"] for index in range(options.num_shards)]
    mined: dict[str, list[MinedTheorem]] = {}
    for side, records in wanted_theorems(context.cfg, Dataset.load(context.inputs["dataset"])).items():
        files = [file for shard in shards for file in mined_files(shard, side)]
        names = [record.theorem.id for record in records]
        mined[side] = merge_shards(names, (read_jsonl(file, MinedTheorem) for file in files))
    times = [TheoremTime(found.theorem, found.wall_s) for side in mined.values() for found in side]
    write_jsonl(context.directory / TIMES_FILE, times)
    return write_sides(context, mined)


_MERGES = {"evaluate": _evaluation, "mine": _mining}
