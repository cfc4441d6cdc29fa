import gc
import sys
import weakref

import pytest

from ntp.importing import import_to_stay


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    """Writes a module that can be imported during the test."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    yield write
    gc.unfreeze()
    gc.freeze()  # as tests/conftest.py leaves it


class Node:
    def __init__(self):
        self.itself = self


def is_looked_at(thing):
    return any(found is thing for found in gc.get_objects())


def test_what_is_imported_is_not_looked_at_and_what_comes_later_is(write_module):
    module = import_to_stay(write_module("stays", "import gc\nenabled, thing = gc.isenabled(), [[]]"))
    assert not module.enabled and gc.isenabled()
    assert not is_looked_at(module.thing)
    assert is_looked_at(Node())


def test_what_is_left_of_earlier_work_does_not_stay(write_module):
    left = weakref.ref(Node())
    import_to_stay(write_module("stays_too", ""))
    assert left() is None


def test_what_is_there_already_costs_nothing():
    left = weakref.ref(Node())
    assert import_to_stay("gc") is gc
    assert left() is not None


@pytest.mark.parametrize("source", ["import ntp.no_such_module", "1 / 0"])
def test_an_import_that_fails_leaves_the_collector_at_work(write_module, source):
    with pytest.raises((ImportError, ZeroDivisionError)):
        import_to_stay(write_module("fails", source))
    assert gc.isenabled()
