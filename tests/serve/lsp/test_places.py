import pytest

from ntp.serve.lsp.places import Place, admits, place_at

TEXT = "Lemma a : True /\\ True.\nProof.\n  split. (* two. *)\n  - admit.\n  - au\nQed.\n"


def at(marked):
    """A text and the offset of the bar in it."""
    return marked.replace("|", ""), marked.index("|")


@pytest.mark.parametrize(
    ("marked", "typed"),
    [
        ("Proof. | auto.", ""),
        ("Proof.\n  |", ""),
        ("Proof.|", ""),
        ("Proof.\n  au|", "au"),
        ("Proof.\n  au|\nQed.", "au"),
        ("Proof.\n  rewrite Nat.add|_comm.", "rewrite Nat.add"),
        ("Proof.\n  |admit. Qed.", "admit."),
        ("Proof.\n  ad|mit. Qed.", "admit."),
        ("Proof.\n  admit.| Qed.", "admit."),
        ("Proof.\n  admit. | Qed.", ""),
        ("Proof. (* an open com|ment", ""),
        ("Proof. -|", ""),
        ("|", ""),
    ],
)
def test_what_a_suggestion_replaces(marked, typed):
    text, offset = at(marked)
    assert place_at(text, offset).typed(text) == typed


def test_it_is_run_where_the_sentence_begins():
    text, offset = at("Proof.\n  rewrite Nat.add|_comm.")
    assert place_at(text, offset) == Place(9, 24)


@pytest.mark.parametrize(
    ("marked", "written"),
    [
        ("Proof.|", " intros.\nauto."),
        ("Proof. |", "intros.\nauto."),
        ("Proof.\n  |", "intros.\n  auto."),
        ("Proof.\n  -|", " intros.\n  auto."),
        ("Proof.\n\t in|", "intros.\n\t auto."),
        ("|", "intros.\nauto."),
    ],
)
def test_how_it_is_written(marked, written):
    text, offset = at(marked)
    assert place_at(text, offset).written(text, "intros.\nauto.") == written


def test_admits_are_found_also_before_an_unfinished_sentence():
    text = "(* admit. *) Proof. admit. Print admit. { admit . } Lemma un"
    assert [place.typed(text) for place in admits(text)] == ["admit.", "admit ."]


def test_bullets_stand_in_front_of_sentences():
    assert Place(0, 0).written("", "split.\n-\nauto.\n-\n{\neasy.\n}") == "split.\n- auto.\n- { easy.\n}"
