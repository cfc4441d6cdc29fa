"""What provers are kept from, and what happens to those that misbehave: a real prover with a real hostile
program around it, for Coq itself does nothing of the kind.
"""

import functools
import json
import os
import re
import shutil
import socket
import sys
import threading
from pathlib import Path

import psutil
import pytest

from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.installation import CoqInstallation
from ntp.envs.coq.project import CoqProject
from ntp.envs.pool import EnvPool
from ntp.errors import ConfigError, EnvError
from ntp.sandbox import isolation, process
from ntp.sandbox.limits import Limits
from ntp.sandbox.proc import descendants
from ntp.sandbox.process import ChildProcess
from ntp.sandbox.sandboxed import Watch
from ntp.types import Crashed, Exceeded, Proved
from tests.processes import wait_until

SOURCE = "Lemma one : True.\nProof. exact I. Qed.\nLemma two : True.\nProof. exact I. Qed.\n"

# Stands where coqidetop stands, passes everything on to the real one, and misbehaves when it is told to.
HOSTILE = """\
#!{python} -SE
import os, re, signal, socket, subprocess, sys, time

def write():
    open("{outside}", "w").write("was here")

def connect():
    socket.create_connection(("127.0.0.1", {port}), 5).sendall(b"was here")

def fork():
    # More than any limit here, and no bomb: if nothing stops it, it ends by itself.
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    time.sleep(60)

def fill():
    try:
        for i in range(10000):
            open(os.path.join(os.environ["TMPDIR"], f"full{{i}}"), "wb").write(b"x" * (1 << 20))
    except OSError:
        time.sleep(1000)

def eat():
    held = bytearray(b"x") * (2000 << 20)

def eat_together():
    for _ in range(4):
        if os.fork() == 0:
            held = bytearray(b"x") * (120 << 20)
            time.sleep(1000)
    time.sleep(1000)

def flood():
    while True:
        os.write(1, b"x" * 65536)

# Coq catches the signal, its wrapper goes on.
signal.signal(signal.SIGINT, signal.SIG_IGN)
prover = subprocess.Popen(["{coqidetop}", *sys.argv[1:]], stdin=subprocess.PIPE)
while request := os.read(0, 65536):
    told = re.search(rb"misdeed_(\\w+)", request)
    if told:
        globals()[told[1].decode()]()
    prover.stdin.write(request)
    prover.stdin.flush()
"""

LIMITS = {"memory_mb": 400, "scratch_mb": 8, "answer_mb": 4, "processes": 32}
REFUSALS = re.compile("Read-only file system|Connection refused|Network is unreachable")
CASES = [
    ("bubblewrap", "write", None),
    ("bubblewrap", "connect", None),
    ("bubblewrap", "fork", "processes"),
    ("bubblewrap", "fill", "scratch"),
    ("bubblewrap", "eat", "memory"),
    ("bubblewrap", "eat_together", "memory"),
    ("bubblewrap", "flood", "answer"),
    ("unshare", "connect", None),
    ("unshare", "fork", "processes"),
    ("limits", "fork", "processes"),
    ("limits", "fill", "scratch"),
    ("limits", "eat", "memory"),
    ("limits", "eat_together", "memory"),
    ("limits", "flood", "answer"),
]


def require(sandbox):
    trouble = isolation.trouble_of(sandbox)
    if trouble:
        pytest.skip(f"{sandbox}: {trouble}")


@pytest.fixture
def listener():
    """The port of a server on this machine, and what it was told."""
    told = []

    def listen():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                told.append(connection.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], told


def alive_with(word: str) -> list[int]:
    """Processes, wherever they hang, whose command line names something."""
    found = psutil.process_iter(["cmdline", "status"])
    return [
        p.pid
        for p in found
        if p.info["status"] != psutil.STATUS_ZOMBIE and any(word in part for part in p.info["cmdline"] or ())
    ]


@pytest.mark.coq
@pytest.mark.parametrize(("isolation", "misdeed", "limit"), CASES, ids=str)
def test_a_hostile_prover_is_stopped_and_the_next_theorem_proved(
    tmp_path, proofs, listener, isolation, misdeed, limit
):
    require(isolation)
    port, told = listener
    outside = tmp_path / "outside"
    program = tmp_path / "hostile-prover"
    program.write_text(
        HOSTILE.format(
            # Its own, for a checkout in /tmp is hidden from provers.
            python=Path(sys.executable).resolve(),
            outside=outside,
            port=port,
            coqidetop=shutil.which("coqidetop.opt"),
        )
    )
    program.chmod(0o755)
    (tmp_path / "A.v").write_text(SOURCE)
    theorems = [theorem for theorem, _ in proofs("A.v", SOURCE)]
    project = CoqProject(tmp_path, prover=CoqInstallation(str(program)))
    # Time enough that no deadline ends what a limit should.
    make_env = functools.partial(CoqEnv, project, 60, Limits(**LIMITS, isolation=isolation))
    outcomes = []
    with EnvPool(make_env, 1) as pool:
        for theorem, tactic in zip(theorems, (f'idtac "misdeed_{misdeed}".', "exact I."), strict=True):
            (session,) = pool.open_many([theorem])
            outcomes += pool.step_many([(session, session.root, tactic)])
            session.close()
    stopped, proved = outcomes
    if limit is None:
        assert isinstance(stopped, Crashed) and REFUSALS.search(stopped.message)
    else:
        assert isinstance(stopped, Exceeded) and stopped.limit == limit
    assert proved == Proved()
    assert not outside.exists() and not told
    # The kernel may need a moment to free the memory of a process that it has killed.
    assert wait_until(lambda: not alive_with(str(program)))


PROBE = """
import json, os, socket
def tried(act):
    try:
        act()
    except OSError as error:
        return error.strerror
    return "done"
input()
print(json.dumps({
    "etc": tried(lambda: open("/etc/ntp-was-here", "w")),
    "home": tried(lambda: open(os.path.expanduser("~/ntp-was-here"), "w")),
    "named": tried(lambda: open(NAMED + "/written", "w")),
    "writable": tried(lambda: open(WRITABLE + "/written", "w")),
    "scratch": tried(lambda: open(os.environ["TMPDIR"] + "/written", "w")),
    "shm": tried(lambda: open("/dev/shm/written", "w")),
    "dev": tried(lambda: open("/dev/null", "w")),
    "kernel": tried(lambda: open("/proc/sys/kernel/core_pattern", "w")),
    "remote": tried(lambda: socket.create_connection(("192.0.2.1", 9), 2)),
    "read": open(NAMED + "/readable").read(),
    "run": os.listdir("/run"),
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "capabilities": [line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")],
}) + ";", flush=True)
input()
"""


def test_bubblewrap_leaves_what_a_prover_needs_and_nothing_else(tmp_path):
    require("bubblewrap")
    named, writable = tmp_path / "named", tmp_path / "writable"
    for directory in (named, writable):
        directory.mkdir()
    (named / "readable").write_text("text")
    program = named / "probe.py"
    program.write_text(PROBE.replace("NAMED", repr(str(named))).replace("WRITABLE", repr(str(writable))))
    limits = Limits(isolation="bubblewrap", scratch_mb=8)
    with ChildProcess([sys.executable, "-S", str(program)], limits, writable=[writable]) as child:
        found = json.loads(child.exchange(b"go\n", b";", 1, 30).rstrip()[:-1])
        assert not (Path("/tmp") / "written").exists()
    refused = "Read-only file system"
    assert {name: found[name] for name in ("etc", "home", "named", "shm", "kernel")} == dict.fromkeys(
        ("etc", "home", "named", "shm", "kernel"), refused
    )
    assert found["writable"] == found["scratch"] == found["dev"] == "done"
    assert (writable / "written").exists() and not (named / "written").exists()
    assert found["remote"] == "Network is unreachable" and found["read"] == "text"
    # Itself and the first of its namespace.
    assert not found["run"] and found["processes"] == ["1", "2"]
    # Reading and writing as root would is all that is left to root.
    assert {int(mask, 16) for mask in found["capabilities"]} <= {0, 2 * (os.geteuid() == 0)}


def test_a_project_may_lie_in_what_is_hidden_and_be_worked_in(tmp_path):
    require("bubblewrap")
    (tmp_path / "readable").write_text("text")
    code = "import os; input(); print(open('readable').read(), os.getcwd(), end=';', flush=True); input()"
    with ChildProcess(
        [sys.executable, "-Sc", code], Limits(isolation="bubblewrap"), directory=tmp_path
    ) as child:
        assert child.exchange(b"go\n", b";", 1, 30) == f"text {tmp_path};".encode()


@pytest.fixture
def without(own_path, tmp_path):
    """Takes programs off PATH."""

    def take(*names):
        tools = tmp_path / "tools"
        tools.mkdir()
        for name in {"bwrap", "unshare", "setpriv", "prlimit", "choom", "sh", "true"} - set(names):
            (tools / name).symlink_to(str(shutil.which(name)))
        own_path(tools)

    return take


def test_what_is_missing_is_one_clear_error(without):
    without("bwrap")
    with pytest.raises(EnvError, match=r"isolation=bubblewrap .*bwrap is missing.*apt-get install bubblew"):
        isolation.find_sandbox("bubblewrap")
    with pytest.raises(ConfigError, match=r"isolation=jail: give one of auto, bubblewrap, unshare, limits"):
        isolation.find_sandbox("jail")


def test_auto_takes_the_next_best_and_says_so(without):
    require("unshare")
    without("bwrap")
    assert isolation.find_sandbox("auto").name == "unshare"
    assert isolation.description(Limits()) == (
        "unshare (no network, a process namespace; files are open to it), 4096 MB memory, 64 processes "
        "[bubblewrap: bwrap is missing; `apt-get install bubblewrap`]"
    )


def test_limits_always_work(without):
    without("bwrap", "unshare", "setpriv", "choom")
    assert isolation.find_sandbox("auto").name == "limits"
    with ChildProcess([sys.executable, "-c", "print(input(), flush=True); input()"]) as child:
        assert child.exchange(b"go\n", b"\n", 1, 30) == b"go\n"


def test_out_of_memory_the_kernel_kills_a_prover_first(isolation):
    with ChildProcess(["sh", "-c", "cat; true"], Limits(isolation=isolation)) as child:
        child.exchange(b"x", b"x", 1, 30)
        group = descendants(child.pid)
        assert len(group) == 2
        assert {Path(f"/proc/{pid}/oom_score_adj").read_text() for pid in group} == {"1000\n"}


def test_the_log_says_once_what_is_active(capfd):
    limits = Limits(memory_mb=1234, isolation="limits")
    for _ in range(2):
        ChildProcess(["cat"], limits).close()
    said = "provers: limits (network and files are open to it), 1234 MB memory, 64 processes\n"
    assert capfd.readouterr().err == said


def test_nobody_is_watched_for_ever(monkeypatch):
    # Its own, for other tests may keep a prover meanwhile.
    watch = Watch()
    monkeypatch.setattr(process, "WATCH", watch)
    with ChildProcess(["cat"], Limits(isolation="limits")):
        thread = watch._thread
        assert thread is not None and thread.is_alive()
    thread.join(10)
    assert not thread.is_alive() and watch._thread is None
