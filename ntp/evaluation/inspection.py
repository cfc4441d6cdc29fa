"""Reads what runs left in their output directories, for notebooks: `experiments/inspect_runs.ipynb`."""

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
        DataError: There are none in the directory, or a line is corrupt.
    """
    paths = sorted(directory.glob(RESULTS), key=lambda path: path.stat().st_mtime_ns)
    if not paths:
        raise DataError(f"{directory}: no results of an evaluation here ({RESULTS})")
    return by_method([result for path in paths for result in read_jsonl(path, TheoremResult)])


def solved_overlap(groups: Groups) -> pd.DataFrame:
    """Theorems that two methods both solve.

    Returns:
        Methods by methods, with what each solves on the diagonal, and a column of what it alone solves.
    """
    import pandas as pd

    solved = {m: {r.theorem for r in results if is_solved(r)} for m, results in groups.items()}
    both = {a: {b: len(solved[a] & solved[b]) for b in solved} for a in solved}
    table = pd.DataFrame.from_dict(both, orient="index", columns=list(solved))
    table["by it alone"] = [len(solved[a].difference(*(solved[b] for b in solved if b != a))) for a in solved]
    return table


def diversity(groups: Groups) -> pd.DataFrame:
    """How many different proofs each method finds, and how spread its first tactics are.

    Returns:
        Per method: distinct verified proofs as irredundant scripts, as found, and modulo their states;
        irredundant ones per solved theorem; and the entropy of first tactics in nats, missing for methods
        that do not sample.
    """
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    for method, results in groups.items():
        summary = summarize(method, results, num_resamples=1)
        rows[method] = {
            "distinct proofs": summary.distinct.irredundant,
            "raw": summary.distinct.raw,
            "modulo states": summary.distinct.modulo_states,
            "per solved theorem": round(summary.distinct.irredundant / max(1, summary.num_solved), 2),
            "first-tactic entropy": summary.entropy,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def reliability_curves(directory: Path) -> dict[str, pd.DataFrame]:
    """Per verifier of a `verifier_eval` run, the reliability curve of its first seed.

    Returns:
        A row for each bin that holds tactics, ascending: `probability` (its mean), `share_correct` and
        `num_tactics`.

    Raises:
        DataError: The run has left none.
    """
    import pandas as pd

    path = directory / RELIABILITY_FILE
    if not path.is_file():
        raise DataError(f"{path} is missing: make the run again (force=true)")
    curves = json.loads(path.read_text(encoding="utf-8"))
    return {name: pd.DataFrame(seeds[0]) for name, seeds in curves.items()}


def widest_tree(results: Sequence[TheoremResult]) -> TheoremResult | None:
    """The theorem with the most distinct proofs, and of those with the most steps tried; None is solved."""
    solved = [result for result in results if is_solved(result) and result.tree.nodes]
    return max(solved, key=lambda r: (len(r.verified_proofs), len(r.tree.nodes)), default=None)


def rich_tree(tree: ProofTree, max_failures: int = 2, max_chars: int = 70) -> Tree:
    """A proof tree for a terminal or a notebook: all ways to a proof, and some of what failed beside them.

    Args:
        tree: With at least a root.
        max_failures: Steps of a node shown that lead to no proof; the others are counted.
        max_chars: Of a step.
    """
    children = tree.children()
    proves = [node.outcome == "proved" for node in tree.nodes]
    for index in reversed(range(1, len(tree.nodes))):
        proves[tree.nodes[index].parent] |= proves[index]
    goal = tree.nodes[0].text
    root = Tree(Text(goal))
    shown = [(0, root)]
    while shown:
        index, branch = shown.pop()
        ways = [child for child in children[index] if proves[child]]
        others = [child for child in children[index] if not proves[child]]
        for child in [*ways, *others[:max_failures]]:
            below = branch.add(_step(tree.nodes[child], max_chars))
            if proves[child]:
                shown.append((child, below))
        if len(others) > max_failures:
            branch.add(Text(f"{len(others) - max_failures} more that lead to no proof", style="dim"))
    return root


def _step(node: TreeNode, max_chars: int) -> Text:
    tactic = node.tactic if len(node.tactic) <= max_chars else f"{node.tactic[:max_chars]} …"
    times = f", {node.num_tries} times" if node.num_tries > 1 else ""
    outcome = "same state as elsewhere" if node.merged_into >= 0 else node.outcome
    styles = {"proved": "green", "reached": ""}
    return Text.assemble((tactic, styles.get(node.outcome, "dim")), (f"  {outcome}{times}", "dim"))
