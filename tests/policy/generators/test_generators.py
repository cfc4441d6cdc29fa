"""Local models answer as they were trained, and servers are asked, paid, obeyed and doubted."""

import pytest
import torch

from ntp.data.conversations import Conversation
from ntp.errors import ConfigError, GeneratorError
from ntp.modules.chat import IGNORED, encode
from ntp.policy.causal import CausalPolicy
from ntp.policy.factory import TinyPolicyFactory
from ntp.policy.generators.base import ChatRequest
from ntp.policy.generators.local import LocalGenerator
from ntp.policy.generators.openai import OpenAIOptions
from ntp.policy.generators.templates import CHATML, question_ids
from ntp.policy.prompt import PromptFormat, SamplingParams
from ntp.types import Message
from tests.fixtures.openai_server import error

TEXTS = ["Goal:\nn + 0 = n", "```coq\nProof.\n  auto.\nQed.\n```", "Hypotheses:\n(none)", "user assistant"]
QUESTION = (Message("user", "Hypotheses:\n(none)\n\nGoal:\nn + 0 = n"),)
GREEDY = SamplingParams(3, 1e-4)
KEY = "sk-very-secret-0123456789"


@pytest.fixture(scope="module")
def policy():
    made = TinyPolicyFactory(
        vocab_size=300,
        hidden_size=32,
        num_layers=2,
        num_heads=2,
        intermediate_size=48,
        max_state_tokens=160,
        max_tactic_tokens=24,
    ).create(TEXTS)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in made.trainable_parameters():
            if weight.ndim == 2:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)
    made.tokenizer.chat_template = CHATML
    return made.eval()


@pytest.fixture(scope="module")
def server(policy, chat_server):
    with chat_server({"tiny": (policy.model, policy.tokenizer)}).running() as running:
        yield running


def ask(server, messages=QUESTION, draws=(GREEDY,), **options):
    generator = OpenAIOptions(server.url, "tiny", max_tokens=24, **{"max_retries": 3, **options}).create()
    return generator.generate([ChatRequest(messages, tuple(draws))])[0]


def test_the_question_is_what_preceded_the_answer_in_training(policy):
    example = Conversation((*QUESTION, Message("assistant", "```coq\nauto.\n```")))
    encoded = encode(example, policy.tokenizer)
    begin = next(i for i, label in enumerate(encoded.labels) if label != IGNORED)
    assert question_ids(QUESTION, policy.tokenizer) == list(encoded.ids[:begin])


def test_a_local_model_answers_like_the_library(policy, server):
    (ours,), (theirs,) = (
        LocalGenerator(policy).generate([ChatRequest(QUESTION, (GREEDY,))])[0],
        ask(server, logprobs=True),
    )
    assert ours.num_prompt_tokens == theirs.num_prompt_tokens
    assert ours.text and ours.text == theirs.text.strip()
    assert theirs.log_prob < 0 and ours.log_prob < 0


def test_answers_depend_on_seeds_and_conversations_alone(policy):
    generator = LocalGenerator(policy)
    draws = tuple(SamplingParams(seed) for seed in range(4))
    (together,) = generator.generate([ChatRequest(QUESTION, draws)])
    apart = [generator.generate([ChatRequest(QUESTION, (draw,))])[0][0] for draw in draws]
    assert [a.text for a in together] == [a.text for a in apart]
    assert len({a.text for a in together}) > 1
    # The same tokens score the same: what is sampled is what the model says.
    logits = policy.plain_logits(question_ids(QUESTION, policy.tokenizer), together[0].token_ids)
    assert len(logits) == len(together[0].token_ids)


def test_a_long_conversation_loses_the_end_of_its_last_message(policy):
    long = (Message("user", "Goal:\nn + 0 = n\n\nPremises:\n" + "Lemma x : n = n.\n" * 100),)
    (answer,) = LocalGenerator(policy).generate([ChatRequest(long, (GREEDY,))])[0]
    assert 0 < answer.num_prompt_tokens <= 160


def test_models_that_cannot_be_asked_are_refused(policy):
    line = CausalPolicy(policy.model, policy.tokenizer, PromptFormat("{state}", None, 64), 8)
    line.decoder = policy.decoder.__class__(
        policy.decoder.model, policy.tokenizer("\n", add_special_tokens=False)["input_ids"][-1], (), "fp32"
    )
    with pytest.raises(ConfigError, match=r"give model\.stop=null"):
        LocalGenerator(line)


def test_requests_are_what_the_options_say(server):
    server.seen.clear()
    draws = [SamplingParams(2**40 + 1, 0.7), SamplingParams(2, 0.7)]
    answers = ask(server, draws=draws, prompt_price=2.0, completion_price=10.0, extra={"top_k": 5})
    assert len(answers) == 2 and all(answer.num_tokens > 0 for answer in answers)
    for answer in answers:
        assert answer.cost == pytest.approx((2 * answer.num_prompt_tokens + 10 * answer.num_tokens) / 1e6)
    assert {body["top_k"] for body in server.seen} == {5}
    assert all(0 <= body["seed"] < 2**31 and body["temperature"] == 0.7 for body in server.seen)
    assert server.seen[0]["messages"] == [{"role": "user", "content": QUESTION[0].content}]


def test_requests_run_at_once_but_not_more_than_allowed(server):
    server.most_at_once = 0
    ask(server, draws=[SamplingParams(i) for i in range(8)], concurrency=3)
    assert 1 < server.most_at_once <= 3


def test_requests_are_paced(server):
    from time import monotonic

    begun = monotonic()
    ask(server, draws=[SamplingParams(i) for i in range(4)], requests_per_minute=600)
    assert monotonic() - begun >= 0.3, "four requests, a tenth of a second apart"


def test_busy_and_failing_servers_are_asked_again(server):
    server.seen.clear()
    # Without a pause that the server asks for, the client waits half a second or more.
    pause = {"retry-after-ms": "10"}
    server.failures = [error(429, "slow down", **pause), error(503, "overloaded", **pause)]
    (answer,) = ask(server)
    assert answer.text and len(server.seen) == 3


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (429, "is too busy or the quota is spent"),
        (401, "refuses the key, see model.key_variable"),
        (403, "refuses the key, see model.key_variable"),
        (404, "has no such model or address"),
        (400, "refuses the request: "),
        (500, "fails: "),
    ],
)
def test_what_a_server_refuses_is_one_line(server, status, says):
    server.failures = [error(status, f"no\n{status}")]
    with pytest.raises(GeneratorError) as raised:
        ask(server, max_retries=0)
    line = str(raised.value)
    assert says in line and server.url in line and "\n" not in line


def test_one_refused_conversation_ends_nothing(server):
    generator = OpenAIOptions(server.url, "tiny", max_tokens=8, concurrency=1, max_retries=0).create()
    generator.generate([ChatRequest(QUESTION, (GREEDY,))])
    server.failures = [error(400, "maximum context length")]
    first, second = generator.generate([ChatRequest(QUESTION, (GREEDY, GREEDY))])[0]
    assert first.text == "" and "maximum context length" in first.refused
    assert second.text and not second.refused


def test_a_server_that_is_not_there_is_one_line():
    generator = OpenAIOptions("http://127.0.0.1:9/v1", "tiny", max_retries=0).create()
    with pytest.raises(GeneratorError, match="cannot be reached, start it or give another"):
        generator.generate([ChatRequest(QUESTION, (GREEDY,))])


def test_the_key_is_read_from_the_environment_and_told_to_nobody(
    policy, chat_server, monkeypatch, caplog, tmp_path
):
    caplog.set_level("DEBUG")
    with pytest.raises(ConfigError, match="OUR_KEY: this environment variable is not set"):
        OpenAIOptions("http://127.0.0.1:9/v1", "tiny", key_variable="OUR_KEY").create()
    with chat_server({"tiny": (policy.model, policy.tokenizer)}, key=KEY).running() as server:
        monkeypatch.setenv("OUR_KEY", KEY)
        assert ask(server, key_variable="OUR_KEY")[0].text
        monkeypatch.setenv("OUR_KEY", f"{KEY}-wrong")
        with pytest.raises(GeneratorError) as raised:
            ask(server, key_variable="OUR_KEY")
        assert "refuses the key" in str(raised.value)
        said = str(raised.value) + caplog.text + repr(OpenAIOptions(server.url, "tiny", "OUR_KEY"))
    assert KEY not in said


def test_servers_that_answer_nonsense_are_one_line(server):
    from starlette.responses import JSONResponse, PlainTextResponse

    for nonsense in (JSONResponse({"object": "chat.completion"}), PlainTextResponse("<html>")):
        server.failures = [nonsense]
        with pytest.raises(GeneratorError):
            ask(server, max_retries=0)
