"""The Lean environment over the stand-in: faults of the process, headers, files, re-checks, errors of
set-up."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ntp.envs.lean import env as lean_session
from ntp.envs.lean.factory import LeanReplFactory
from ntp.envs.lean.positions import pack_position
from ntp.errors import ConfigError, EnvError, InitError
from ntp.types import (
    Crashed,
    Exceeded,
    LeanState,
    Proved,
    Reached,
    Rejected,
    Span,
    TacticError,
    Theorem,
    Timeout,
)
from tests.processes import alive_in

STANDIN = [sys.executable, "-S", "-E", str(Path(__file__).parents[2] / "standin")]
SWAP = Theorem("swap", "x.lean", "theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p", Span(0, 0), Span(0, 0))
PROOF = ["constructor", "exact h.2", "exact h.1"]


@pytest.fixture
def make():
    """Makes environments over a stand-in with options; they are closed after the test."""
    made = []

    def start(*options: str, **values):
        command = values.pop("command", [*STANDIN, *options])
        made.append(LeanReplFactory(command=command, **{"tactic_timeout_s": 3, **values})())
        return made[-1]

    yield start
    for env in made:
        env.close()


def walk(session, tactics):
    state, outcomes = session.root, []
    for tactic in tactics:
        outcomes.append(session.step(state, tactic))
        state = getattr(outcomes[-1], "state", state)
    return outcomes


def test_states_are_leans(make):
    session = make().open(SWAP)
    assert isinstance(session.root, LeanState)
    (reached, *_) = walk(session, PROOF)
    assert reached.state.text == reached.state.key != str(reached.state.goal)


@pytest.mark.parametrize("options", [[], ["--old"], ["--quote", "'"]])
def test_any_dialect_of_the_repl(make, options):
    env = make(*options)
    assert walk(env.open(SWAP), PROOF)[-1] == Proved()
    assert env.check_proof(SWAP, PROOF).accepted


# The seventh request of a fresh process is the third tactic: header, statement, type, and the tactics.
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("exit137", Proved),
        ("kill", Proved),
        ("badjson", Proved),
        ("partial", Proved),
        ("noise", Reached),
        ("long", TacticError),
        ("hang", Timeout),
        ("spin", Timeout),
        ("child", Timeout),
    ],
)
def test_a_fault_in_passing(make, tmp_path, fault, outcome):
    # The marker outlives the process, so it lies where only limits let the stand-in write.
    env = make("--fault", f"{fault}@4", "--marker", str(tmp_path / "once"), isolation="limits")
    session = env.open(SWAP)
    started = time.monotonic()
    found = walk(session, PROOF)
    assert time.monotonic() - started < 10
    if outcome is Proved:  # a death is made good
        assert found[-1] == Proved()
    else:
        assert isinstance(found[0], outcome)
    assert walk(session, ["exact ⟨h.2, h.1⟩"]) == [Proved()]


@pytest.mark.parametrize("fault", ["exit137", "kill", "badjson", "partial", "memory", "endless"])
def test_a_tactic_that_always_kills_is_a_crash(make, fault):
    env = make(max_memory_mb=400)
    session = env.open(SWAP)
    (reached,) = walk(session, PROOF[:1])
    started = time.monotonic()
    outcome = session.step(reached.state, f"standin_{fault}")
    assert isinstance(outcome, Crashed | Exceeded | TacticError | Timeout), outcome
    assert time.monotonic() - started < 10
    assert session.step(reached.state, "exact h.2").state.key == walk(session, PROOF[:2])[-1].state.key


def test_a_hanging_tactic_leaves_no_process_of_its_group(make):
    env = make()
    session = env.open(SWAP)
    group = os.getpgid(env.pid)
    assert session.step(session.root, "standin_child") == Timeout("killed")
    assert not alive_in(group)
    assert walk(session, PROOF)[-1] == Proved()


def test_leans_own_deadline_is_a_timeout(make):
    session = make().open(SWAP)
    assert isinstance(session.step(session.root, "standin_heartbeats"), Timeout)
    assert isinstance(session.step(session.root, "constructor"), Reached)


def test_both_shapes_of_failure(make):
    session = make().open(SWAP)
    assert isinstance(session.step(session.root, "exact nothing"), TacticError)
    assert session.step(session.root, "standin_recovers") == TacticError("Unknown identifier `unknown`")


def test_no_goals_is_not_a_proof(make):
    session = make().open(SWAP)
    outcome = session.step(session.root, "standin_bogus")
    assert isinstance(outcome, Rejected) and "metavariables" in outcome.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sorry", "sorry"),
        ("exact ⟨h.2, sorry⟩", "sorry"),
        ("exact swap p q h", "swap"),
        ("exact absurd", "absurd"),
        ("trivial)\naxiom cheat : False\ntheorem other : True := by\n  (trivial", "assumption"),
    ],
)
def test_the_recheck_stands_without_the_guard(make, monkeypatch, text, reason):
    monkeypatch.setattr(lean_session, "guard", lambda text: text)
    env = make()
    session = env.open(SWAP)
    assert not isinstance(session.step(session.root, text), Proved)
    verdict = env.check_proof(SWAP, [text])
    assert not verdict.accepted and reason in verdict.reason


def test_native_evaluation_is_told_by_its_axiom(make, monkeypatch):
    theorem = replace(SWAP, statement="theorem big : 2 + 2 = 4")
    monkeypatch.setattr(lean_session, "guard", lambda text: text)
    assert make().check_proof(theorem, ["native_decide"]).reason == "rests on Lean.ofReduceBool"
    assert make(axioms=["Lean.ofReduceBool"]).check_proof(theorem, ["native_decide"]).accepted
    assert make().check_proof(theorem, ["decide"]).accepted


def test_an_axiom_of_the_context_is_told(make):
    theorem = replace(SWAP, context="axiom cheap : False\nopen Nat")
    env = make()
    assert env.check_proof(theorem, ["exact False.elim cheap"]).reason == "rests on cheap"
    session = env.open(theorem)
    assert session.step(session.root, "exact False.elim cheap") == Rejected("rests on cheap")
    assert make(axioms=["cheap"]).check_proof(theorem, ["exact False.elim cheap"]).accepted


def test_the_kernel_may_not_be_switched_off(make, monkeypatch):
    """The stand-in obeys the option, as Lean does, and no axiom tells: this one is the guard's alone."""
    theorem = replace(SWAP, statement="theorem wrong (n : Nat) : n = 0")
    text = "set_option debug.skipKernelTC true in skip"
    assert "set_option" in make().check_proof(theorem, [text]).reason
    monkeypatch.setattr(lean_session, "guard", lambda text: text)
    assert make().check_proof(theorem, [text]).accepted


def test_headers_are_loaded_once_per_process(make, monkeypatch):
    env = make()
    sent = record_requests(env, monkeypatch)
    for name in ("one", "two", "three"):
        theorem = replace(SWAP, id=name, context="import Mathlib\nimport Lean\n\nopen Nat")
        env.open(theorem)
    other = replace(SWAP, context="import Mathlib\nimport Lean\nopen Real")
    assert env.check_proof(other, PROOF).accepted
    assert sent.count("import Mathlib\nimport Lean") == 1
    assert sent.count("open Nat") == sent.count("open Real") == 1


def record_requests(env, monkeypatch):
    sent = []
    server = env._backend._server
    command = server.command

    def listen(text, *args):
        sent.append(text)
        return command(text, *args)

    monkeypatch.setattr(server, "command", listen)
    return sent


def test_the_default_header_is_for_theorems_that_bring_none(make):
    env = make(header="axiom given : False", imports=["Mathlib"], axioms=["given"])
    assert env.check_proof(SWAP, ["exact False.elim given"]).accepted
    assert not env.check_proof(replace(SWAP, context="open Nat"), ["exact False.elim given"]).accepted


TWICE = "theorem a : True := by sorry\ntheorem a : False := trivial"


@pytest.mark.parametrize("context", ["import Nowhere", TWICE])
def test_a_header_that_does_not_elaborate(make, context):
    env = make()
    with pytest.raises(InitError, match="header does not elaborate"):
        env.open(replace(SWAP, context=context))
    assert walk(env.open(SWAP), PROOF)[-1] == Proved()


def test_a_pickled_header_is_read_back(make, tmp_path, monkeypatch):
    theorem = replace(SWAP, context="axiom given : False")
    first = make(pickle_directory=str(tmp_path), axioms=["given"])
    assert first.check_proof(theorem, ["exact False.elim given"]).accepted
    assert len(list(tmp_path.glob("*.olean"))) == 1
    second = make(pickle_directory=str(tmp_path), axioms=["given"])
    sent = record_requests(second, monkeypatch)
    assert second.check_proof(theorem, ["exact False.elim given"]).accepted
    assert theorem.context not in sent


def test_processes_are_replaced_between_theorems(make):
    env = make(max_commands=10)
    pids = []
    for _ in range(6):
        assert walk(env.open(SWAP), PROOF)[-1] == Proved()
        pids.append(env.pid)
    assert 2 <= len(set(pids)) <= 4


@pytest.fixture
def project(tmp_path):
    (tmp_path / "A.lean").write_text(
        "import Mathlib\n\naxiom given : True\nnamespace N\n\n"
        "@[simp] theorem first (p : Prop) (h : p) : p := by\n  exact h\n\n"
        "open Nat\n\ntheorem second (α : Prop) (h : α) : α ∧ True := by\n  exact ⟨h, first⟩\n",
        encoding="utf-8",
    )
    return tmp_path


def in_file(name, begin, end, file="A.lean"):
    return Theorem(f"N.{name}", file, "", Span(pack_position(*begin), pack_position(*end)), Span(0, 0))


def test_a_theorem_is_cut_out_of_its_file(make, project):
    env = make(project=str(project))
    first, second = in_file("first", (6, 1), (7, 10)), in_file("second", (11, 1), (12, 20))
    session = env.open(second)
    assert session.root.text == "α : Prop\nh : α\n⊢ α ∧ True"
    assert walk(session, ["exact ⟨h, trivial⟩"]) == [Proved()]
    assert env.check_proof(second, ["constructor", "exact first α h", "trivial"]).accepted
    assert env.check_proof(first, ["exact h"]).accepted
    # What stands later in the file, the theorem itself included, cannot be used.
    assert not env.check_proof(first, ["exact first p h"]).accepted
    assert not env.check_proof(first, ["exact (second p h).1"]).accepted


@pytest.mark.parametrize(
    ("theorem", "match"),
    [
        (in_file("gone", (1, 1), (1, 5), "Gone.lean"), r"Gone\.lean cannot be read .* commit"),
        (in_file("far", (99, 1), (99, 5)), "no line 99"),
        (in_file("wide", (6, 300), (7, 1)), "no line 6, column 300"),
        (in_file("axiom", (3, 1), (3, 19)), "cannot be stated as a theorem"),
        (in_file("escape", (1, 1), (1, 5), "../../etc/passwd"), "outside the project"),
    ],
)
def test_a_place_that_holds_no_theorem(make, project, theorem, match):
    with pytest.raises(InitError, match=match):
        make(project=str(project)).open(theorem)


def test_a_theorem_of_a_file_needs_a_project(make):
    with pytest.raises(InitError, match=r"env\.project="):
        make().open(in_file("first", (6, 1), (7, 10)))


@pytest.mark.parametrize("statement", ["theorem x : 1 =", "def x : Nat", "theorem x (p : Prop) : q"])
def test_a_statement_that_is_none(make, statement):
    with pytest.raises(InitError, match="swap"):
        make().open(replace(SWAP, statement=statement))


def test_a_proof_that_comes_with_the_statement_is_cut_off(make):
    session = make().open(replace(SWAP, statement=f"{SWAP.statement} := by sorry"))
    assert walk(session, PROOF)[-1] == Proved()


OTHER_TOOLCHAIN = "uncaught exception: failed to read file 'Init.olean', incompatible header"
NO_PROJECT = "error: no such file or directory (error code: 2)\n  file: lakefile.lean"


@pytest.mark.parametrize(
    ("stderr", "match"),
    [
        (OTHER_TOOLCHAIN, "different Lean toolchains.*lake build"),
        ("error: toolchain 'leanprover/lean4:v4.9.0' is not installed", "different Lean toolchains"),
        ("error: unknown executable repl", "make lean"),
        (NO_PROJECT, "not a Lake project that builds"),
        ("terminating due to uncaught exception of type std::bad_alloc", r"env\.max_memory_mb"),
        ("segmentation fault", "by hand"),
    ],
)
def test_a_repl_that_never_answers(make, tmp_path, stderr, match):
    env = make("--stderr", stderr, project=str(tmp_path))
    with pytest.raises(EnvError, match=match) as caught:
        env.open(SWAP)
    assert "\n" not in str(caught.value) and not isinstance(caught.value, InitError)
    assert env.pid == 0


def test_no_lake(make):
    with pytest.raises(EnvError, match="make lean"):
        make(command=["lake-that-is-not-there", "exe", "repl"]).open(SWAP)


def test_a_program_that_is_no_repl(make):
    with pytest.raises(EnvError, match="no REPL answers"):
        make(command=["cat"]).open(SWAP)


def test_a_project_that_is_no_directory(make):
    with pytest.raises(EnvError, match=r"env\.project=/nowhere is not a directory"):
        make(project="/nowhere").open(SWAP)


def test_a_header_that_takes_too_long(make):
    with pytest.raises(InitError, match=r"env\.header_timeout_s"):
        make("--fault", "hang@1", header_timeout_s=0.3).open(SWAP)


BAD_VALUES = [{"tactic_timeout_s": 0}, {"num_workers": 0}, {"max_commands": -1}, {"command": []}]


@pytest.mark.parametrize("values", BAD_VALUES)
def test_values_that_cannot_work(values):
    with pytest.raises(ConfigError, match=r"env\."):
        LeanReplFactory(**values)


def test_the_process_does_not_see_the_answer_of_a_killed_one(make):
    """After a timeout the next answer is its own, not the late one."""
    env = make()
    session = env.open(SWAP)
    for _ in range(2):
        assert session.step(session.root, "standin_hang") == Timeout("killed")
        assert session.step(session.root, "exact nothing").message == "Unknown identifier `nothing`"
