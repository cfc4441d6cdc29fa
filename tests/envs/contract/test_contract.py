"""What every proof environment must do: the same cases over Coq, the stand-in for Lean, and Lean where
there is one."""

import contextlib
import json
import os
import random
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ntp.envs.pool import EnvPool, PooledSession
from ntp.errors import InitError
from ntp.policy.prompt import SamplingParams
from ntp.search.driver import search_theorems
from ntp.search.proposers import FixedTactics
from ntp.search.sampling import SamplingSearch
from ntp.types import Proved, Reached, Status, TacticError, Timeout

# A tactic's seconds, that of the process's death, and a start: nothing may take longer.
BOUND_S = 10


def walk(session, tactics):
    """Outcomes of tactics one after the other, until one does not lead to a state."""
    state, outcomes = session.root, []
    for tactic in tactics:
        outcomes.append(session.step(state, tactic))
        if not isinstance(outcomes[-1], Reached):
            break
        state = outcomes[-1].state
    return outcomes


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_a_hostile_text_has_no_effect(backend, env, hostile_text):
    theorem = backend.theorems["wrong"]
    session = env.open(theorem)
    started = time.monotonic()
    outcome = session.step(session.root, hostile_text)
    assert not isinstance(outcome, Proved)
    if isinstance(outcome, Reached):
        assert not isinstance(session.step(outcome.state, backend.idle), Proved)
        assert isinstance(session.step(outcome.state, "exact cheat"), TacticError) or backend.name == "coq"
    assert not env.check_proof(theorem, [hostile_text]).accepted
    assert not env.check_proof(theorem, [backend.idle, hostile_text]).accepted
    assert not env.check_script(theorem, hostile_text).verdict.accepted
    assert time.monotonic() - started < BOUND_S
    if env.pid:
        written = {path.name for path in Path(f"/proc/{env.pid}/cwd").glob("leak*")}
        assert not written


def test_the_hostile_lists_are_long_enough(backend):
    texts = json.loads(Path(__file__).with_name("hostile.json").read_text(encoding="utf-8"))
    found = texts["coq" if backend.name == "coq" else "lean"]
    assert len(set(found)) == len(found) >= 50


def test_a_proof_step_by_step(backend, env):
    outcomes = walk(env.open(backend.theorems["swap"]), backend.proof)
    assert [type(o) for o in outcomes] == [Reached] * 3 + [Proved]


def test_the_goal_is_printed(backend, env):
    (reached,) = walk(env.open(backend.theorems["swap"]), backend.proof[:1])
    assert reached.state.goal.conclusion in ("q ∧ p", "q /\\ p")
    assert str(reached.state.goal).endswith(backend.goal_after_intro.splitlines()[-1])
    assert set(backend.goal_after_intro.splitlines()) <= set(reached.state.key.splitlines())


def test_other_goals_are_part_of_the_key(backend, env):
    first, second = walk(env.open(backend.theorems["swap"]), backend.proof[:2])
    assert first.state.other_goals == ()
    assert len(second.state.other_goals) == 1
    assert second.state.other_goals[0] in second.state.key


def test_a_proof_in_one_step(backend, env):
    assert walk(env.open(backend.theorems["swap"]), [backend.both]) == [Proved()]


def test_an_error_is_a_value_with_a_message(backend, env):
    session = env.open(backend.theorems["swap"])
    outcome = session.step(session.root, backend.no_such_lemma)
    assert isinstance(outcome, TacticError) and "no_such_lemma" in outcome.message


def test_an_error_moves_nothing(backend, env):
    session = env.open(backend.theorems["swap"])
    assert isinstance(session.step(session.root, backend.no_such_lemma), TacticError)
    assert walk(session, backend.proof)[-1] == Proved()


def as_script(backend, tactics):
    return (" " if backend.name == "coq" else "\n").join(tactics)


def test_a_whole_script_is_checked(backend, env):
    result = env.check_script(backend.theorems["swap"], as_script(backend, backend.proof))
    assert result.verdict.accepted and result.failed is None
    assert result.accepted == tuple(backend.proof)
    assert result.transitions[-1].outcome == Proved()
    assert env.check_proof(backend.theorems["swap"], result.accepted).accepted


def test_a_script_that_fails_says_where(backend, env):
    tactics = [*backend.proof[:2], backend.no_such_lemma, *backend.proof[2:]]
    result = env.check_script(backend.theorems["swap"], as_script(backend, tactics))
    assert result.accepted == tuple(backend.proof[:2])
    assert result.failed.tactic.text == backend.no_such_lemma
    assert isinstance(result.failed.outcome, TacticError) and "no_such_lemma" in result.verdict.reason
    assert len(result.failed.state.other_goals) == 1


def test_a_script_that_ends_too_early_or_too_late_is_no_proof(backend, env):
    early = env.check_script(backend.theorems["swap"], as_script(backend, backend.proof[:2]))
    assert early.failed is None and early.verdict.reason == "goals remain"
    late = env.check_script(backend.theorems["swap"], as_script(backend, [*backend.proof, backend.idle]))
    assert not late.verdict.accepted and late.failed is not None
    for nothing in ("", "   ", "\n"):
        empty = env.check_script(backend.theorems["swap"], nothing)
        assert empty.transitions == () and empty.verdict.reason


def test_any_earlier_state_can_be_stepped_again(backend, env):
    session = env.open(backend.theorems["swap"])
    states = [session.root, *(o.state for o in walk(session, backend.proof[:3]))]
    for index in [3, 0, 2, 1, 3, 2, 0]:
        again = session.step(states[index], backend.idle)
        assert isinstance(again, Reached) and again.state.key == states[index].key
        assert walk_from(session, states[index], backend.proof[index:])[-1] == Proved()


def walk_from(session, state, tactics):
    outcomes = []
    for tactic in tactics:
        outcomes.append(session.step(state, tactic))
        state = getattr(outcomes[-1], "state", state)
    return outcomes


def test_branches_do_not_disturb_each_other(backend, env):
    session = env.open(backend.theorems["swap"])
    (intro,) = walk(session, backend.proof[:1])
    one = session.step(intro.state, backend.split).state
    two = session.step(intro.state, backend.idle).state
    assert session.step(two, backend.split).state.key == one.key
    assert walk_from(session, one, backend.proof[2:])[-1] == Proved()


def test_a_random_walk_in_the_tree_has_the_states_of_straight_ones(backend, env):
    draw = random.Random(0)
    session = env.open(backend.theorems["swap"])
    known = {(): session.root}
    texts = [*backend.proof, backend.idle]
    for _ in range(60):
        path = draw.choice(list(known))
        text = draw.choice(texts)
        outcome = session.step(known[path], text)
        if isinstance(outcome, Reached) and len(path) < 5:
            known[(*path, text)] = outcome.state
    for path, state in draw.sample(list(known.items()), 8):
        straight = walk(env.open(backend.theorems["swap"]), path)
        assert not path or straight[-1].state.key == state.key


def test_repeated_questions_are_answered_from_memory(backend, env):
    session = env.open(backend.theorems["swap"])
    assert session.step(session.root, backend.proof[0]) is session.step(session.root, backend.proof[0])


def test_verify_accepts_a_proof(backend, env):
    verdict = env.check_proof(backend.theorems["swap"], backend.proof)
    assert verdict.accepted and verdict.reason == "" and verdict.axioms == ()


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_verify_refuses_half_a_proof(backend, env, count):
    verdict = env.check_proof(backend.theorems["swap"], backend.proof[:count])
    assert not verdict.accepted and verdict.reason


def test_verify_refuses_a_tactic_too_many(backend, env):
    assert not env.check_proof(backend.theorems["swap"], [*backend.proof, backend.proof[-1]]).accepted


def test_verify_refuses_a_proof_of_something_else(backend, env):
    assert env.check_proof(backend.theorems["easy"], [backend.prove_easy]).accepted
    assert not env.check_proof(backend.theorems["wrong"], [backend.prove_easy]).accepted
    assert not env.check_proof(backend.theorems["wrong"], backend.proof).accepted


def test_verify_does_not_depend_on_the_open_session(backend, env):
    session = env.open(backend.theorems["swap"])
    walk(session, backend.proof[:2])
    assert env.check_proof(backend.theorems["easy"], [backend.prove_easy]).accepted
    with pytest.raises(ValueError, match="closed"):
        session.step(session.root, backend.idle)


def test_axioms_are_named(backend, env):
    verdict = env.check_proof(backend.theorems["either"], backend.classical)
    if backend.name == "coq":  # nothing like it is among the file's own assumptions
        assert not verdict.accepted
    else:
        assert verdict.accepted and "Classical.choice" in verdict.axioms


def test_a_proved_theorem_cannot_be_used_for_another(backend, env):
    assert walk(env.open(backend.theorems["easy"]), [backend.prove_easy]) == [Proved()]
    session = env.open(backend.theorems["wrong"])
    for text in ("exact easy", "exact wrong n", "apply wrong", "exact easy.", "exact (wrong n)."):
        assert not isinstance(session.step(session.root, text), Proved | Reached)


def test_theorems_in_any_order(backend, env):
    for name in ["easy", "swap", "easy", "unicode", "swap"]:
        tactics = {"easy": [backend.prove_easy], "swap": backend.proof, "unicode": backend.unicode_proof}[
            name
        ]
        assert walk(env.open(backend.theorems[name]), tactics)[-1] == Proved()


def test_opening_closes_the_session_before(backend, env):
    old = env.open(backend.theorems["swap"])
    env.open(backend.theorems["easy"])
    with pytest.raises(ValueError, match="closed"):
        old.step(old.root, backend.idle)


def test_a_theorem_that_cannot_be_stated(backend, env):
    theorem = backend.theorems["swap"]
    with pytest.raises(InitError, match="swap"):
        env.open(
            replace(theorem, statement="theorem swap : p ∧ (" if backend.name != "coq" else "Lemma swap : (.")
        )
    assert walk(env.open(theorem), [backend.both]) == [Proved()]


def test_unicode_survives_both_ways(backend, env):
    session = env.open(backend.theorems["unicode"])
    outcomes = walk(session, backend.unicode_proof)
    assert "α" in outcomes[0].state.text and outcomes[-1] == Proved()
    assert env.check_proof(backend.theorems["unicode"], backend.unicode_proof).accepted


def test_a_text_of_many_alphabets_is_an_error_and_no_more(backend, env):
    session = env.open(backend.theorems["swap"])
    for text in ("exact 漢字", "𝕏𝔸 ∀ ⟨⟩ ∎", "naïve😀 tactic.", "exact ﷽."):
        assert not isinstance(session.step(session.root, text), Proved | Reached)
    assert walk(session, backend.proof)[-1] == Proved()


def test_huge_goals(backend, env):
    session = env.open(backend.theorems["huge"])
    assert len(session.root.text) > 10_000
    outcome = session.step(session.root, backend.split)
    assert isinstance(outcome, Reached) and len(outcome.state.key) > 10_000
    assert isinstance(session.step(outcome.state, backend.idle), Reached)


@pytest.mark.parametrize("length", [4097, 16_000])
def test_long_tactics(backend, env, length):
    session = env.open(backend.theorems["swap"])
    text = backend.both[:-1] + " " * length + backend.both[-1]
    assert session.step(session.root, text) == Proved()


def test_a_tactic_over_the_limit_is_refused_at_once(backend, env):
    session = env.open(backend.theorems["swap"])
    started = time.monotonic()
    assert not isinstance(session.step(session.root, "(" * 1_000_000), Proved | Reached)
    assert time.monotonic() - started < 1
    assert session.num_env_steps == 0, "the prover was asked"


def test_deep_nesting(backend, env):
    session = env.open(backend.theorems["swap"])
    outcome = session.step(session.root, "(" * 3000 + backend.idle.rstrip(".") + ")" * 3000)
    assert not isinstance(outcome, Proved)
    assert walk(session, backend.proof)[-1] == Proved()


@pytest.mark.parametrize("stopped", ["prover", "all"])
def test_a_stuck_process_is_a_timeout_and_is_replaced(backend, own_env, stopped):
    session = own_env.open(backend.theorems["swap"])
    (intro,) = walk(session, backend.proof[:1])
    stuck = own_env.pid
    if stopped == "prover":
        os.kill(stuck, signal.SIGSTOP)
    else:
        os.killpg(os.getpgid(stuck), signal.SIGSTOP)
    started = time.monotonic()
    assert isinstance(session.step(intro.state, backend.split), Timeout)
    assert time.monotonic() - started < BOUND_S
    # The same question would be answered from memory.
    assert session.step(session.root, backend.both) == Proved()
    assert own_env.pid != stuck and not psutil.pid_exists(stuck)


@pytest.mark.parametrize("killed", ["prover", "outermost", "all"])
@pytest.mark.parametrize("every", [1, 2])
def test_a_killed_process_changes_nothing(backend, own_env, every, killed):
    session = own_env.open(backend.theorems["swap"])
    state = session.root
    for index, tactic in enumerate(backend.proof):
        if index % every == 0:
            if killed == "all":
                os.killpg(os.getpgid(own_env.pid), signal.SIGKILL)
            else:
                os.kill(own_env.pid if killed == "prover" else os.getpgid(own_env.pid), signal.SIGKILL)
        outcome = session.step(state, tactic)
        state = getattr(outcome, "state", state)
    assert outcome == Proved()


def test_a_process_killed_between_theorems(backend, own_env):
    for _ in range(3):
        assert walk(own_env.open(backend.theorems["easy"]), [backend.prove_easy]) == [Proved()]
        os.killpg(os.getpgid(own_env.pid), signal.SIGKILL)
    assert own_env.check_proof(backend.theorems["swap"], backend.proof).accepted


def test_going_back_after_a_restart(backend, own_env):
    session = own_env.open(backend.theorems["swap"])
    states = [session.root, *(o.state for o in walk(session, backend.proof[:3]))]
    for index in (2, 3, 1, 0):
        os.killpg(os.getpgid(own_env.pid), signal.SIGKILL)
        again = session.step(states[index], backend.idle if index % 2 else backend.proof[index])
        assert isinstance(again, Reached)


def test_closing_twice_ends_the_process(backend, own_env):
    session = own_env.open(backend.theorems["swap"])
    pid = own_env.pid
    assert psutil.pid_exists(pid)
    own_env.close()
    own_env.close()
    assert not psutil.pid_exists(pid) and own_env.pid == 0
    with pytest.raises(ValueError, match="closed"):
        session.step(session.root, backend.idle)


def test_a_closed_environment_can_be_opened_again(backend, own_env):
    own_env.close()
    assert walk(own_env.open(backend.theorems["easy"]), [backend.prove_easy]) == [Proved()]


def test_no_process_and_no_zombie_is_left(backend):
    before = {child.pid for child in children()}
    made = backend.make_env()
    made.open(backend.theorems["swap"])
    assert {child.pid for child in children()} > before
    made.close()
    assert {child.pid for child in children()} <= before
    assert all(child.status() != psutil.STATUS_ZOMBIE for child in children())


def test_sessions_at_once(backend):
    theorems = [replace(backend.theorems["swap"], id=f"swap{i}") for i in range(3)]
    with EnvPool(backend.make_env, 3) as pool:
        sessions = pool.open_many(theorems)
        states = [session.root for session in sessions]
        for tactic in backend.proof:
            requests = [(session, state, tactic) for session, state in zip(sessions, states, strict=True)]
            outcomes = pool.step_many(requests)
            states = [
                getattr(outcome, "state", state) for outcome, state in zip(outcomes, states, strict=True)
            ]
        assert outcomes == [Proved()] * 3
        for session in sessions:
            session.close()
        verdicts = pool.check_proofs([(theorem, backend.proof) for theorem in theorems])
    assert all(verdict.accepted for verdict in verdicts)


def test_processes_killed_at_random_under_a_pool(backend):
    before = {child.pid for child in children()}
    theorems = [replace(backend.theorems["swap"], id=f"swap{i}") for i in range(2)]
    stop, num_killed, num_steps = threading.Event(), 0, 0

    def kill_now_and_then():
        nonlocal num_killed
        draw, num_steps_before = random.Random(0), -2
        while not stop.wait(calm_s * draw.uniform(0.3, 0.9)):
            # A tactic is tried twice: until those under way and the next have come to their end, which bring
            # the provers back, none dies again.
            if num_steps < num_steps_before + 2:
                continue
            for child in children():
                if child.pid not in before and draw.random() < 0.5:
                    with contextlib.suppress(psutil.NoSuchProcess):  # it has gone with another
                        child.kill()
                        num_killed += 1
            num_steps_before = num_steps

    def prove():
        nonlocal num_steps
        sessions = pool.open_many(theorems)
        states = [session.root for session in sessions]
        for tactic in backend.proof:
            steps = [(s, state, tactic) for s, state in zip(sessions, states, strict=True)]
            outcomes = pool.step_many(steps)
            num_steps += 1
            states = [getattr(o, "state", state) for o, state in zip(outcomes, states, strict=True)]
        for session in sessions:
            session.close()
        return outcomes

    with EnvPool(backend.make_env, 2) as pool:
        started = time.monotonic()
        assert prove() == [Proved()] * 2
        calm_s = time.monotonic() - started
        killer = threading.Thread(target=kill_now_and_then)
        killer.start()
        try:
            for num_rounds in range(100_000):  # a round may take far less time than starting the provers did
                assert prove() == [Proved()] * 2
                if num_rounds >= 3 and num_killed > 5:
                    break
        finally:
            stop.set()
            killer.join()
    assert num_killed > 5
    assert {child.pid for child in children()} <= before


def test_a_theorem_that_does_not_open_leaves_the_pool_at_work(backend):
    bad = replace(backend.theorems["swap"], id="bad", statement="nothing of the kind")
    with EnvPool(backend.make_env, 2) as pool:
        broken, good = pool.open_many([bad, backend.theorems["easy"]])
        assert isinstance(broken, InitError) and isinstance(good, PooledSession)
        assert pool.step_many([(good, good.root, backend.prove_easy)]) == [Proved()]


def test_a_search_finds_the_proof(backend):
    names = ["swap", "wrong", "easy"]
    theorems = [backend.theorems[name] for name in names]
    tactics = [backend.both, backend.prove_easy, backend.no_such_lemma, backend.idle]
    with EnvPool(backend.make_env, 2) as pool:
        searches = search_theorems(
            theorems,
            lambda theorem, root: SamplingSearch(
                theorem, root, [SamplingParams(0)] * len(tactics), max_depth=1
            ),
            FixedTactics(tactics),
            pool,
        )
        found = {
            name: [t for t in s.trajectories if t.status is Status.PROVED]
            for name, s in zip(names, searches, strict=True)
        }
        assert [len(found[name]) for name in names] == [1, 0, 1]
        proofs = [(t.theorem, t.tactics) for name in names for t in found[name]]
        assert all(verdict.accepted for verdict in pool.check_proofs(proofs))
