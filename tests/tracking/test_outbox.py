import logging

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE

from ntp.tracking.outbox import Outbox


class Store:
    """Takes letters when it is there."""

    def __init__(self):
        self.taken = []
        self.num_tries = 0
        self.error = None

    def write(self, letter):
        self.num_tries += 1
        if self.error is not None:
            raise self.error
        self.taken.append(letter)


@pytest.fixture
def store():
    return Store()


def put(outbox, store, letters):
    for letter in letters:
        outbox.put(lambda letter=letter: store.write(letter))


AWAY = [
    ConnectionRefusedError("Connection refused"),
    MlflowException("database is locked", TEMPORARILY_UNAVAILABLE),
    MlflowException("API request failed"),
]


@pytest.mark.parametrize("error", AWAY, ids=str)
def test_writes_wait_for_a_store_that_is_away_and_keep_their_order(store, error, caplog):
    outbox = Outbox("the store", wait_s=1000)
    put(outbox, store, "a")
    store.error = error
    put(outbox, store, "bcd")
    assert store.num_tries == 2, "a store that is away is not asked at every write"
    store.error = None
    put(outbox, store, "e")
    assert store.taken == ["a"]
    outbox.close()
    assert store.taken == list("abcde")
    away, back = [record.getMessage() for record in caplog.records]
    assert away.startswith("the store is away (")
    assert back == "the store is back"


def test_a_store_that_is_back_is_noticed_without_closing(store):
    outbox = Outbox("the store", wait_s=0)
    store.error = ConnectionRefusedError()
    put(outbox, store, "ab")
    store.error = None
    put(outbox, store, "c")
    assert store.taken == list("abc")


def test_waits_grow_to_a_limit(store, monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    outbox = Outbox("the store", wait_s=1, max_wait_s=4)
    store.error = ConnectionRefusedError()
    tries = []
    for tick in range(200):
        now = tick / 10
        before = store.num_tries
        put(outbox, store, "x")
        if store.num_tries > before:
            tries.append(now)
    assert tries == [0, 1, 3, 7, 11, 15, 19]


def test_what_stays_unwritten_is_counted(store, caplog):
    outbox = Outbox("the store", wait_s=1000, max_waiting=3)
    store.error = ConnectionRefusedError()
    put(outbox, store, "abcde")
    outbox.close()
    assert caplog.records[-1].getMessage().startswith("the store: 5 writes were lost")
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == 2
    store.error = None
    outbox.close()
    assert store.taken == []


@pytest.mark.parametrize(
    "error", [MlflowException("bad name", INVALID_PARAMETER_VALUE), FileNotFoundError("report.md")], ids=str
)
def test_what_the_store_never_takes_does_not_hold_up_the_rest(store, error, caplog):
    outbox = Outbox("the store")
    store.error = error
    put(outbox, store, "ab")
    store.error = None
    put(outbox, store, "c")
    assert store.taken == ["c"]
    outbox.close()
    refused, lost = [record.getMessage() for record in caplog.records]
    assert str(error) in refused or "bad name" in refused
    assert "2 writes were lost" in lost


def test_a_programming_error_is_raised(store):
    store.error = TypeError("not a number")
    with pytest.raises(TypeError, match="not a number"):
        put(Outbox("the store"), store, "a")
