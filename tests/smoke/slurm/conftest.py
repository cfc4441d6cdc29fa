"""A real SLURM of two nodes, started for these tests in a directory and on ports of its own."""

import contextlib
import getpass
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template

import pytest

NODES = ("ntp0", "ntp1")
START_TIMEOUT_S = 30.0


class Slurm:
    """The running cluster. Commands of SLURM find it by SLURM_CONF, which the fixture sets.

    Attributes:
        directory: Its configuration, logs and state.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.configuration = directory / "slurm.conf"

    def run(self, *command: str) -> str:
        """What a command prints: sbatch, scancel, ...; it must succeed."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def scontrol(self, *arguments: str) -> str:
        return self.run("scontrol", *arguments)

    def squeue(self) -> dict[str, str]:
        """The state of every job, ended ones of the last minutes too, by id (of an array's job `12_3`)."""
        lines = self.run("squeue", "--noheader", "--array", "--states=all", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def wait_for(self, condition: Callable[[], object], timeout_s: float = 120.0) -> None:
        """Wait until a condition holds."""
        assert _holds_within(timeout_s, condition), f"not within {timeout_s:.0f} s: {self.squeue()}"

    def wait_for_state(self, job_id: str, *states: str, timeout_s: float = 120.0) -> None:
        """Wait until a job is in one of the states, `RUNNING` for instance."""
        self.wait_for(lambda: self.squeue().get(job_id) in states, timeout_s)

    def hurry(self, job_id: str) -> None:
        """Begin a requeued job at once; SLURM would let two minutes pass, the life of its credentials."""
        self.wait_for_state(job_id, "PENDING")
        self.scontrol("update", f"JobId={job_id}", "StartTime=now")

    def cancel_all(self) -> None:
        """End every job."""
        self.run("scancel", "--full", "--signal=KILL", "--user", getpass.getuser())
        self.run("scancel", "--user", getpass.getuser())
        ended = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE"}
        self.wait_for(lambda: set(self.squeue().values()) <= ended, timeout_s=30)


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """The cluster of this test process; another process of pytest-xdist has one of its own."""
    # Not in pytest's directory: the path of a Unix socket is short.
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ntp-slurm-")))
        directory.chmod(0o755)  # munged wants its socket within everybody's reach
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("SLURM_CONF", str(directory / "slurm.conf"))
        environment.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")
        slurm = Slurm(directory)
        _configure(directory)
        stack.enter_context(_daemon(directory, "munged", "--foreground", *_munge_options(directory)))
        _require_start(directory, (directory / "munge.socket").exists)
        stack.enter_context(_daemon(directory, "slurmctld", "-D"))
        for node in NODES:
            stack.enter_context(_daemon(directory, "slurmd", "-D", "-N", node))
        _require_start(directory, lambda: _num_idle() == len(NODES))
        stack.callback(slurm.cancel_all)
        yield slurm


def _holds_within(timeout_s: float, condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _require_start(directory: Path, condition: Callable[[], object]) -> None:
    logs = lambda: "\n".join(path.read_text()[-1000:] for path in directory.glob("*.out"))  # noqa: E731
    assert _holds_within(START_TIMEOUT_S, condition), f"SLURM did not start:\n{logs()}"


def _configure(directory: Path) -> None:
    ports = _free_ports(3)
    values = {
        "directory": directory,
        "host": socket.gethostname().split(".")[0],
        "user": getpass.getuser(),
        "controller_port": ports[0],
        "port_0": ports[1],
        "port_1": ports[2],
    }
    template = Template(Path(__file__).with_name("slurm.conf").read_text())
    (directory / "slurm.conf").write_text(template.substitute(values))
    (directory / "gres.conf").write_text(f"Name=gpu File={directory}/gpu[0-7]\n")
    for number in range(8):
        (directory / f"gpu{number}").touch()
    key = directory / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))


def _munge_options(directory: Path) -> list[str]:
    names = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid"}
    names |= {"log-file": "munge.log", "seed-file": "munge.seed"}
    return [f"--{option}={directory / name}" for option, name in names.items()]


@contextlib.contextmanager
def _daemon(directory: Path, name: str, *arguments: str) -> Iterator[None]:
    """Run a daemon, which also ends when this process is killed."""
    with tempfile.NamedTemporaryFile(dir=directory, prefix=name, suffix=".out", delete=False) as log:
        command = ["setpriv", "--pdeathsig", "TERM", name, *arguments]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _num_idle() -> int:
    command = ["sinfo", "--noheader", "--Node", "--states=idle", "--format=%N"]
    return len(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.split())


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]
