from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp.envs.coq import protocol
from ntp.types import Goal

# As Coq 8.16 prints them.
ADDED = '<value val="good"><pair><state_id val="7"/><union val="in_l"><unit/></union></pair>'
NOT_PARSED = (
    '<value val="fail" loc_s="7" loc_e="8"><state_id val="0"/><richpp><_><pp>Syntax&nbsp;error:&nbsp;'
    "[ltac_use_default]&nbsp;expected.</pp></_></richpp>"
)
PROCESSED = (
    '<feedback object="state" route="0"><state_id val="4"/><feedback_content val="processed"/></feedback>'
)
NOTICE = (
    '<feedback object="state" route="0"><state_id val="12"/><feedback_content val="message"><message>'
    '<message_level val="notice"/><option val="none"/><richpp><_><pp>Constant&nbsp;Coq.&lt;A&gt;</pp></_>'
    "</richpp></message></feedback_content></feedback>"
)
STATUS = (
    '<value val="good"><status><list><string>Coq</string><string>S</string></list><option val="some">'
    "<string>foo</string></option><list><string>foo</string></list><int>0</int></status>"
)

text = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=12)
goal = st.builds(Goal, st.lists(text, max_size=3).map(tuple), text)


def richpp(content: str) -> str:
    half = len(content) // 2
    words = [f"<constr.reference>{markup(content[:half])}</constr.reference>", markup(content[half:])]
    return f"<richpp><_><pp>{''.join(words)}</pp></_></richpp>"


def markup(content: str) -> str:
    return escape(content, {'"': "&quot;", "'": "&apos;", " ": "&nbsp;"})


def as_xml(one: Goal) -> str:
    hypotheses = "".join(map(richpp, one.hypotheses))
    hypotheses = f"<list>{hypotheses}</list>" if hypotheses else "<list/>"
    conclusion = richpp(one.conclusion)
    return f'<goal><string>8</string>{hypotheses}{conclusion}<option val="none"/></goal>'


def as_list(items: list[str]) -> str:
    return f"<list>{''.join(items)}</list>" if items else "<list/>"


@given(st.lists(goal, max_size=3), st.lists(st.tuples(goal, goal), max_size=2), st.lists(goal, max_size=2))
def test_goals_read_back(focused, background, shelved):
    levels = [f"<pair>{as_list([as_xml(a)])}{as_list([as_xml(b)])}</pair>" for a, b in background]
    lists = as_list([as_xml(g) for g in focused]) + as_list(levels) + as_list([as_xml(g) for g in shelved])
    answer = f'{PROCESSED}<value val="good"><option val="some"><goals>{lists}<list/></goals></option>'
    ElementTree.fromstring(answer[answer.index("<value") :].replace("&nbsp;", " ") + "</value>")
    read = protocol.goals(answer)
    assert read is not None
    assert read.focused == tuple(focused)
    assert read.background == tuple(g for level in background for g in level)
    assert (read.num_shelved, read.num_given_up) == (len(shelved), 0)
    assert read.complete == (not focused and not background and not shelved)


def test_no_open_proof_has_no_goals():
    assert protocol.goals(f'{PROCESSED}<value val="good"><option val="none"/>') is None


def test_failures_and_acceptances():
    assert protocol.failure(ADDED) is None
    assert protocol.added_state(ADDED) == 7
    failed = protocol.failure(PROCESSED + NOT_PARSED)
    assert failed == protocol.Failure("Syntax error: [ltac_use_default] expected.", (7, 8), 0)
    with pytest.raises(ValueError, match="not an answer to Add"):
        protocol.added_state(NOT_PARSED)


def test_messages_are_read_from_feedback_and_by_level():
    assert protocol.messages(f'{NOTICE}<value val="good"><unit/>') == ["Constant Coq.<A>"]
    assert protocol.messages(f'{NOTICE}<value val="good"><unit/>', "error") == []


def test_status():
    assert protocol.status(STATUS) == (("Coq", "S"), "foo")


@given(text)
def test_text_sent_is_well_formed_and_unchanged(content):
    call = ElementTree.fromstring(protocol.add(content, 3))
    assert (call.findtext(".//string") or "") == content
    state = call.find(".//state_id")
    assert state is not None and state.get("val") == "3"
