import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ntp.sandbox.deaths import AnswerTooLongError, DeadlineExceededError, ProcessDiedError
from ntp.sandbox.isolation import SANDBOXES
from ntp.sandbox.limits import Limits
from ntp.sandbox.proc import descendants
from ntp.sandbox.process import ChildProcess
from ntp.sandbox.sandboxed import WATCH
from tests.processes import alive, alive_in, wait_until

ECHO = [sys.executable, "-uc", "import sys\nfor line in sys.stdin: sys.stdout.write(line)"]


@pytest.fixture
def limits(isolation) -> Limits:
    return Limits(isolation=isolation)


@pytest.fixture
def some_time() -> Iterator[str]:
    """Seconds that nobody else sleeps for; who does so is ended after the test."""
    seconds = f"{random.SystemRandom().uniform(1e5, 1e6):.6f}"
    yield seconds
    for pid in sleeping(seconds):
        os.kill(pid, signal.SIGKILL)


def sleeping(seconds: str) -> list[int]:
    """Processes, wherever they hang, that sleep for that long."""
    found = psutil.process_iter(["cmdline", "status"])
    return [
        process.pid
        for process in found
        if process.info["cmdline"] == ["sleep", seconds] and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def python(code: str) -> list[str]:
    return [sys.executable, "-uc", textwrap.dedent(code)]


def test_exchange_returns_everything_up_to_the_last_terminator():
    with ChildProcess(ECHO) as child:
        assert child.exchange(b"one;\n", b";\n", 1, 5) == b"one;\n"
        assert child.exchange(b"a;\nb;\nc;\n", b";\n", 3, 5) == b"a;\nb;\nc;\n"


def test_terminator_may_straddle_two_writes():
    code = """
        import sys, time
        input()
        sys.stdout.write("answer</val"); time.sleep(0.2); sys.stdout.write("ue>")
        time.sleep(60)
    """
    with ChildProcess(python(code)) as child:
        assert child.exchange(b"go\n", b"</value>", 1, 5) == b"answer</value>"


def test_request_larger_than_the_pipes_does_not_deadlock():
    request = b"x" * 5_000_000 + b";\n"
    with ChildProcess(ECHO) as child:
        assert child.exchange(request, b";\n", 1, 20) == request


def test_deadline_leaves_the_child_and_resume_gets_the_answer():
    code = """
        from signal import SIG_BLOCK, SIGUSR1, pthread_sigmask, sigwait
        pthread_sigmask(SIG_BLOCK, {SIGUSR1})
        print(end="ready;", flush=True)
        sigwait({SIGUSR1})
        print("done;")
    """
    with ChildProcess(python(code)) as child:
        assert child.exchange(b"", b";", 1, 20) == b"ready;"
        with pytest.raises(DeadlineExceededError):
            child.exchange(b"go\n", b";", 1, 0.1)
        os.kill(child.pid, signal.SIGUSR1)
        assert child.resume(b";", 1, 5).startswith(b"done;")


def test_too_long_an_answer_kills_the_child():
    with ChildProcess(python("input()\nwhile True: print('x' * 65536)"), Limits(answer_mb=1)) as child:
        with pytest.raises(AnswerTooLongError, match="1 MiB") as caught:
            child.exchange(b"go\n", b";", 1, 20)
        assert caught.value.limit == "answer"
        assert not child.alive


def test_death_says_how_and_quotes_the_last_line_of_stderr(limits):
    with ChildProcess(python("import sys; input(); sys.exit('no such library')"), limits) as child:
        with pytest.raises(ProcessDiedError, match=r"exit status 1\): no such library") as caught:
            child.exchange(b"go\n", b";", 1, 5)
        assert not caught.value.killed
    with ChildProcess(ECHO, limits) as child:
        child.exchange(b"one;\n", b";\n", 1, 5)
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ProcessDiedError, match="SIGKILL") as caught:
            child.exchange(b"go\n", b";", 1, 5)
        assert caught.value.killed


def test_a_process_that_is_slow_to_end_was_not_killed(limits):
    code = "import os, time; input(); os.close(1); time.sleep(0.3); os._exit(3)"
    with ChildProcess(python(code), limits) as child:
        with pytest.raises(ProcessDiedError, match="exit status 3") as caught:
            child.exchange(b"go\n", b";", 1, 5)
        assert not caught.value.killed


def test_memory_is_limited(limits):
    code = "input()\ntry:\n    x = bytearray(600 << 20)\nexcept MemoryError:\n    print('refused;')"
    with ChildProcess(python(code), replace(limits, memory_mb=400)) as child:
        assert child.exchange(b"go\n", b";", 1, 10).rstrip() == b"refused;"


def test_file_size_is_limited(limits):
    code = "input(); print(open('big', 'wb', 0).write(b'x' * (2 << 20)), end=';', flush=True); input()"
    with ChildProcess(python(code), replace(limits, file_mb=1)) as child:
        assert child.exchange(b"go\n", b";", 1, 10) == b"%d;" % (1 << 20)
        assert Path(f"/proc/{child.pid}/cwd/big").stat().st_size == 1 << 20


def test_kill_takes_grandchildren_along_and_close_removes_the_directory(limits):
    code = """
        import subprocess
        input()
        subprocess.Popen(["sleep", "1000"])
        subprocess.Popen(["setsid", "sleep", "1000"])
        print(end=";", flush=True)
        input()
    """
    child = ChildProcess(python(code), limits)
    child.exchange(b"go\n", b";", 1, 10)
    below = descendants(child.pid)
    assert len(below) == 3
    cwd = child.cwd
    assert cwd.is_dir()
    child.close()
    child.close()
    assert wait_until(lambda: not any(map(alive, below)))
    assert not cwd.exists()


@pytest.mark.parametrize(
    "command",
    ["setsid sleep TIME; true", "(setsid sh -c 'sleep TIME; true' &); cat"],
    ids=["child", "orphan"],
)
def test_who_has_left_the_group_is_ended_with_it(limits, some_time, command):
    with ChildProcess(["sh", "-c", command.replace("TIME", some_time)], limits):
        assert wait_until(lambda: sleeping(some_time))
    assert wait_until(lambda: not sleeping(some_time))


def test_who_has_left_the_group_does_not_outlive_its_leader(some_time):
    with ChildProcess(
        ["sh", "-c", f"setsid sleep {some_time} & read word"], Limits(isolation="limits")
    ) as child:
        assert wait_until(lambda: sleeping(some_time))
        with pytest.raises(ProcessDiedError):
            child.exchange(b"end\n", b";", 1, 60)
        assert wait_until(lambda: not child.alive and not sleeping(some_time))


@pytest.mark.parametrize("killed", ["outermost", "all"])
def test_a_sandbox_killed_while_it_is_made_is_a_death_and_leaves_nothing(limits, killed):
    for delay_ms in range(0, 40, 4):
        before = set(psutil.Process().children())
        with ChildProcess(ECHO, limits) as child:
            (outermost,) = set(psutil.Process().children()) - before
            time.sleep(delay_ms / 1000)
            below = [outermost, *outermost.children(recursive=True)]
            for process in below if killed == "all" else below[:1]:
                with contextlib.suppress(psutil.NoSuchProcess):  # it may have gone with another
                    process.kill()
            assert wait_until(lambda group=outermost.pid: not alive_in(group))
            with pytest.raises(ProcessDiedError, match="SIGKILL") as caught:
                child.exchange(b"one;\n", b";\n", 1, 60)
            assert caught.value.killed


def test_the_first_process_of_a_namespace_killed_is_a_kill(limits):
    if SANDBOXES[limits.isolation].num_wrappers == 0:
        pytest.skip("no namespace")
    with ChildProcess(ECHO, limits) as child:
        child.exchange(b"one;\n", b";\n", 1, 60)
        program = child.pid
        os.kill(psutil.Process(program).ppid(), signal.SIGKILL)
        assert wait_until(lambda: not alive(program))
        with pytest.raises(ProcessDiedError, match="SIGKILL") as caught:
            child.exchange(b"two;\n", b";\n", 1, 60)
        assert caught.value.killed


def test_stopped_processes_can_be_killed(limits):
    with ChildProcess(ECHO, limits) as child:
        child.exchange(b"one;\n", b";\n", 1, 60)
        group = os.getpgid(child.pid)
        os.killpg(group, signal.SIGSTOP)
        with pytest.raises(DeadlineExceededError):
            child.exchange(b"two;\n", b";\n", 1, 0.5)
        started = time.monotonic()
        child.kill()
        assert time.monotonic() - started < 5
        assert not alive_in(group)


def test_interrupt_reaches_the_program_and_what_it_started(limits):
    code = """
        import subprocess, sys, time
        wait = "import time\\ntry: print('set;'); time.sleep(60)\\nexcept KeyboardInterrupt: print('below;')"
        input()
        below = subprocess.Popen([sys.executable, "-uc", wait])
        try:
            print("begun;")
            time.sleep(60)
        except KeyboardInterrupt:
            below.wait()
            print("above;")
        input()
    """
    with ChildProcess(python(code), limits) as child:
        child.exchange(b"go\n", b";", 2, 60)
        child.interrupt()
        answer = child.resume(b";", 4, 60)
        said = answer.replace(b"\n", b"").split(b";")
        assert sorted(said) == [b"", b"above", b"begun", b"below", b"set"]
        assert child.alive


def test_child_dies_with_a_parent_that_was_killed(limits):
    code = f"""
        import time
        from ntp.sandbox.limits import Limits
        from ntp.sandbox.process import ChildProcess
        child = ChildProcess(["cat"], {limits!r})
        child.exchange(b"x", b"x", 1, 10)
        print(child.pid, flush=True)
        time.sleep(1000)
    """
    parent = subprocess.Popen(python(code), stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert psutil.Process(child).name() == "cat"
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not alive(child))


def test_the_kernel_refuses_processes_before_the_watch_looks(limits):
    code = """
        import os, time
        input()
        num_forks = 0
        try:
            for _ in range(120):
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
                num_forks += 1
        except OSError as error:
            print(num_forks, error.strerror, end=";", flush=True)
        time.sleep(60)
    """
    with ChildProcess(python(code), replace(limits, processes=5)) as child:
        WATCH.remove(child)
        answer = child.exchange(b"go\n", b";", 1, 20).decode()
        num_forks, error = answer.split(" ", 1)
        assert error == "Resource temporarily unavailable;"
        assert int(num_forks) <= 40


@pytest.mark.parametrize("by", ["SEGV", "XFSZ", "ABRT"])
def test_the_signal_that_ended_it_is_told(limits, by):
    # Below the program, since the first process of a namespace is deaf to its own signals.
    code = f"""
        import subprocess, sys
        input()
        end = "from signal import *; signal(SIG{by}, SIG_DFL); raise_signal(SIG{by})"
        sys.exit(128 - subprocess.run([sys.executable, "-c", end]).returncode)
    """
    with ChildProcess(python(code), limits) as child:
        with pytest.raises(ProcessDiedError, match=f"SIG{by}") as caught:
            child.exchange(b"go\n", b";", 1, 10)
        assert not caught.value.killed
        assert caught.value.limit == ("file" if by == "XFSZ" else "")
