import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from ntp.evaluation import html
from ntp.evaluation.html import Section, render_page
from ntp.evaluation.results import Proof
from ntp.evaluation.tree import ProofTree, TreeNode

HOSTILE = (
    "<script>alert(1)</script>",
    "</pre></details><img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)' x=\"",
    "{{ 7 * 7 }}{% raw %}",
    "</script><!--",
    "]]>&#60;script&#62;",
    "nul \x00 bell \x07 escape \x1b del \x7f",
    "right to left \u202egnp.exe\u202c \ud800 \ufffe",
)


def hostile_result(result_of, text, method="sft"):
    tree = ProofTree(
        (
            TreeNode(-1, "", 0.0, "reached", text),
            TreeNode(0, text, -1.0, "reached", text),
            TreeNode(1, text, -1.0, "error", text),
            TreeNode(1, text, -1.0, "proved", text),
        )
    )
    proofs = [
        Proof((text, "auto."), ("s", "t"), -1.0, 0, verified=True, minimal=(text,)),
        Proof((text,), ("s",), -1.0, 0, verified=False, reason=text),
    ]
    result = result_of(f"thm {text}", method, proofs=proofs)
    return replace(result, statement=text, file=text, message=text, tree=tree)


class Parser(HTMLParser):
    """Collects the elements and attributes that a browser would see, and checks that tags are balanced."""

    VOID = frozenset({"meta", "input", "br", "img", "use", "path"})

    def __init__(self):
        super().__init__()
        self.elements = []
        self.open = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def parsed(page):
    parser = Parser()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser.elements


@pytest.fixture
def page(result_of):
    groups = {"sft": [hostile_result(result_of, text) for text in HOSTILE]}
    return render_page(f"<b>{HOSTILE[0]}", "a & b", [Section("T", ["m"], [[HOSTILE[0]]])], groups)


def test_the_page_is_well_formed(page):
    parsed(page)
    body = page.removeprefix("<!DOCTYPE html>\n").encode()
    # The script element contains `=>` and `&&`, which HTML allows and XML does not.
    ElementTree.fromstring(re.sub(rb"<script>.*?</script>", b"", body, flags=re.DOTALL))


def test_hostile_text_adds_no_elements_and_no_attributes(page, result_of):
    elements = parsed(page)
    assert [tag for tag, _ in elements].count("script") == 1
    assert not [tag for tag, _ in elements if tag == "img"]
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "nul ␀ bell ␇ escape ␛ del ␡" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff\ufffe]", page)


def test_the_page_requests_nothing(page):
    for tag, attributes in parsed(page):
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
        assert attributes.get("xlink:href", "#").startswith("#")
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert "default-src 'none'" in page


def test_only_the_script_of_the_report_may_run(page):
    script = re.search("<script>(.*?)</script>", page, re.DOTALL)
    allowed = re.search("script-src 'sha256-([^']*)'", page)
    assert script is not None
    assert allowed is not None
    assert base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode() == allowed[1]


def test_trees_are_limited_and_omitted_steps_counted(result_of, monkeypatch):
    monkeypatch.setattr(html, "MAX_TREE_BYTES", 40_000)
    nodes = [TreeNode(-1, "", 0.0, "reached", "goal")]
    nodes += [TreeNode(0, f"tactic {i}", -1.0, "error", "&" * 200) for i in range(399)]
    results = [replace(result_of(f"t{i}"), tree=ProofTree(tuple(nodes), 10)) for i in range(5)]
    page = render_page("r", "", [], {"sft": results})
    parts = page.split('<div class="tree">')[1:]
    assert len(parts) == 5
    for part in parts:
        num_shown = part.count('class="n error"')
        left_out = re.search(r"(\d+) more steps are left out", part)
        assert left_out is not None
        assert num_shown + int(left_out[1]) == 399 + 10
        assert num_shown >= 3
    assert sum(len(part) for part in parts) < 60_000


def test_a_deep_tree_is_cut_and_omitted_steps_counted(result_of):
    chain = [TreeNode(i - 1, f"t{i}", -1.0, "reached", f"goal {i}") for i in range(300)]
    result = replace(result_of("deep"), tree=ProofTree(tuple(chain)))
    page = render_page("r", "", [], {"sft": [result]})
    parsed(page)
    assert f"{300 - html.MAX_DEPTH - 1} more steps are left out" in page


def test_long_proofs_and_many_proofs_are_cut_and_counted(result_of):
    proofs = [
        Proof((f"t{i} " + "x" * 9000,), (f"s{i}",), -1.0, i, True, minimal=(f"t{i}",)) for i in range(60)
    ]
    page = render_page("r", "", [], {"sft": [result_of("a", proofs=proofs)]})
    assert "20 more proofs are left out" in page
    assert len(page) < 200_000
