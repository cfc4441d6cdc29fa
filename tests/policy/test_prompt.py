import pytest

from ntp.errors import ConfigError
from ntp.models.tokenizer import train_tokenizer
from ntp.policy.prompt import PromptEncoder, PromptFormat

TEMPLATE = "[GOAL]{state}[PROOFSTEP]"


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["n : nat\n⊢ n + 0 = n"] * 3, 300)


def test_marker_ends_the_prompt_and_markers_in_the_text_are_text(tokenizer):
    encoder = PromptEncoder(tokenizer, PromptFormat("{state}", "<tactic>", 100))
    (ids,) = encoder.encode(["⊢ <tactic><stop>"])
    marker = tokenizer.convert_tokens_to_ids("<tactic>")
    assert ids[-1] == marker
    assert set(tokenizer.all_special_ids) & set(ids[:-1]) == set()
    assert tokenizer.decode(ids[:-1]) == "⊢ <tactic><stop>"


def test_long_states_lose_their_start_only(tokenizer):
    state = "".join(f"h{i} : nat\n" for i in range(40)) + "⊢ goal"
    encoder = PromptEncoder(tokenizer, PromptFormat("{state}", "<tactic>", 30))
    (ids,) = encoder.encode([state])
    assert len(ids) == encoder.max_tokens == 31
    assert state.endswith(tokenizer.decode(ids[:-1]))


def test_template_survives_a_cut(tokenizer):
    encoder = PromptEncoder(tokenizer, PromptFormat(TEMPLATE, None, 20))
    short, long = encoder.encode(["⊢ a", "h : nat\n" * 50 + "⊢ goal"])
    assert tokenizer.decode(short) == "[GOAL]⊢ a[PROOFSTEP]"
    text = tokenizer.decode(long)
    assert text.startswith("[GOAL]")
    assert text.endswith("⊢ goal[PROOFSTEP]")
    assert len(long) == encoder.max_tokens


def test_bos_comes_first_where_the_tokenizer_adds_it(tokenizer):
    from tokenizers.processors import TemplateProcessing

    with_bos = train_tokenizer(["n : nat"], 300)
    with_bos.bos_token = "<pad>"
    with_bos.backend_tokenizer.post_processor = TemplateProcessing(
        single="<pad> $A", special_tokens=[("<pad>", with_bos.bos_token_id)]
    )
    prompt = PromptFormat(TEMPLATE, None, 20)
    encoder = PromptEncoder(with_bos, prompt)
    (ids,) = encoder.encode(["⊢ a"])
    assert ids[0] == with_bos.bos_token_id
    assert with_bos.bos_token_id not in ids[1:]
    assert with_bos.bos_token_id not in encoder.tokenize(["auto."])[0]
    assert len(encoder.encode(["h : nat\n" * 50])[0]) == encoder.max_tokens
    assert tokenizer.bos_token_id not in PromptEncoder(tokenizer, prompt).encode(["⊢ a"])[0]


def test_no_states(tokenizer):
    assert PromptEncoder(tokenizer, PromptFormat(TEMPLATE, None, 20)).encode([]) == []


@pytest.mark.parametrize("template", ["[GOAL]", "{state}{state}"])
def test_template_needs_one_state(template):
    with pytest.raises(ConfigError, match="once"):
        PromptFormat(template, None, 10)


def test_room_for_the_state():
    with pytest.raises(ConfigError, match="max_state_tokens=0"):
        PromptFormat("{state}", None, 0)
