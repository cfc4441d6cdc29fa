import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.syntax import CoqSyntaxError, is_structure, position_of, sentences, skip_blanks

FILES = ["Bool/Bool.v", "Init/Logic.v", "Logic/ClassicalFacts.v", "Program/Wf.v", "Sets/Powerset_facts.v"]


def cut(source: str) -> list[str]:
    return [sentence.text for sentence in sentences(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        (" (* only a comment *) ", []),
        ("auto. easy.", ["auto.", "easy."]),
        ("exact Nat.add.\nauto.", ["exact Nat.add.", "auto."]),
        ("exact x.(y). auto.", ["exact x.(y).", "auto."]),
        ("intros (* a. (* b. *) c. *) x.", ["intros (* a. (* b. *) c. *) x."]),
        ('idtac "a. (* b"; idtac "c""d. e".', ['idtac "a. (* b"; idtac "c""d. e".']),
        ('(* "*)" still a comment. *) auto.', ["auto."]),
        ("- auto. -- auto. +++{ auto. } *", ["-", "auto.", "--", "auto.", "+++", "{", "auto.", "}", "*"]),
        ("2: { auto. } [x]:{ auto. }", ["2: {", "auto.", "}", "[x]:{", "auto.", "}"]),
        ("auto... easy.", ["auto...", "easy."]),
        ('Notation "[ x ; .. ; y ]" := (cons x .. (cons y nil) ..).', None),
        ("exact 1.5%R.", ["exact 1.5%R."]),
        ("1: auto.", ["1: auto."]),
    ],
)
def test_cuts(source, expected):
    assert cut(source) == ([source] if expected is None else expected)


@pytest.mark.parametrize(
    ("source", "what", "offset"),
    [
        ("auto", "sentence", 0),
        ("auto. (* x", "comment", 6),
        ('auto. idtac "x.', "string", 12),
        ("a..", "sentence", 0),
    ],
)
def test_open_ends_are_errors(source, what, offset):
    with pytest.raises(CoqSyntaxError, match=what) as caught:
        cut(source)
    assert caught.value.offset == offset


PIECES = ["auto.", "apply (foo x).", 'idtac "a. b".', "-", "{", "}", "exact Nat.add.", "intros (* x. *) y."]
GAPS = [" ", "\n\n", " (* c. *) ", ' (* " *) " (* x *) *)\t']


@given(st.lists(st.tuples(st.sampled_from(GAPS), st.sampled_from(PIECES)), max_size=12))
def test_cutting_undoes_joining(parts):
    source = "".join(gap + piece for gap, piece in parts)
    assert cut(source) == [piece for _, piece in parts]


@pytest.mark.coq
@pytest.mark.parametrize("file", [*FILES, "Lists/List.v", "Reals/RIneq.v"])
def test_spans_tile_a_source(stdlib, file):
    source = stdlib.read(file)
    position = 0
    for sentence in sentences(source):
        assert source[sentence.span.begin : sentence.span.end] == sentence.text
        # What lies between two sentences is blank or comment, all of it.
        assert skip_blanks(source, position) == sentence.span.begin
        position = sentence.span.end
    assert skip_blanks(source, position) == len(source)


@pytest.mark.coq
@pytest.mark.parametrize("file", FILES)
def test_coq_reads_the_same_sentences(stdlib, file):
    texts = cut(stdlib.read(file))
    with CoqIdeTop(stdlib, file) as top:
        states, failed = top.load(texts, 60)
        assert failed is None and len(states) == len(texts)
        assert top.status(10)[1] is None


def test_structure():
    assert all(map(is_structure, ["-", "++", "***", "{", "}", "2: {", "[x]: {"]))
    assert all(map(is_structure, ["Time {", "Timeout 3 }", "2 (* c *) : (* d *) {"]))
    assert not any(map(is_structure, ["auto.", "1: auto.", "{|", "[x]", "2: }", "Time auto.", "Time -"]))


def test_prefixes_stand_before_structure_too():
    source = 'Time { exact a. Time } - 2 (* c *) : { b. #[x(y="a. [z")] Set A. Redirect "f" c.'
    assert cut(source) == [
        "Time {", "exact a.", "Time }", "-", "2 (* c *) : {", "b.", '#[x(y="a. [z")] Set A.',
        'Redirect "f" c.',
    ]  # fmt: skip


def test_positions_count_from_one():
    source = "ab\ncdé\nf"
    assert [position_of(source, offset) for offset in (0, 3, 5, 7)] == [(1, 1), (2, 1), (2, 3), (3, 1)]
