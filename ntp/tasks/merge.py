"""Merge the shards of an evaluation."""

from __future__ import annotations

from ntp.data.dataset import Dataset
from ntp.data.jsonl import read_jsonl, write_jsonl
from ntp.evaluation.results import TheoremResult
from ntp.evaluation.shards import merge_results
from ntp.tasks.context import Context
from ntp.tasks.data import sample_theorems
from ntp.tasks.evaluate import methods, report_results, results_file


def run(context: Context) -> dict[str, float]:
    """Check that the shards make a whole, and report on it as if it had been made in one run."""
    options = context.cfg.evaluation
    dataset = Dataset.load(context.inputs["dataset"])
    theorems = [r.theorem for r in sample_theorems(context.cfg, dataset, options.split, options.max_theorems)]
    shards = [context.inputs[f"shard/{index}"] for index in range(options.num_shards)]
    results: list[TheoremResult] = []
    for name in (results_file(method.name) for method in methods(context.cfg, context.inputs)):
        merged = merge_results(theorems, [list(read_jsonl(shard / name, TheoremResult)) for shard in shards])
        write_jsonl(context.directory / name, merged)
        results += merged
    return report_results(context, results)
