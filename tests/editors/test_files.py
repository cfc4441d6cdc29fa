"""The files that people copy into their editors start what the docs say, and what there is."""

import json
import re
import shutil
import subprocess

import pytest

from ntp.config.paths import PROJECT_ROOT
from ntp.config.register import compose_config

EDITORS = PROJECT_ROOT / "editors"
WORD = re.compile(r"""["'](-m|ntp\.run|\+experiment=\w+|serve\.\w+=\w+)["']""")
SCRIPTS = [
    "editors/vscode/extension.js",
    *(f"ntp/serve/page/{n}.js" for n in ("api", "page", "tree", "examples")),
]
FILES = ["neovim/ntp.lua", "emacs/ntp.el", "vscode/extension.js"]
DOCS = (PROJECT_ROOT / "docs/copilot.md").read_text()


@pytest.mark.parametrize("name", FILES)
def test_the_command_is_that_of_the_docs(name):
    words = WORD.findall((EDITORS / name).read_text())
    assert f"python {' '.join(words)}" in DOCS
    assert compose_config(words[2:]).serve.protocol == "lsp"


def test_the_docs_name_files_that_exist():
    named = re.findall(r"`(editors/[\w./]+)`", DOCS)
    assert len(named) >= 3
    assert all((PROJECT_ROOT / name).exists() for name in named)


def test_the_extension_declares_what_it_uses():
    package = json.loads((EDITORS / "vscode/package.json").read_text())
    code = (EDITORS / "vscode" / package["main"]).read_text()
    settings = set(re.findall(r'settings\.get\("(\w+)"\)', code))
    assert {f"ntp.{name}" for name in settings} == set(package["contributes"]["configuration"]["properties"])
    commands = set(re.findall(r'registerCommand\("([\w.]+)"', code))
    assert commands == {command["command"] for command in package["contributes"]["commands"]}
    required = {name.split("/")[0] for name in re.findall(r'require\("([^"]+)"\)', code)}
    assert required - {"node:path", "vscode"} == set(package["dependencies"])


@pytest.mark.skipif(shutil.which("node") is None, reason="node is missing: apt-get install nodejs")
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_well_formed(name, tmp_path):
    kind = ".mjs" if "page" in name else ".js"
    copy = shutil.copy(PROJECT_ROOT / name, tmp_path / f"script{kind}")
    assert subprocess.run(["node", "--check", copy], capture_output=True, timeout=240).returncode == 0
