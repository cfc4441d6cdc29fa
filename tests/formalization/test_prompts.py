from dataclasses import replace

import pytest

from ntp.errors import ConfigError, DataError
from ntp.formalization.prompts import Template, choose_examples, prompt_of
from ntp.formalization.records import Pair

PAIR = Pair("q", "n is {formal}", "Theorem q : SECRET.", "H", "coq", "test", "own")
TEXTS = ["sums are even", "products are odd", "groups are abelian", "rings have units", "n is prime"]
POOL = [
    replace(PAIR, id=str(i), informal=text, formal=f"Theorem t{i} : {i}.") for i, text in enumerate(TEXTS)
]
TEMPLATE = Template("{informal}\n{language}: {formal}\n\n")


def test_a_question_shows_nothing_of_the_answer():
    assert TEMPLATE.question(PAIR) == "n is {formal}\nCoq: "
    assert TEMPLATE.example(POOL[0]) == "sums are even\nCoq: Theorem t0 : 0.\n\n"
    assert "SECRET" not in prompt_of(TEMPLATE, PAIR, POOL)
    assert Template("{header}|{informal}|{formal}").question(PAIR) == "H|n is {formal}|"


@pytest.mark.parametrize("text", ["{informal}", "{formal}{informal}", "{informal}{informal}{formal}", "x"])
def test_templates_that_cannot_work(text):
    with pytest.raises(ConfigError, match="template"):
        Template(text)


def test_random_examples_depend_on_seed_and_question_alone():
    choose = choose_examples(POOL, 2, "random", 0)
    assert choose(PAIR) == choose_examples(POOL, 2, "random", 0)(PAIR)
    assert len(choose(PAIR)) == 2
    assert len({tuple(p.id for p in choose(replace(PAIR, id=str(i)))) for i in range(30)}) > 3
    assert choose_examples(POOL, 0, "random", 0)(PAIR) == ()


def test_the_nearest_example_stands_last():
    choose = choose_examples(POOL, 2, "nearest", 0)
    assert choose(replace(PAIR, informal="all groups are finite"))[-1] is POOL[2]
    assert choose(replace(PAIR, informal="The odd products"))[-1] is POOL[1]


@pytest.mark.parametrize("choice", ["random", "nearest"])
def test_a_question_is_never_its_own_example(choice):
    choose = choose_examples(POOL, 4, choice, 0)
    for pair in POOL:
        assert len(choose(pair)) == 4 and pair not in choose(pair)


def test_what_cannot_be_chosen_is_refused():
    with pytest.raises(DataError, match="5 examples cannot be chosen from a training part of 5 pairs"):
        choose_examples(POOL, 5, "random", 0)
    with pytest.raises(ConfigError, match="choose random or nearest"):
        choose_examples(POOL, 1, "best", 0)
