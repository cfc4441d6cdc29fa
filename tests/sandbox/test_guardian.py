"""Under limits alone, what a killed process had its provers start ends too."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ntp.sandbox.isolation import trouble_of
from ntp.sandbox.limits import Limits
from ntp.sandbox.proc import children, marked
from ntp.sandbox.process import ChildProcess
from tests.processes import wait_until

PARENT = """
    import os, time
    from ntp.sandbox.limits import Limits
    from ntp.sandbox.process import ChildProcess
    child = ChildProcess(["sh", "-c", {command!r}], Limits(isolation={isolation!r}))
    child.exchange(b"x", b"x", 1, 60)
    {then}
    print("ready", flush=True)
    time.sleep(1000)
"""
BELOW = "sh -c 'sleep 97531; true' & setsid sh -c 'sleep 97531; true' & cat"


@pytest.fixture
def start(tmp_path):
    """Starts a process with a prover; all that it starts can be found by a variable."""
    mark = f"NTP_TEST={tmp_path}"
    started = []

    def start_parent(isolation="limits", command=BELOW, then=""):
        code = textwrap.dedent(PARENT.format(isolation=isolation, command=command, then=then))
        parent = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            env={**os.environ, "NTP_TEST": str(tmp_path)},
        )
        started.append(parent)
        assert parent.stdout is not None and parent.stdout.readline()
        return parent, mark

    yield start_parent
    for parent in started:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    for pid in marked(mark):
        with contextlib.suppress(ProcessLookupError):  # it ends by itself
            os.kill(pid, signal.SIGKILL)


def guardians(mark):
    return [pid for pid in marked(mark) if b"ntp.sandbox.guardian" in command_of(pid)]


def command_of(pid):
    with contextlib.suppress(OSError):  # it has ended since it was found
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_nothing_outlives_a_killed_parent(start):
    parent, mark = start()
    assert wait_until(lambda: len(marked(mark)) >= 7)
    parent.kill()
    assert wait_until(lambda: not marked(mark))


def test_a_fork_does_not_keep_the_guardian_from_seeing_the_end(start):
    parent, mark = start(then="fork = os.fork()")
    assert wait_until(lambda: len(marked(mark)) >= 8)
    parent.kill()
    assert wait_until(lambda: len(marked(mark)) == 1)


def test_a_fork_has_a_guardian_of_its_own(start):
    then = "fork = os.fork(); fork or ChildProcess(['sleep', '97531'], Limits(isolation='limits'))"
    parent, mark = start(then=then)
    # Both have come through it: a guardian that begins is two processes for a moment.
    assert parent.stdout.readline() == b"ready\n"
    assert len(guardians(mark)) == 2
    parent.kill()
    assert wait_until(lambda: len(guardians(mark)) == 1)
    (fork,) = (pid for pid in marked(mark) if b"time.sleep(1000)" in command_of(pid))
    os.kill(fork, signal.SIGKILL)
    assert wait_until(lambda: not marked(mark))


def test_the_guardian_outlives_the_signals_of_a_cluster_but_not_its_parent(start):
    parent, mark = start(command="cat", then="child.close(); time.sleep(0.1)")
    (guardian,) = guardians(mark)
    assert set(marked(mark)) == {parent.pid, guardian}
    os.kill(guardian, signal.SIGTERM)
    time.sleep(0.2)
    assert guardians(mark) == [guardian]
    parent.terminate()
    assert wait_until(lambda: not marked(mark))


@pytest.mark.parametrize("isolation", ["bubblewrap", "unshare"])
def test_namespaces_need_no_guardian(start, isolation):
    if trouble := trouble_of(isolation):
        pytest.skip(f"{isolation}: {trouble}")
    _, mark = start(isolation)
    assert not guardians(mark)


def test_it_is_nobodys_child():
    with ChildProcess(["cat"], Limits(isolation="limits")) as child:
        child.exchange(b"x", b"x", 1, 60)
        assert child.pid in children(os.getpid())
        assert not any(b"ntp.sandbox.guardian" in command_of(pid) for pid in children(os.getpid()))
