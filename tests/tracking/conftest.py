import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from ntp.tracking.store import open_store


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory) -> Path:
    """To be copied: MLflow's migrations take seconds."""
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    open_store(f"sqlite:///{path}", "Default")
    return path


class Server:
    """A real `mlflow server` that can be stopped and started again on the same port and database."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.directory}/server.db", "--workers", "1"]
        command += ["--artifacts-destination", str(self.directory / "artifacts")]
        with (self.directory / "log").open("a") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, cwd=self.directory,
                env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            )  # fmt: skip
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            try:
                # That it is healthy it says before it has opened its database, which takes seconds.
                asked = f"{self.uri}/api/2.0/mlflow/experiments/search?max_results=1"
                urllib.request.urlopen(asked, timeout=60)
                return
            except OSError:
                assert self._process.poll() is None, (self.directory / "log").read_text()[-2000:]
                time.sleep(0.3)
        raise AssertionError("the server did not start:\n" + (self.directory / "log").read_text()[-2000:])

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, 9)
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.stop()
