"""Labels of chat data, against TRL's and xtuner's rules, and the loss of packed sequences."""

import random
from functools import partial

import pytest
import torch

from ntp.data.conversations import Completion, Conversation, Message
from ntp.errors import ConfigError, DataError
from ntp.models.tokenizer import train_tokenizer
from ntp.modules.chat import IGNORED, Encoded, encode
from ntp.modules.completions import CompletionModule
from ntp.modules.packing import alone, efficiency, pack
from ntp.policy.factory import TinyPolicyFactory
from ntp.policy.generators.templates import CHATML

TEXTS = [
    "Hypotheses:\nn : nat\n\nGoal:\nn + 0 = n",
    "```coq\nProof.\n  auto.\nQed.\n```",
    "Prove it again.",
    "user",
]
MARKS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|user|>",
    "<|assistant|>",
    "[INST]",
    "[/INST]",
    "<|header|>",
    "<|/header|>",
]


def template(user, assistant, stop, after=""):
    """A template in which the assistant's turn, with its stop token, is marked."""
    return (
        "{% for message in messages %}{% if message['role'] == 'assistant' %}"
        + assistant
        + "{% generation %}{{ message['content'] }}"
        + stop
        + "{% endgeneration %}"
        + ("{{ '\\n' }}" if after else "")  # a newline after a tag is dropped
        + "{% else %}"
        + user
        + "{% endif %}{% endfor %}{% if add_generation_prompt %}"
        + assistant
        + "{% endif %}"
    )


CONTENT = "{{ message['content'] }}"
EOS = "{{ eos_token }}"
# (what a user's turn is, what precedes and what follows the assistant's content, what follows its turn)
FAMILIES = {
    "chatml": ("<|im_start|>user\n" + CONTENT + "<|im_end|>\n", "<|im_start|>assistant\n", EOS, "\n"),
    "mistral": ("[INST] " + CONTENT + " [/INST]", "", EOS, ""),
    "llama": (
        "<|header|>user<|/header|>\n\n" + CONTENT + "<|im_end|>",
        "<|header|>assistant<|/header|>\n\n",
        EOS,
        "",
    ),
    "zephyr": ("<|user|>\n" + CONTENT + "<|im_end|>\n", "<|assistant|>\n", EOS, "\n"),
}
CONVERSATIONS = [
    Conversation((Message("user", TEXTS[0]), Message("assistant", TEXTS[1]))),
    Conversation(
        (
            Message("user", TEXTS[0]),
            Message("assistant", TEXTS[1]),
            Message("user", TEXTS[2]),
            Message("assistant", "Done."),
        )
    ),
]


@pytest.fixture(scope="module")
def tokenizer():
    found = train_tokenizer([*TEXTS, *(c.content for x in CONVERSATIONS for c in x.messages)], 320)
    found.add_tokens(MARKS, special_tokens=True)
    return found


def messages(conversation):
    return [{"role": m.role, "content": m.content} for m in conversation.messages]


def xtuner_labels(conversation, tokenizer, family):
    """xtuner's rule: turns are tokenized one by one; an answer is learned with its stop token."""
    user, assistant, _, after = FAMILIES[family]
    ids, labels = [], []

    def add(text, learned=False):
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        ids.extend(tokens)
        labels.extend(tokens if learned else [IGNORED] * len(tokens))

    for message in conversation.messages:
        if message.role == "assistant":
            add(assistant)
            add(message.content + tokenizer.eos_token, learned=True)
            add(after)
        else:
            add(user.replace(CONTENT, message.content))
    return ids, labels


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=["one turn", "two turns"])
@pytest.mark.parametrize("family", FAMILIES)
def test_labels_are_those_of_trl_and_xtuner(family, conversation, tokenizer, tmp_path):
    marked = template(*FAMILIES[family])
    ours = encode(conversation, tokenizer, marked)
    unmarked = marked.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    assert encode(conversation, tokenizer, unmarked) == ours, "a template without marks"
    assert (list(ours.ids), list(ours.labels)) == trl_labels(conversation, tokenizer, marked, tmp_path)
    assert (list(ours.ids), list(ours.labels)) == xtuner_labels(conversation, tokenizer, family)
    learned = [token for token in ours.labels if token != IGNORED]
    said = "".join(m.content + tokenizer.eos_token for m in conversation.messages if m.role == "assistant")
    assert tokenizer.decode(learned) == said


def trl_trainer(rows, tokenizer, chat_template, directory, **options):
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    policy = tiny_policy(tokenizer)
    tokenizer.chat_template = chat_template
    try:
        config = SFTConfig(
            output_dir=str(directory),
            report_to="none",
            use_cpu=True,
            bf16=False,
            max_length=512,
            **options,
        )
        return SFTTrainer(
            policy.model, config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
        )
    finally:
        tokenizer.chat_template = None


def trl_labels(conversation, tokenizer, chat_template, directory):
    rows = [{"messages": messages(conversation)}]
    (row,) = trl_trainer(rows, tokenizer, chat_template, directory, assistant_only_loss=True).train_dataset
    return row["input_ids"], row["labels"]


def tiny_policy(tokenizer, seed=0):
    sizes = {"vocab_size": 320, "hidden_size": 32, "num_layers": 2, "num_heads": 2, "intermediate_size": 48}
    policy = TinyPolicyFactory(**sizes, max_state_tokens=400, max_tactic_tokens=100, seed=seed).create(TEXTS)
    policy.model.resize_token_embeddings(len(tokenizer))
    return policy


def test_a_completion_and_its_end_are_learned_as_trl_learns_them(tokenizer, tmp_path):
    ours = encode(Completion(TEXTS[0] + "\n", TEXTS[1]), tokenizer)
    rows = [{"prompt": TEXTS[0] + "\n", "completion": TEXTS[1]}]
    (theirs,) = trl_trainer(rows, tokenizer, None, tmp_path).train_dataset
    assert (list(ours.ids), list(ours.labels)) == (theirs["input_ids"], theirs["labels"])
    assert tokenizer.decode([t for t in ours.labels if t != IGNORED]) == TEXTS[1] + tokenizer.eos_token


def test_only_the_completion_of_a_conversation_is_learned(tokenizer):
    whole = CONVERSATIONS[1]
    last = Conversation(whole.messages, first_trained=2)
    for chat_template in (CHATML, template(*FAMILIES["llama"]).replace("generation %}", "generation %}")):
        learned = [t for t in encode(last, tokenizer, chat_template).labels if t != IGNORED]
        assert tokenizer.decode(learned) == "Done." + tokenizer.eos_token


def test_templates_that_do_not_work_are_one_line(tokenizer):
    with pytest.raises(ConfigError, match="no chat template"):
        encode(CONVERSATIONS[0], tokenizer)
    with pytest.raises(ConfigError, match="cannot show the messages: only two turns"):
        encode(CONVERSATIONS[0], tokenizer, "{{ raise_exception('only two turns') }}")
    forgetful = "{% for m in messages[-2:] %}{{ m['role'] + m['content'] + eos_token }}{% endfor %}"
    with pytest.raises(DataError, match="changes earlier turns"):
        encode(CONVERSATIONS[1], tokenizer, forgetful)


@pytest.fixture(scope="module")
def module(tokenizer):
    return CompletionModule(tiny_policy(tokenizer), partial(torch.optim.AdamW, lr=1e-3), 0, 0, False)


def random_examples(number, longest, seed=0):
    rng = random.Random(seed)
    examples = []
    for _ in range(number):
        length = rng.randrange(4, longest)
        ids = tuple(rng.randrange(10, 300) for _ in range(length))
        learned = rng.randrange(1, length)
        examples.append(Encoded(ids, (*[IGNORED] * learned, *ids[learned:])))
    return examples


def test_packed_and_alone_have_one_loss_and_one_gradient(module):
    examples = random_examples(12, 60)
    packed = pack(examples, 100)
    assert len(packed) < 12 and any(0 in sequence.positions[1:] for sequence in packed)
    sums, gradients = [], []
    for sequences in (packed, [alone(example, 100) for example in examples]):
        module.zero_grad()
        log_p, num_tokens = module.score(sequences).sum(0)
        (-log_p / num_tokens).backward()
        sums.append((-log_p / num_tokens).item())
        assert num_tokens == sum(example.num_learned for example in examples)
        gradients.append(torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None]))
    assert sums[0] == pytest.approx(sums[1], abs=1e-5)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-4)


def test_the_loss_is_that_of_transformers(module):
    (example,) = random_examples(1, 60)
    expected = module.policy.model(
        input_ids=torch.tensor([example.ids]), labels=torch.tensor([example.labels])
    ).loss.item()
    log_p, num_tokens = module.score([alone(example, 100)])[0].tolist()
    assert -log_p / num_tokens == pytest.approx(expected, abs=1e-5)


def test_the_first_token_of_an_example_is_not_predicted_from_the_last_of_another(module):
    ids = tuple(range(20, 30))
    whole = Encoded(ids, (IGNORED, *ids[1:]))
    (packed,) = pack([whole, whole], 20)
    assert module.score([packed])[0, 1] == 2 * whole.num_learned


def test_packing_wastes_little(module):
    examples = random_examples(400, 900)
    assert efficiency(pack(examples, 4096), 4096) > 0.95
    assert sum(len(sequence.ids) for sequence in pack(examples, 4096)) == sum(len(e.ids) for e in examples)


def test_what_is_too_long_is_cut(module):
    (packed,) = pack(random_examples(1, 60), 3)
    assert len(packed.ids) == len(packed.labels) == len(packed.positions) == 3
