import threading

import pytest

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.serve.buffer import Buffer
from ntp.serve.copilot import Copilot
from ntp.serve.sessions import SessionLimits, Sessions
from ntp.serve.suggestions import Suggester, SuggestionOptions
from ntp.types import Tactic

OPTIONS = SuggestionOptions(deadline_s=60, one_shot_tactics=("auto.", "easy."))


class Scripted:
    """Proposes tactics as a policy does: sampled ones, each once, with tokens and probabilities."""

    def __init__(self, *texts):
        self.texts = texts

    def sample(self, requests):
        rows = []
        for request in requests:
            tried = {tactic.text for tactic in request.exclude or ()}
            left = [text for text in self.texts if text not in tried][: len(request.draws)]
            rows.append([Tactic(text, (i + 1,), -1.0 - i) for i, text in enumerate(left)])
        return rows


@pytest.fixture
def make_buffer():
    made = []
    factory = CoqEnvFactory(tactic_timeout_s=1)

    def make(text=""):
        buffer = Buffer(factory.live(text_timeout_s=20))
        made.append(buffer)
        buffer.edit(text)
        return buffer

    yield make
    for buffer in made:
        buffer.close()


@pytest.fixture
def make_copilot(make_buffer):
    made = []

    def make(*texts, proposer=None, max_sessions=8, idle_s=600.0, calibrator=None, options=OPTIONS):
        if texts:
            proposer = Scripted(*texts)
        suggester = Suggester(proposer, options, calibrator=calibrator, seed=0)
        copilot = Copilot(Sessions(make_buffer, SessionLimits(max_sessions, idle_s)), suggester, header="")
        made.append(copilot)
        return copilot

    yield make
    for copilot in made:
        copilot.sessions.close_all()


def at_end(buffer):
    return buffer.position(len(buffer.text))


def suggest(buffer, *texts, num=8, cancel=None, options=OPTIONS, calibrator=None):
    suggester = Suggester(Scripted(*texts) if texts else None, options, calibrator=calibrator, seed=0)
    return list(suggester.suggest(buffer, at_end(buffer), num, cancel=cancel or threading.Event()))
