"""Every shape of answer that the REPL documents, written by hand after its README and its own tests."""

import pytest

from ntp.envs.lean.protocol import (
    ElaboratedTactic,
    Position,
    Reply,
    UnreadableReplyError,
    is_out_of_time,
    parse_axioms,
    parse_reply,
)

WARNING = """{{"sorries":
 [{{"proofState": 0,
   "pos": {{"line": 1, "column": 18}},
   "goal": "⊢ Nat",
   "endPos": {{"line": 1, "column": 23}}}}],
 "messages":
 [{{"severity": "warning",
   "pos": {{"line": 1, "column": 4}},
   "endPos": {{"line": 1, "column": 5}},
   "data": "declaration uses {0}sorry{0}"}}],
 "env": 3}}

"""


def reply_to(text: str) -> Reply:
    reply = parse_reply(text.encode())
    assert reply is not None
    return reply


@pytest.mark.parametrize("quote", ["'", "`"])
def test_a_command_with_a_sorry_in_either_quoting(quote):
    reply = reply_to(WARNING.format(quote))
    assert (reply.env, reply.error, reply.uses_sorry) == (3, "", True)
    assert [(s.goal, s.proof_state) for s in reply.sorries] == [("⊢ Nat", 0)]
    assert reply.messages[0].uses_sorry


@pytest.mark.parametrize("quote", ["'", "`"])
def test_the_warning_alone_tells_of_a_sorry(quote):
    warning = f'{{"severity": "warning", "data": "declaration uses {quote}sorry{quote}"}}'
    assert reply_to(f'{{"messages": [{warning}], "env": 0}}').uses_sorry


def test_a_command_without_a_word():
    assert reply_to('{"env": 0}\n\n') == Reply(env=0)


def test_an_error_among_the_messages_of_a_command():
    reply = reply_to(
        '{"messages":\n [{"severity": "info", "pos": {"line": 1}, "endPos": null, "data": "f : Nat"},\n'
        '  {"severity": "error",\n "pos": {"line": 1, "column": 23},\n "endPos": {"line": 1},\n'
        '   "data": "type mismatch\\n  rfl"}],\n "env": 6}\n\n'
    )
    assert reply.env == 6 and reply.error == "type mismatch\n  rfl" and not reply.uses_sorry
    assert [message.pos for message in reply.messages] == [Position(1, 0), Position(1, 23)]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"message": "Lean error:\\n<input>:1:1: unknown tactic"}', "<input>:1:1: unknown tactic"),
        ('{"message": "Unknown proof state."}', "Unknown proof state."),
        ('{"message": "Unknown environment."}', "Unknown environment."),
        ('{"message":\n "Could not parse JSON:\\noffset 3"}', "Could not parse JSON:\noffset 3"),
    ],
)
def test_a_request_that_could_not_be_run(text, error):
    assert reply_to(text).error == error


def test_a_tactic_that_leaves_goals():
    reply = reply_to(
        '{"proofStatus": "Incomplete: open goals remain",\n "proofState": 1,\n "goals":\n'
        ' ["case left\\np q : Prop\\nh1 : p ∧ q\\n⊢ p",\n  "case right\\n⊢ r"]}\n\n'
    )
    assert reply.proof_state == 1 and len(reply.goals) == 2 and not reply.error and not reply.uses_sorry


def test_an_old_reply_without_a_status():
    assert reply_to('{"proofState": 2, "goals": []}') == Reply(proof_state=2)


def test_a_finished_proof():
    reply = reply_to('{"proofStatus": "Completed", "proofState": 4, "goals": []}')
    assert (reply.goals, reply.proof_status) == ((), "Completed")


def test_no_goals_with_an_error_is_an_error():
    reply = reply_to(
        '{"proofStatus": "Incomplete: contains sorry",\n "proofState": 1,\n "messages": [{'
        '"severity": "error",\n   "pos": {"line": 0, "column": 0},\n'
        '   "data": "Unknown identifier `my_fake_premise`"}],\n "goals": []}'
    )
    assert reply.goals == () and reply.error == "Unknown identifier `my_fake_premise`"


def test_a_sorry_in_tactic_mode_has_no_position():
    reply = reply_to(
        '{"sorries": [{"proofState": 1, "goal": "x : Int\\n⊢ x = 1"}],\n'
        ' "proofStatus": "Incomplete: open goals remain", "proofState": 2, "goals": ["h : x = 1\\n⊢ x = x"]}'
    )
    assert reply.uses_sorry and reply.goals


def test_a_status_alone_tells_of_a_sorry():
    assert reply_to('{"proofStatus": "Incomplete: contains sorry", "proofState": 2, "goals": []}').uses_sorry


def test_a_sorry_may_be_without_a_state():
    assert (
        reply_to('{"sorries": [{"goal": "⊢ 1 = 1", "proofState": null}], "env": 1}').sorries[0].proof_state
        is None
    )


def test_traces_tactics_and_trees_are_read_over():
    assert (
        reply_to('{"traces": ["37"], "proofStatus": "Completed", "proofState": 1, "goals": []}').proof_state
        == 1
    )
    tactics = '[{"usedConstants": [], "tactic": "exact hp", "proofState": 0, "goals": "⊢ P"}]'
    assert (
        reply_to(f'{{"tactics": {tactics}, "infotree": [{{"node": {{}}, "children": []}}], "env": 5}}').env
        == 5
    )


def test_tactics_of_a_definition():
    """Each with its place, all goals in one text, the state before it and the constants that it uses."""
    reply = reply_to(
        '{"tactics":\n [{"usedConstants": ["instOfNatNat", "Nat"],\n   "tactic": "have t := 37",\n'
        '   "proofState": 0,\n   "pos": {"line": 1, "column": 18},\n   "goals": "⊢ Nat",\n'
        '   "endPos": {"line": 1, "column": 30}},\n  {"usedConstants": [],\n   "tactic": "exact t",\n'
        '   "proofState": 1,\n   "pos": {"line": 2, "column": 2},\n   "goals": "t : Nat\\n⊢ Nat",\n'
        '   "endPos": {"line": 2, "column": 9}}],\n "env": 0}\n\n'
    )
    assert reply.tactics == (
        ElaboratedTactic(
            "have t := 37", "⊢ Nat", Position(1, 18), Position(1, 30), 0, ("instOfNatNat", "Nat")
        ),
        ElaboratedTactic("exact t", "t : Nat\n⊢ Nat", Position(2, 2), Position(2, 9), 1),
    )


def test_a_part_of_calc_has_no_goals():
    reply = reply_to(
        '{"tactics": [{"usedConstants": [], "tactic": "\\n  3 = 4 := by sorry", "proofState": 3,'
        ' "pos": {"line": 2, "column": 2}, "goals": "no goals", "endPos": {"line": 3, "column": 19}}],'
        ' "sorries": [{"proofState": 0, "pos": {"line": 2, "column": 14}, "goal": "⊢ 3 = 4",'
        ' "endPos": {"line": 2, "column": 19}}], "env": 0}'
    )
    assert reply.tactics[0].goals == "no goals" and reply.sorries[0].pos == Position(2, 14)


@pytest.mark.parametrize(
    "noise",
    ["info: [1/2] Building\n", "warning: {unused}\n\n\n", "{not json}\n", "\n\n", "✖ [2/3] café\n{ \n"],
)
def test_noise_before_an_answer(noise):
    assert reply_to(f'{noise}{{"env": 7}}\n\n').env == 7


@pytest.mark.parametrize("text", ["", "\n\n", "info: downloading\n\n", "warning: x {y}\n\n"])
def test_noise_alone_is_no_answer_yet(text):
    assert parse_reply(text.encode()) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"proofState": 1, "goals": [\n\n',
        '{"proofSta',
        "{}",
        '{"goals": []}',
        '{"env": "one"}',
        '{"proofState": 1, "goals": "none"}',
        '{"env": 1} {"env": 2}',
    ],
)
def test_what_is_no_answer_is_refused(text):
    with pytest.raises(UnreadableReplyError):
        parse_reply(text.encode())


def test_broken_unicode_is_refused():
    with pytest.raises(UnreadableReplyError):
        parse_reply(b'{"message": "\xff\xfe"}\n\n')


def test_a_long_answer():
    assert len(reply_to('{"message": "' + "x" * 200_000 + '"}').error) == 200_000


@pytest.mark.parametrize(
    ("message", "axioms"),
    [
        ("'foo' does not depend on any axioms", ()),
        ("'foo' depends on axioms: [propext]", ("propext",)),
        (
            "'A.B.foo' depends on axioms: [propext,\n Classical.choice,\n Quot.sound]",
            ("propext", "Classical.choice", "Quot.sound"),
        ),
        ("'_private.0.foo' depends on axioms: [sorryAx]", ("sorryAx",)),
        ("'bar' does not depend on any axioms", None),
        ("'foo.bar' does not depend on any axioms", None),
        ("unknown constant 'foo'", None),
        ("'foo' does not depend on any axioms, says a notation", None),
        ("", None),
    ],
)
def test_axioms(message, axioms):
    assert parse_axioms(message, "foo") == axioms


def test_leans_own_time_limit():
    assert is_out_of_time(
        "(deterministic) timeout at `whnf`, maximum number of heartbeats (200000) has been reached"
    )
    assert not is_out_of_time("unknown identifier 'timeout'")
