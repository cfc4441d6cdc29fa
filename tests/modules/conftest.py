import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Models this small lose more than they gain from threads, much more on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def oracle() -> ModuleType:
    """The oracle bench, whose toy theorems, policy and prior are the material of these tests."""
    path = Path(__file__).parents[2] / "experiments/bench/oracle.py"
    spec = importlib.util.spec_from_file_location("oracle_bench", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
