import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["extract", "statistics", "collect"])
def test_what_needs_no_tensors_starts_without_what_takes_seconds_to_import(name):
    slow = {"torch", "lightning", "transformers", "mlflow", "scipy"}
    code = f"import sys, ntp.run, ntp.tasks.{name}; print(*{slow} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == []
