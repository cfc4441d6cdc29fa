"""Read the output directories of runs in notebooks, such as `experiments/inspect_runs.ipynb`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text
from rich.tree import Tree

from ntp.errors import DataError
from ntp.evaluation.metrics import is_solved
from ntp.evaluation.results import TheoremResult
from ntp.evaluation.table import by_method, summarize
from ntp.evaluation.tree import ProofTree, TreeNode
from ntp.jsonl import read_jsonl

if TYPE_CHECKING:
    import pandas as pd

RELIABILITY_FILE = "reliability.json"
RESULTS = "results-*.jsonl"

Groups = Mapping[str, Sequence[TheoremResult]]


def read_results(directory: Path) -> dict[str, list[TheoremResult]]:
    """The results of an evaluation by method, each sorted by theorem.

    Raises:
        DataError: The directory has no results, or a line is corrupt.
    """
    paths = sorted(directory.glob(RESULTS), key=lambda path: path.stat().st_mtime_ns)
    if not paths:
        raise DataError(f"{directory} has no results of an evaluation ({RESULTS})")
    return by_method([result for path in paths for result in read_jsonl(path, TheoremResult)])


def solved_overlap(groups: Groups) -> pd.DataFrame:
    """Numbers of theorems that both of two methods solve.

    Returns:
        A table of methods by methods. The diagonal has the number of theorems that each method solves, the
        last column the number that no other method solves.
    """
    import pandas as pd

    solved = {m: {r.theorem for r in results if is_solved(r)} for m, results in groups.items()}
    both = {a: {b: len(solved[a] & solved[b]) for b in solved} for a in solved}
    table = pd.DataFrame.from_dict(both, orient="index", columns=list(solved))
    table["by it alone"] = [len(solved[a].difference(*(solved[b] for b in solved if b != a))) for a in solved]
    return table


def diversity(groups: Groups) -> pd.DataFrame:
    """How diverse the proofs and the first tactics of each method are.

    Returns:
        One row per method: numbers of distinct accepted proofs, as minimal scripts, as found, modulo their
        states, and as proof terms (missing where these are unknown); minimal proofs per solved theorem; and
        the entropy of first tactics in nats, which is missing for methods that do not sample.
    """
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    for method, results in groups.items():
        summary = summarize(method, results, num_resamples=1)
        rows[method] = {
            "distinct proofs": summary.distinct.minimal,
            "raw": summary.distinct.raw,
            "modulo states": summary.distinct.modulo_states,
            "proof terms": summary.distinct.terms,
            "per solved theorem": round(summary.distinct.minimal / max(1, summary.num_solved), 2),
            "first-tactic entropy": summary.entropy,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def reliability_curves(directory: Path) -> dict[str, pd.DataFrame]:
    """The reliability curve of each verifier of a `verifier_eval` run, for its first seed.

    Returns:
        By verifier, one row for each bin with tactics, in ascending order: `probability` (mean of the bin),
        `share_correct` and `num_tactics`.

    Raises:
        DataError: The run has no reliability curves.
    """
    import pandas as pd

    path = directory / RELIABILITY_FILE
    if not path.is_file():
        raise DataError(f"{path} is missing: run the task again with force=true")
    curves = json.loads(path.read_text(encoding="utf-8"))
    return {name: pd.DataFrame(seeds[0]) for name, seeds in curves.items()}


def widest_tree(results: Sequence[TheoremResult]) -> TheoremResult | None:
    """The theorem with the most distinct proofs, on a tie the one with the most steps tried.

    Returns:
        None if no theorem with a tree was solved.
    """
    solved = [result for result in results if is_solved(result) and result.tree.nodes]
    return max(solved, key=lambda r: (len(r.verified_proofs), len(r.tree.nodes)), default=None)


def rich_tree(tree: ProofTree, max_failures: int = 2, max_chars: int = 70) -> Tree:
    """A proof tree for a terminal or a notebook, with all paths to a proof and some of the failed steps.

    Args:
        tree: The tree, with at least a root.
        max_failures: Number of steps shown of each node that lead to no proof; the others are counted.
        max_chars: Length at which a tactic is cut.
    """
    children = tree.children()
    proves = [node.outcome == "proved" for node in tree.nodes]
    for index in reversed(range(1, len(tree.nodes))):
        proves[tree.nodes[index].parent] |= proves[index]
    root = Tree(Text(tree.nodes[0].text))
    shown = [(0, root)]
    while shown:
        index, branch = shown.pop()
        successes = [child for child in children[index] if proves[child]]
        failures = [child for child in children[index] if not proves[child]]
        for child in [*successes, *failures[:max_failures]]:
            below = branch.add(_step(tree.nodes[child], max_chars))
            if proves[child]:
                shown.append((child, below))
        if len(failures) > max_failures:
            branch.add(Text(f"{len(failures) - max_failures} more that lead to no proof", style="dim"))
    return root


def _step(node: TreeNode, max_chars: int) -> Text:
    tactic = node.tactic if len(node.tactic) <= max_chars else f"{node.tactic[:max_chars]} …"
    times = f", {node.num_tries} times" if node.num_tries > 1 else ""
    outcome = "same state as elsewhere" if node.merged_into >= 0 else node.outcome
    styles = {"proved": "green", "reached": ""}
    return Text.assemble((tactic, styles.get(node.outcome, "dim")), (f"  {outcome}{times}", "dim"))
