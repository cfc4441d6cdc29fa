"""The kept client of OpenAI's protocol against the server, with the prompts of LLMLean and CoqPilot."""

import openai
import pytest

from tests.serve.http.test_clients import PROMPT

pytestmark = pytest.mark.coq

STATEMENT = "Theorem sym (n m : nat) : n = m -> m = n."


@pytest.fixture
def client(start):
    made = openai.OpenAI(
        base_url=f"{start('symmetry.', 'subst.', 'intro H.')}/v1", api_key="none", max_retries=0
    )
    yield made
    made.close()


def test_models(client):
    assert [model.id for model in client.models.list()] == ["ntp"]


def test_a_tactic_in_a_chat(client):
    # LLMLean asks for several choices and cuts at [/TAC].
    answer = client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": PROMPT}],
        n=3,
        temperature=0.7,
        max_tokens=99,
        stop=["[/TAC]"],
    )
    texts = [choice.message.content for choice in answer.choices]
    assert 1 <= len(texts) <= 3 and texts[0] and answer.choices[0].finish_reason == "stop"


def test_a_whole_proof_in_a_chat_with_examples(client):
    # CoqPilot sends statements as user and their proofs as assistant, and reads from `Proof.` to `Qed.`.
    messages = [
        {"role": "system", "content": "Generate proof of the theorem from user input in Coq."},
        {"role": "user", "content": "Lemma one : 1 = 1."},
        {"role": "assistant", "content": "Proof.\nreflexivity.\nQed."},
        {"role": "user", "content": STATEMENT},
    ]
    answer = client.chat.completions.create(model="m", messages=messages, n=1)
    proof = answer.choices[0].message.content
    assert proof.startswith("Proof.\n") and proof.endswith("\nQed.")
    again = client.chat.completions.with_raw_response.create(model="m", messages=messages, n=1)
    assert again.headers["x-ntp-checked"] == "true"


def test_streams(client):
    messages = [{"role": "user", "content": PROMPT}]
    parts = list(client.chat.completions.create(model="m", messages=messages, stream=True))
    assert "".join(p.choices[0].delta.content or "" for p in parts)
    assert parts[-1].choices[0].finish_reason == "stop"
    texts = [p.choices[0].text for p in client.completions.create(model="m", prompt=PROMPT, stream=True)]
    assert texts[0]


def test_completions(client):
    answer = client.completions.create(model="m", prompt=[PROMPT, PROMPT], n=1, stop="[/TAC]")
    assert len(answer.choices) == 2 and answer.choices[0].text == answer.choices[1].text


def test_errors_have_the_shape_that_the_client_reads(client):
    with pytest.raises(openai.BadRequestError, match="n is from 1 to 64"):
        client.completions.create(model="m", prompt="x", n=1000)
    with pytest.raises(openai.BadRequestError, match="is not what this route takes"):
        client.post("/completions", cast_to=object, body={"model": "m"})
