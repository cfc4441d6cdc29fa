import os
import time

import pytest

from ntp.serve.buffer import Position
from ntp.serve.sessions import SessionLimits, Sessions, TooManySessionsError, UnknownSessionError
from tests.serve.conftest import at_end

pytestmark = pytest.mark.coq


@pytest.fixture
def make_sessions(make_buffer):
    made = []

    def make(**limits):
        made.append(Sessions(make_buffer, SessionLimits(**limits)))
        return made[-1]

    yield make
    for sessions in made:
        sessions.close_all()


def test_states_of_sessions_are_apart(make_sessions):
    sessions = make_sessions()
    opened = [
        sessions.open(f"Definition c := {i}.\nLemma a : c = {i}.\nProof. unfold c.\n") for i in range(3)
    ]
    for _ in range(2):
        for i, session in enumerate(opened):
            buffer = sessions.get(session.id).buffer
            assert [g.conclusion for g in buffer.goals(at_end(buffer)).goals] == [f"{i} = {i}"]
    assert len({session.buffer._env.pid for session in opened}) == 3


def test_too_many_are_refused_and_no_prover_starts_before_it_is_needed(make_sessions):
    sessions = make_sessions(max_sessions=2)
    opened = [sessions.open("Lemma a : True.") for _ in range(2)]
    with pytest.raises(TooManySessionsError, match="max_sessions"):
        sessions.open()
    assert [session.buffer._env.pid for session in opened] == [0, 0]
    sessions.close(opened[0].id)
    sessions.open()


def test_an_idle_session_is_closed_with_its_prover_but_not_one_in_use(make_sessions):
    sessions = make_sessions(idle_s=0.3)
    idle = sessions.open("Lemma a : True.")
    idle.buffer.goals(Position(1, 0))
    pid = idle.buffer._env.pid
    used = sessions.open()
    with sessions.use(used.id):
        deadline = time.monotonic() + 60
        while len(sessions) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        assert sessions.get(used.id) is used
    with pytest.raises(UnknownSessionError):
        sessions.get(idle.id)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_document_that_was_closed_is_opened_anew_unless_the_server_ends(make_sessions):
    sessions = make_sessions()
    with sessions.use_or_open("", "Lemma a : True.") as first:
        assert sessions.get(first.id) is first
    with sessions.use_or_open(first.id, "Lemma b : True.") as again:
        assert again is first and first.buffer.text == "Lemma b : True."
    sessions.close(first.id)
    with sessions.use_or_open(first.id, "Lemma b : True.") as other:
        assert other.id != first.id and len(sessions) == 1
    sessions.close_all()
    with pytest.raises(UnknownSessionError, match="ending"), sessions.use_or_open(other.id, ""):
        pass


def test_closing_all_ends_every_prover(make_sessions):
    sessions = make_sessions()
    opened = [sessions.open("Lemma a : True.") for _ in range(2)]
    pids = []
    for session in opened:
        session.buffer.goals(Position(1, 0))
        pids.append(session.buffer._env.pid)
    sessions.close_all()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(UnknownSessionError, match="ending"):
        sessions.open()
