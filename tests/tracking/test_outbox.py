import errno
import logging
import shutil

import pytest
import requests
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


def answered(status):
    """What MLflow raises when a server answers an artifact so."""
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"answered {status}", response=response)


AWAY = [
    ConnectionRefusedError("Connection refused"),
    requests.ConnectionError("Connection reset"),
    answered(429),
    answered(503),
    MlflowException("database is locked", TEMPORARILY_UNAVAILABLE),
    MlflowException("API request failed"),
]


@pytest.mark.parametrize("error", AWAY, ids=str)
def test_writes_wait_for_a_store_that_is_away_and_keep_their_order(store, error, caplog):
    outbox = Outbox("the store", wait_s=1000)
    put(outbox, store, "a")
    store.error = error
    put(outbox, store, "bcd")
    assert store.num_tries == 2, "an unavailable store is not asked at every write"
    store.error = None
    put(outbox, store, "e")
    assert store.taken == ["a"]
    outbox.close()
    assert store.taken == list("abcde")
    away, back = [record.getMessage() for record in caplog.records]
    assert away.startswith("the store is unavailable (")
    assert back == "the store is available again"


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


REFUSED = [
    MlflowException("bad name", INVALID_PARAMETER_VALUE),
    MlflowException(
        "API request to endpoint /log-batch failed with error code 413 != 200. Response body: ''"
    ),
    FileNotFoundError("report.md"),
    PermissionError(errno.EACCES, "Permission denied", "/mlartifacts"),
    NotADirectoryError(errno.ENOTDIR, "Not a directory", "/mlartifacts"),
    OSError(errno.ENOSPC, "No space left on device"),
    shutil.Error([("a", "b", "Permission denied")]),
    answered(413),
]


@pytest.mark.parametrize("error", REFUSED, ids=str)
def test_what_the_store_never_takes_does_not_hold_up_the_rest(store, error, caplog):
    outbox = Outbox("the store")
    store.error = error
    put(outbox, store, "ab")
    store.error = None
    put(outbox, store, "c")
    assert store.taken == ["c"]
    outbox.close()
    refused, lost = [record.getMessage() for record in caplog.records]
    assert str(error).splitlines()[0] in refused
    assert "2 writes were lost" in lost


def test_a_programming_error_is_raised(store):
    store.error = TypeError("not a number")
    with pytest.raises(TypeError, match="not a number"):
        put(Outbox("the store"), store, "a")


def test_files_that_wait_do_not_hold_up_the_record(store, caplog):
    record = Outbox("the store", wait_s=1000)
    files, broken = Outbox("its files", behind=record), Store()
    broken.error = MlflowException("too many 500 error responses")
    put(files, broken, "a")
    put(record, store, "b")
    assert store.taken == ["b"]
    assert "its files is unavailable" in caplog.records[0].getMessage()


def test_files_are_not_tried_while_the_record_finds_the_store_away(store, caplog):
    record = Outbox("the store", wait_s=1000)
    files = Outbox("its files", behind=record)
    store.error = ConnectionRefusedError()
    put(record, store, "a")
    put(files, store, "b")
    assert store.num_tries == 1 and len(caplog.records) == 1
    store.error = None
    put(files, store, "c")
    record.close()
    files.close()
    assert store.taken == list("abc")
