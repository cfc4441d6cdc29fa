"""env=lean_dojo over the stand-in, which speaks our worker's protocol, and the worker itself with
lean-dojo."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ntp.envs.lean.dojo import WORKER_COMMAND
from ntp.envs.lean.factory import LeanDojoFactory
from ntp.errors import EnvError, InitError
from ntp.types import Crashed, Proved, Reached, Rejected, Span, TacticError, Theorem, Timeout

STANDIN = [sys.executable, "-S", "-E", str(Path(__file__).parents[2] / "standin")]
SOURCE = {"swap": "theorem swap (p q : Prop) : p ∧ q → q ∧ p", "two": "theorem two : 1 + 1 = 2"}
PROOF = ["intro h", "constructor", "exact h.2", "exact h.1"]

# The worker with the real lean-dojo, of which only what talks to git and to Lean is replaced: each tactic
# leads to a state whose conclusion it is.
WITHOUT_LEAN = """
import runpy, sys, lean_dojo
from lean_dojo import Dojo, TacticState
from lean_dojo.interaction import dojo

def check_proof(theorem, proof):
    raise RuntimeError(proof)

def answer(self, request):
    return {"error": None, "tacticState": "⊢ " + dojo.json.loads(request)["cmd"], "sid": 1, "message": ""}

lean_dojo.LeanGitRepo = lambda url, commit: None
dojo.check_proof = check_proof
Dojo.__init__ = lambda self, theorem, timeout: None
Dojo.__enter__ = lambda self: (self, TacticState("⊢ True", 0))
Dojo.__exit__ = lambda self, *_: print("left", file=sys.stderr)
Dojo._submit_request = answer
runpy.run_path(WORKER, run_name="__main__")
"""
TWO_TURNSTILES = 'have h : "⊢" = "⊢" := rfl'


@pytest.fixture
def worker_command():
    return [sys.executable, "-Pc", WITHOUT_LEAN.replace("WORKER", repr(WORKER_COMMAND[-1]))]


@pytest.fixture
def env(tmp_path):
    (tmp_path / "source.json").write_text(json.dumps(SOURCE), encoding="utf-8")
    command = [*STANDIN, "--dojo", str(tmp_path / "source.json")]
    made = LeanDojoFactory("https://example.org/repo", "abc", command=command, tactic_timeout_s=1)()
    yield made
    made.close()


def theorem(name):
    return Theorem(name, "A.lean", "", Span(0, 9), Span(9, 9))


def walk(session, tactics):
    state, outcomes = session.root, []
    for tactic in tactics:
        outcomes.append(session.step(state, tactic))
        state = getattr(outcomes[-1], "state", state)
    return outcomes


def test_a_proof(env):
    outcomes = walk(env.open(theorem("swap")), PROOF)
    assert [type(o) for o in outcomes] == [Reached] * 3 + [Proved]
    assert len(outcomes[1].state.other_goals) == 1
    assert env.check_proof(theorem("swap"), PROOF).accepted
    assert not env.check_proof(theorem("swap"), PROOF[:-1]).accepted


def test_verify_in_a_fresh_worker(env):
    assert env.check_proof(theorem("two"), ["rfl"]).accepted
    assert not env.check_proof(theorem("swap"), ["rfl"]).accepted


def test_errors_sorries_and_bogus_proofs(env):
    session = env.open(theorem("swap"))
    assert isinstance(session.step(session.root, "exact nothing"), TacticError)
    assert isinstance(session.step(session.root, "sorry"), Rejected)
    assert isinstance(session.step(session.root, "standin_bogus"), TacticError)
    assert not env.check_proof(theorem("swap"), ["standin_bogus"]).accepted


def test_going_back_and_dying(env):
    session = env.open(theorem("swap"))
    states = [session.root, *(o.state for o in walk(session, PROOF[:3]))]
    os.killpg(os.getpgid(env.pid), 9)
    assert session.step(states[2], "exact h.2").state.key == states[3].key
    assert isinstance(session.step(states[1], "standin_hang"), Timeout)
    assert session.step(states[3], "exact h.1") == Proved()


def test_an_unknown_theorem(env):
    with pytest.raises(InitError, match="gone"):
        env.open(theorem("gone"))
    assert walk(env.open(theorem("two")), ["rfl"]) == [Proved()]


def test_lean_dojo_that_cannot_work_is_one_clear_error(tmp_path, monkeypatch):
    """The real worker, which imports the real lean-dojo in its own process; there is no git repository to
    trace."""
    monkeypatch.setenv("GITHUB_ACCESS_TOKEN", "a token that would be shown to GitHub")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    env = LeanDojoFactory(str(tmp_path / "no-repository"), "abc")()
    started = time.monotonic()
    with pytest.raises(EnvError, match=r"lean-dojo: .*env=lean_repl") as caught:
        env.open(theorem("swap"))
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 30
    assert "lean_dojo" not in sys.modules
    env.close()


def test_what_a_tactic_makes_lean_dojo_raise_is_a_crash_of_that_tactic(worker_command):
    env = LeanDojoFactory("https://example.org/repo", "abc", command=worker_command)()
    session = env.open(theorem("two"))
    crashed = session.step(session.root, TWO_TURNSTILES)
    assert isinstance(crashed, Crashed) and "AssertionError" in crashed.message
    assert isinstance(session.step(session.root, "skip"), Reached)
    verdict = env.check_proof(theorem("two"), ["rfl"])
    assert not verdict.accepted and "RuntimeError" in verdict.reason
    env.close()


@pytest.mark.parametrize(
    "request_",
    [{"op": "step", "state": 0, "tactic": TWO_TURNSTILES}, {"op": "check", "name": "two", "proof": ""}],
)
def test_a_worker_that_raises_leaves_its_dojo_and_ends(worker_command, request_):
    opening = {"op": "open", "url": "", "commit": "", "file": "A.lean", "name": "two", "timeout_s": 1}
    asked = "".join(json.dumps(request) + "\n" for request in (opening, request_))
    done = subprocess.run(worker_command, input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "env_error" not in done.stdout and len(done.stdout.splitlines()) == 1
    assert "left" in done.stderr
