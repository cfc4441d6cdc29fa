"""The task as users start it: a process, its first line, a request, and Ctrl-C."""

import signal
import subprocess
import sys

import httpx
import pytest

from ntp.config.register import compose_config
from ntp.errors import CheckpointError, ConfigError
from ntp.serve.suggestions import SuggestionOptions
from ntp.tasks.serving.options import given_checkpoint, make_copilot
from ntp.tasks.serving.serve import run


@pytest.mark.coq
@pytest.mark.slow
def test_the_server_says_where_it_is_answers_and_ends(tmp_path):
    command = [sys.executable, "-m", "ntp.run", "+experiment=serve", "serve.http.port=0"]
    command += [f"paths.outputs={tmp_path}", "serve.suggestions.one_shot_tactics=[auto.]"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stderr is not None
        try:
            line = server.stdout.readline()
            url = line.rstrip().rpartition(" ")[2]
            assert line.startswith("one-shot tactics serves coq at http://127.0.0.1:")
            asked = {"tactic_state": "n : nat\n⊢ n + 0 = n", "prefix": "", "context": ""}
            assert httpx.post(url, json=asked, timeout=120).json() == {"suggestions": ["auto."]}
        finally:
            server.send_signal(signal.SIGINT)
            status = server.wait(60)
        assert status == 0
        assert "not calibrated" in server.stderr.read()
    assert not list(tmp_path.iterdir())


def test_options_of_a_config_reach_the_copilot():
    given = [
        "+experiment=serve",
        "serve.suggestions.num=3",
        "serve.sessions.max_sessions=2",
        "serve.header=H",
    ]
    copilot = make_copilot(compose_config(given), None)
    assert copilot.suggester.options.num == 3 and copilot.sessions.limits.max_sessions == 2
    assert (copilot.header, copilot.prover, copilot.is_calibrated) == ("H", "coq", False)
    assert copilot.suggester.options == SuggestionOptions(num=3)
    copilot.sessions.close_all()


def test_what_cannot_be_served_is_one_line(monkeypatch):
    with pytest.raises(CheckpointError, match=r"policy\.checkpoint=/nowhere is not a directory"):
        given_checkpoint(compose_config(["+experiment=serve", "policy.checkpoint=/nowhere"]))
    monkeypatch.delenv("NTP_SERVE_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="NTP_SERVE_TOKEN"):
        run(compose_config(["+experiment=serve", "serve.http.host=0.0.0.0", "serve.http.port=0"]))
    with pytest.raises(ConfigError, match="out of range"):
        run(compose_config(["+experiment=serve", "serve.suggestions.num=0"]))
    with pytest.raises(ConfigError, match=r"verifier\.checkpoint"):
        make_copilot(compose_config(["+experiment=serve", "serve.verifier=true"]), None)


def test_a_lean_server_opens_no_documents_but_answers():
    copilot = make_copilot(compose_config(["+experiment=serve", "env=lean_repl", "env.project=/p"]), None)
    with pytest.raises(ConfigError, match="no document can be opened"):
        copilot.sessions.open("theorem a : True := by")
    assert "simp" in copilot.suggester.options.one_shot_tactics
    copilot.sessions.close_all()
