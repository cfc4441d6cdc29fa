"""The pages: every command composes, every link leads somewhere, generated pages are up to date."""

import re
import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ntp.config.choices import check_choices
from ntp.config.paths import CONFIG_DIR, PROJECT_ROOT
from ntp.config.reference import PAGES
from ntp.config.register import compose_config

DOCS = PROJECT_ROOT / "docs"
TEXTS = [PROJECT_ROOT / "README.md", PROJECT_ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
COMMAND = re.compile(r"python -m ntp\.run((?:\\\n|[^\n`|])*)")
# A row of the README's table leaves out the program.
ROW = re.compile(r"^\| [^|]+ \| `((?:-m )?\+[^`]+)` \|", re.M)
OUTSIDE = "--config-dir"  # with groups that are not ours: tests/smoke/test_extending.py runs these


def commands(path):
    text = path.read_text()
    found = [match.replace("\\\n", " ") for match in COMMAND.findall(text)]
    return [*found, *(ROW.findall(text) if path.name == "README.md" else ())]


ALL = [(path.name, command.strip()) for path in TEXTS for command in commands(path)]


def test_there_are_commands_to_test():
    assert len(ALL) > 60


@pytest.mark.parametrize(("page", "command"), ALL)
def test_commands_compose(page, command):
    words = shlex.split(
        command.replace("[key=value ...]", "").replace("[GROUP=OPTION ...]", ""), comments=True
    )
    words = [word for word in words if word not in ("-m", "--help", "--cfg", "job", "...")]
    if OUTSIDE in words or any(word.endswith(("=NAME", "=SWEEP")) for word in words):
        return
    check_choices(words, CONFIG_DIR)
    if not words or words[0].startswith("task="):
        words.append("name=report")
    parsed = OverridesParser.create().parse_overrides(words)
    choices = [
        next(iter(override.sweep_string_iterator())) if override.is_sweep_override() else None
        for override in parsed
    ]
    ours = [
        f"{override.get_key_element()}={choice}" if choice is not None else word
        for word, override, choice in zip(words, parsed, choices, strict=True)
        if not override.key_or_group.startswith("hydra")
    ]
    compose_config(ours)


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), f"{path.name}: {target}"
        assert not anchor or anchor in anchors(found), f"{path.name}: {target}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_files_that_are_named_exist(path):
    for name in re.findall(r"`((?:ntp|conf|tests|experiments|hydra_plugins)/[\w./]+)`", path.read_text()):
        assert (PROJECT_ROOT / name).exists(), f"{path.name}: {name}"


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_up_to_date(name):
    assert (DOCS / name).read_text() == PAGES[name](), "run: make docs"


def test_every_option_is_explained():
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", (DOCS / "configuration.md").read_text(), re.M)
    assert len(rows) > 150
    assert [name for name, meaning in rows if not meaning.strip()] == []


def test_the_readme_is_short():
    assert (PROJECT_ROOT / "README.md").stat().st_size <= 9000


def test_the_readme_shows_the_example():
    code = re.search(r"```python\n(.*?)```", (PROJECT_ROOT / "README.md").read_text(), re.S)
    example = Path(PROJECT_ROOT / "examples/prove.py").read_text()
    lines = [line.strip() for line in code[1].splitlines() if line.strip() not in ("", "...")]
    assert [line for line in lines if line not in example] == []
