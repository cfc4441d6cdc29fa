import re
import subprocess

import pytest

from ntp.data.coq.modules import find_library, module_name
from ntp.data.coq.recorder import extract_file
from ntp.envs.coq.project import standard_library

pytestmark = pytest.mark.coq

REFERENCE = re.compile(r"R(\d+):\d+ (\S+) (\S+) (\S+) (\S+)")
# Kinds of references that are no premises: notations, files, modules, and what is local.
NOT_PREMISES = {"not", "lib", "mod", "modtype", "sec", "var", "vardef", "binder"}


def references(project, file, tmp_path):
    """(offset, full name) of every global that coqc resolved, from its own record."""
    name = module_name(project, file).rpartition(".")[2]
    glob = tmp_path / f"{name}.glob"
    output = tmp_path / f"{name}.vo"
    command = [
        "coqc",
        "-q",
        "-w",
        "none",
        "-o",
        str(output),
        "-dump-glob",
        str(glob),
        str(project.root / file),
    ]
    subprocess.run(command, check=True)
    source = project.read(file)
    sections = set(re.findall(r"^\s*Section (\w+)\.", source, re.MULTILINE))
    in_bytes = source.encode()
    for match in filter(None, map(REFERENCE.fullmatch, glob.read_text().splitlines())):
        begin, module, scopes, short, kind = match.groups()
        if kind not in NOT_PREMISES:
            scope = [s for s in scopes.split(".") if s not in sections and s != "<>"]
            module = module_name(project, file) if module == name else module
            yield len(in_bytes[: int(begin)].decode()), ".".join((module, *scope, short))


@pytest.mark.parametrize("file", ["Bool/Bool.v", "Sorting/Permutation.v", "QArith/Qreduction.v"])
def test_premises_agree_with_coqc(file, tmp_path):
    project = standard_library()
    gold = list(references(project, file, tmp_path))
    recorded = extract_file(project, find_library(project, project.files()), file, timeout_s=120)
    num_right = num_found = num_gold = 0
    for record in recorded.theorems:
        for step in record.steps:
            found = {use.full_name for use in step.premises}
            wanted = {name for offset, name in gold if step.span.begin <= offset < step.span.end}
            num_right += len(found & wanted)
            num_found += len(found)
            num_gold += len(wanted)
    assert num_gold > 5
    assert num_right / num_found >= 0.95
    assert num_right / num_gold >= 0.95
