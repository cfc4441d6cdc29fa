import importlib.util
import sys

import pytest

from ntp.config.register import PROJECT_ROOT


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.spec_from_file_location("house", PROJECT_ROOT / "experiments/bench/house.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["house.py"])  # it takes the checkout to measure as an argument
        spec.loader.exec_module(module)
    assert module.ROOT == PROJECT_ROOT
    return module


def test_no_default_is_stated_twice(house):
    assert house.defaults_twice() == []


def test_a_kind_of_stage_is_named_in_one_file(house):
    assert house.stage_kind_places() == 1


def test_no_folder_is_crowded(house):
    assert house.max_flat_files() <= 20
