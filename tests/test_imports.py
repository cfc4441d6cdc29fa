"""What is imported without torch, so that reading data, driving provers and planning start at once."""

import subprocess
import sys

import pytest

CODE = """
import importlib, pkgutil, sys
for name in {names}:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if module.name not in {left_out}:
            importlib.import_module(module.name)
print(*{slow} & set(sys.modules))
"""


@pytest.mark.parametrize(
    ("names", "left_out"),
    [
        (["ntp.data", "ntp.envs", "ntp.sandbox"], ["ntp.envs.lean.dojo_worker"]),  # needs lean-dojo itself
        # MLflow and Hydra's launcher are imported, torch is not.
        (["ntp.workflow"], []),
    ],
)
def test_no_module_imports_torch(names, left_out):
    slow = {"torch", "lightning", "transformers"}
    code = CODE.format(names=names, left_out=left_out, slow=slow)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == []
