import socket
import threading
import time

import httpx
import pytest

from ntp.serve.http.app import make_app, serve
from ntp.serve.http.options import HttpOptions
from ntp.serve.suggestions import rank  # noqa: F401 - imported before the server's thread does


@pytest.fixture
def start(make_copilot):
    """Starts a real server in a thread; returns its address."""

    def begin(*texts, token=None, http=None, **copilot):
        options = HttpOptions(**{"port": 0, "requests_per_s": 1000.0, "burst": 1000, **(http or {})})
        ready: list[str] = []
        app = make_app(make_copilot(*texts, **copilot), options, token)
        threading.Thread(target=serve, args=(app, options, ready.append), daemon=True).start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if ready and _answers(ready[0]):
                return ready[0]
            time.sleep(0.02)
        raise AssertionError("the server did not start")

    return begin


@pytest.fixture
def client():
    """Makes HTTP clients of a server."""
    made = []

    def make(url, **options):
        made.append(httpx.Client(base_url=url, timeout=120, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _answers(url):
    host, port = url.removeprefix("http://").split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5):
            return True
    except OSError:
        return False
