"""The report as an HTML page that makes no requests and escapes every text, since tactics may be hostile."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ntp.evaluation.metrics import distinct_counts
from ntp.evaluation.plots import all_plots, method_colours
from ntp.evaluation.results import TheoremResult
from ntp.evaluation.tree import ProofTree, TreeNode, prune

MAX_TREE_BYTES = 7_000_000  # for all trees of a page together
MAX_PROOFS = 40  # shown per theorem and method
MAX_DEPTH = 60  # of trees; browsers stop nesting at about 500 elements
MIN_NODES = 4  # to which a tree is pruned at most


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table; all columns but the first are numbers."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Branch:
    """A node of a proof tree with its children, nested as on the page."""

    node: TreeNode
    children: list[Branch]
    leads_to_proof: bool


def render_page(
    title: str, definitions: str, sections: Sequence[Section], groups: Mapping[str, Sequence[TheoremResult]]
) -> str:
    """Render the page.

    Args:
        title: Title of the page.
        definitions: Explanation of the numbers.
        sections: The tables.
        groups: Results by method, theorems in one order.
    """
    environment = _environment()
    script = environment.loader.get_source(environment, "report.js")[0] if environment.loader else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        title=title,
        definitions=definitions,
        sections=sections,
        plots={name: Markup(svg) for name, svg in all_plots(groups).items()},
        colours=method_colours(list(groups)),
        theorems=list(zip(*groups.values(), strict=True)),
        trees=_render_trees(groups),
        max_proofs=MAX_PROOFS,
        script=Markup(script),
        script_digest=digest,
        distinct_counts=distinct_counts,
    )


def render_tables(title: str, definitions: str, sections: Sequence[Section], plots: Mapping[str, str]) -> str:
    """Render a page of tables and plots only.

    Args:
        title: Title of the page.
        definitions: Explanation of the numbers.
        sections: The tables.
        plots: SVG elements by title.
    """
    drawn = {name: Markup(svg) for name, svg in plots.items()}
    template = _environment().get_template("tables.html.j2")
    return template.render(title=title, definitions=definitions, sections=sections, plots=drawn)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ntp.evaluation", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _invisible_characters() -> dict[int, str]:
    """Map control characters to their symbols, and characters that reorder or break the page to U+FFFD."""
    table = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
    table[0x7F] = "\u2421"
    unsafe = [*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000)]
    return table | dict.fromkeys([*unsafe, 0xFFFE, 0xFFFF], "\ufffd")


_INVISIBLE = _invisible_characters()


def _visible(value: Any) -> Any:
    return value.translate(_INVISIBLE) if isinstance(value, str) and not isinstance(value, Markup) else value


def _render_trees(groups: Mapping[str, Sequence[TheoremResult]]) -> dict[tuple[str, str], Markup]:
    """The trees by theorem and method. A tree is pruned to an equal share of the remaining bytes."""
    render = getattr(_environment().get_template("tree.html.j2").module, "proof_tree")  # noqa: B009
    results = [result for group in groups.values() for result in group if result.tree.nodes]
    trees = {}
    left = MAX_TREE_BYTES
    for index, result in enumerate(results):
        tree = result.tree
        html = render(*_branches(tree))
        while len(html.encode()) > left / (len(results) - index) and len(tree.nodes) > MIN_NODES:
            tree = prune(tree, max(MIN_NODES, len(tree.nodes) // 2))
            html = render(*_branches(tree))
        left -= len(html.encode())
        trees[result.theorem, result.method] = html
    return trees


def _branches(tree: ProofTree) -> tuple[Branch, int]:
    """The root with its descendants down to `MAX_DEPTH`, and the number of omitted nodes."""
    depth = [0] * len(tree.nodes)
    for index, node in enumerate(tree.nodes[1:], start=1):
        depth[index] = depth[node.parent] + 1
    children = tree.children()
    branches: dict[int, Branch] = {}
    for index in reversed(range(len(tree.nodes))):
        if depth[index] <= MAX_DEPTH:
            below = [branches[child] for child in children[index] if child in branches]
            proved = tree.nodes[index].outcome == "proved" or any(b.leads_to_proof for b in below)
            branches[index] = Branch(tree.nodes[index], below, proved)
    return branches[0], tree.num_left_out + len(tree.nodes) - len(branches)
