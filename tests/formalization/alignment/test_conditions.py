from collections import Counter

import pytest

from ntp.errors import ConfigError, DataError
from ntp.formalization.alignment.conditions import Condition, compose, pair_texts
from ntp.formalization.records import Pair
from tests.formalization.alignment.synthetic import OTHER, WORDS, sentences

PAIRS = [Pair(str(i), f"informal {i}", f"Lemma l{i} : True.", "", "coq", "train", "test") for i in range(20)]


@pytest.fixture
def sources():
    return {"words": sentences(WORDS, 200, 1), "other": sentences(OTHER, 200, 2)}


def tokens_of(texts, tokenizer):
    return {token for text in texts for token in tokenizer(text, add_special_tokens=False)["input_ids"]}


@pytest.mark.parametrize(
    "condition",
    [Condition({"words": 1}), Condition({"words": 1, "other": 3}), Condition({"other": 1}, distinct=0.01)],
)
def test_every_condition_has_the_same_number_of_tokens(condition, sources, probe):
    composed = compose(condition, sources, probe.tokenizer, 11, 64, 0)
    assert [len(block) for block in composed.blocks] == [64] * 11


def test_shares_are_those_of_tokens(sources, probe):
    composed = compose(Condition({"words": 1, "other": 3}), sources, probe.tokenizer, 20, 64, 0)
    only_other = tokens_of(OTHER, probe.tokenizer) - tokens_of(WORDS, probe.tokenizer)
    only_words = tokens_of(WORDS, probe.tokenizer) - tokens_of(OTHER, probe.tokenizer)
    counts = Counter(token for block in composed.blocks for token in block)
    other, words = (sum(counts[token] for token in kind) for kind in (only_other, only_words))
    assert other / (other + words) == pytest.approx(0.75, abs=0.05)


def test_the_dial_repeats_fewer_texts(sources, probe):
    whole, tenth = (
        compose(Condition({"words": 1}, distinct), sources, probe.tokenizer, 20, 64, 0)
        for distinct in (1, 0.1)
    )
    assert whole.num_distinct_tokens == 20 * 64
    assert tenth.num_distinct_tokens == 128
    assert len(tenth.texts["words"]) < len(whole.texts["words"]) / 5
    assert set(tenth.texts["words"]) <= set(whole.texts["words"])


def test_the_texts_follow_the_seed(sources, probe):
    one, same, other = (
        compose(Condition({"words": 1}), sources, probe.tokenizer, 4, 64, s) for s in (0, 0, 1)
    )
    assert one.blocks == same.blocks
    assert one.blocks != other.blocks


def test_shuffled_pairs_have_the_same_halves_and_no_pair_of_before():
    texts = pair_texts(PAIRS)
    aligned, shuffled = ([text.split(" *)\n") for text in texts[key]] for key in ("pairs", "shuffled_pairs"))
    for half in (0, 1):
        assert Counter(pair[half] for pair in aligned) == Counter(pair[half] for pair in shuffled)
    assert not {tuple(pair) for pair in aligned} & {tuple(pair) for pair in shuffled}
    assert texts["informal"][3] == "informal 3" and texts["formal"][3] == "Lemma l3 : True."


def test_wrong_conditions_are_refused(sources, probe):
    with pytest.raises(ConfigError, match="no source 'lean'; there are other, words"):
        compose(Condition({"lean": 1}), sources, probe.tokenizer, 1, 64, 0)
    with pytest.raises(DataError, match="'empty' has no text"):
        compose(Condition({"empty": 1}), {"empty": []}, probe.tokenizer, 1, 64, 0)
    for texts, distinct in (({}, 1), ({"words": 0}, 1), ({"words": 1}, 0), ({"words": 1}, 1.5)):
        with pytest.raises(ConfigError):
            Condition(texts, distinct)
