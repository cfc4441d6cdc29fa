"""Benches are run by hand, and so would not show that a name they use is gone."""

import importlib.util
import sys

import pytest

from ntp.config.paths import PROJECT_ROOT

BENCH = PROJECT_ROOT / "experiments" / "bench"


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCH.glob("[a-z]*.py")))
def test_a_bench_finds_what_it_uses(name, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    monkeypatch.setattr(sys, "argv", [f"{name}.py"])
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
