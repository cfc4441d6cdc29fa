import gc
import weakref

import pytest

from ntp.importing import lasting


@pytest.fixture(autouse=True)
def thaw():
    yield
    gc.unfreeze()
    gc.freeze()  # as tests/conftest.py leaves it


class Node:
    def __init__(self):
        self.itself = self


def test_what_comes_within_is_not_looked_at_and_what_comes_later_is():
    with lasting():
        assert not gc.isenabled()
        within = Node()
    assert gc.isenabled()
    assert not any(found is within for found in gc.get_objects())
    later = Node()
    assert any(found is later for found in gc.get_objects())


def test_what_is_left_of_earlier_work_does_not_stay():
    left = weakref.ref(Node())
    with lasting():
        pass
    assert left() is None


def test_an_import_that_fails_leaves_the_collector_at_work():
    with pytest.raises(ImportError), lasting():
        import ntp.no_such_module  # noqa: F401
    assert gc.isenabled()
