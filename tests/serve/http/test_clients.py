"""Each client's requests, in the shapes that its own source sends."""

import json

import pytest

pytestmark = pytest.mark.coq

STATE = "n m : nat\nH : n = m\n⊢ m = n"


def test_llmstep(start, client):
    # python/server.py of llmstep reads these three keys, LLMstep/LLMstep.lean reads `suggestions`.
    http = client(start("symmetry.", "nonsense.", "subst."))
    answer = http.post("/", json={"tactic_state": STATE, "prefix": "", "context": ""})
    assert answer.headers["x-ntp-checked"] == "true"
    suggestions = answer.json()["suggestions"]
    assert list(answer.json()) == ["suggestions"] and "nonsense." not in suggestions
    assert {"symmetry.", "subst."} & set(suggestions)
    answer = http.post("/", json={"tactic_state": STATE, "prefix": "sub", "context": ""})
    assert all(s.startswith("sub") for s in answer.json()["suggestions"])


def test_llmstep_with_the_text_before(start, client):
    http = client(start("unfold two.", "symmetry."))
    context = "Definition two := 2.\nLemma a : 2 = two.\nProof.\n"
    answer = http.post("/", json={"tactic_state": "⊢ 2 = two", "prefix": "", "context": context})
    assert answer.headers["x-ntp-checked"] == "true" and "symmetry." in answer.json()["suggestions"]


def test_states_that_cannot_be_posed_are_answered_unchecked(start, client):
    http = client(start("simp", "omega"))
    lean = "n : ℕ\nh : n ∈ Finset.range 3\n⊢ n < 3"
    answer = http.post("/", json={"tactic_state": lean, "prefix": "", "context": ""})
    assert answer.headers["x-ntp-checked"] == "false" and answer.json()["suggestions"] == ["simp", "omega"]


def test_lean_copilot(start, client):
    # LeanCopilot/Models/External.lean: {name, input, prefix} -> {outputs: [{output, score}]}.
    http = client(start("symmetry."))
    outputs = http.post("/generate", json={"name": "m", "input": STATE, "prefix": ""}).json()["outputs"]
    assert outputs and all(set(o) == {"output", "score"} and 0 <= o["score"] <= 1 for o in outputs)
    answer = http.post("/encode", json={"name": "m", "input": STATE})
    assert answer.status_code == 400 and "no model" in answer.json()["error"]


PROMPT = f"/- Prove it. -/\n[STATE]\n⊢ 1 = 2\n[/STATE]\n[TAC]\nx\n[/TAC]\n[STATE]\n{STATE}\n[/STATE]\n[TAC]\n"


def test_ollama(start, client):
    # LLMLean's LLMlean/API.lean: generate with raw and stream false, many times the same prompt.
    http = client(start("symmetry.", "subst."))
    options = {"temperature": 0.7, "stop": ["[/TAC]"], "num_predict": 100}
    body = {"model": "m", "prompt": PROMPT, "options": options, "raw": True, "stream": False}
    answers = [http.post("/api/generate", json=body).json() for _ in range(4)]
    assert all(a["done"] and a["model"] == "m" for a in answers)
    texts = [a["response"] for a in answers]
    assert "" not in texts and len(set(texts)) > 1
    lines = http.post("/api/generate", json={**body, "stream": True}).text.splitlines()
    parts = [json.loads(line) for line in lines]
    assert [p["done"] for p in parts] == [False, True] and parts[0]["response"] in texts
    assert http.get("/api/tags").json()["models"][0]["name"] == "ntp"
