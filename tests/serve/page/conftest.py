"""A server with the page, over real Coq."""

import threading
from types import SimpleNamespace

import pytest

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.serve.buffer import Buffer
from ntp.serve.copilot import Copilot
from ntp.serve.http.app import make_app, serve
from ntp.serve.http.options import HttpOptions
from ntp.serve.page_files import page_routes
from ntp.serve.sessions import Sessions
from ntp.serve.suggestions import Suggester, SuggestionOptions

# Small steps, so that there is a tree to look at.
TACTICS = (
    "intros.",
    "split.",
    "destruct H.",
    "assumption.",
    "left.",
    "right.",
    "induction n.",
    "simpl.",
    "auto.",
)


@pytest.fixture(scope="module")
def served():
    f = CoqEnvFactory()
    copilot = Copilot(
        Sessions(lambda: Buffer(f.live(60))),
        Suggester(None, SuggestionOptions(one_shot_tactics=TACTICS), seed=0),
        header="",
    )
    options = HttpOptions(port=0)
    ready, url = threading.Event(), []

    def on_ready(u):
        url.append(u)
        ready.set()

    threading.Thread(
        target=serve, args=(make_app(copilot, options, None, page_routes()), options, on_ready), daemon=True
    ).start()
    assert ready.wait(60)
    yield SimpleNamespace(url=url[0] + "/")
    copilot.sessions.close_all()
