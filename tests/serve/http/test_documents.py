import json
import time
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.coq

TEXT = "Lemma a (n m : nat) : n = m -> n + 0 = n /\\ m = n.\nProof.\n"


def events(text):
    """(event, data) pairs of server-sent events."""
    blocks = [
        dict(line.split(": ", 1) for line in b.splitlines())
        for b in text.replace("\r", "").split("\n\n")
        if b
    ]
    return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


def test_a_proof_is_written_with_suggestions_and_checked(start, client):
    http = client(start("intro H.", "split.", "symmetry."))
    opened = http.post("/api/documents", json={"text": TEXT})
    assert opened.status_code == 201
    url = f"/api/documents/{opened.json()['id']}"
    view = http.post(f"{url}/goals", json={"line": 2, "character": 0}).json()
    assert view["goals"] == [{"hypotheses": ["n, m : nat"], "conclusion": "n = m -> n + 0 = n /\\ m = n"}]
    assert view["statement"].startswith("Lemma a") and view["problem"] is None
    answer = http.post(f"{url}/suggestions", json={"line": 2, "character": 0}).json()
    assert answer["calibrated"] is False
    best = answer["suggestions"][0]
    assert best["kind"] == "proof" and best["probability"] == 1.0
    here = {"line": 2, "character": 0}
    change = {"begin": here, "end": here, "text": f"{best['text']}\nQed.\n"}
    assert http.put(url, json={"changes": [change]}).status_code == 200
    checked = http.post(f"{url}/check").json()
    assert checked == {"accepted": True, "problem": None, "open_statement": "", "axioms": []}
    assert http.get("/api/status").json()["num_documents"] == 1
    assert http.delete(url).status_code == 204
    assert http.post(f"{url}/check").status_code == 404


def test_partial_answers_come_as_events(start, client):
    http = client(start("intro H.", "split."))
    url = f"/api/documents/{http.post('/api/documents', json={'text': TEXT}).json()['id']}/suggestions"
    found = events(http.post(url, json={"line": 2, "character": 0, "stream": True}).text)
    kinds = [kind for kind, _ in found]
    assert kinds[0] == "suggestion" and kinds[-1] == "done"
    partial = [data["text"] for kind, data in found if kind == "suggestion"]
    assert sorted(partial) == sorted(s["text"] for s in found[-1][1]["suggestions"])
    refused = events(http.post(url, json={"line": 0, "character": 0, "stream": True}).text)
    assert refused == [("error", {"error": "no proof is open here", "status": 422})]


def test_a_refused_sentence_is_located(start, client):
    http = client(start())
    url = f"/api/documents/{http.post('/api/documents', json={'text': TEXT + 'nonsense.'}).json()['id']}"
    problem = http.post(f"{url}/goals", json={"line": 3, "character": 0}).json()["problem"]
    assert problem["begin"] == {"line": 2, "character": 0} and problem["end"] == {"line": 2, "character": 9}
    asked = http.post(f"{url}/suggestions", json={"line": 3, "character": 0})
    assert asked.status_code == 422 and "nonsense" in asked.json()["error"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_stops_the_work(start, client, make_copilot, stream):
    busy = "Lemma a : forall n m : nat, n = m.\nProof.\n"
    url = start(*(f"pose proof {i} as k; do 100000000 (idtac; idtac)." for i in range(64)))
    http = client(url)
    document = f"/api/documents/{http.post('/api/documents', json={'text': busy}).json()['id']}"
    ask = {"line": 2, "character": 0, "deadline_s": 60, "stream": stream, "num": 64}
    with pytest.raises(httpx.TimeoutException):
        httpx.post(f"{url}{document}/suggestions", json=ask, timeout=1.0)
    # The document is free for its next request long before the deadline of the one that was given up.
    started = time.monotonic()
    assert http.put(document, json={"text": TEXT}).status_code == 200
    assert http.post(f"{document}/goals", json={"line": 2, "character": 0}).json()["goals"]
    assert time.monotonic() - started < 50


def test_too_many_documents_are_refused_and_closing_makes_room(start, client):
    http = client(start(max_sessions=2))
    opened = [http.post("/api/documents", json={"text": TEXT}) for _ in range(3)]
    assert [answer.status_code for answer in opened] == [201, 201, 429]
    http.delete(f"/api/documents/{opened[0].json()['id']}")
    assert http.post("/api/documents", json={}).status_code == 201


def test_what_the_text_writes_stays_in_the_sandbox(start, client, tmp_path):
    target = tmp_path / "written"
    text = (
        f'Redirect "{target}" Check nat.\nDefinition a := 1.\nRedirect "here" Check nat.\nLemma b : 1 = 1.\n'
    )
    http = client(start())
    url = f"/api/documents/{http.post('/api/documents', json={'text': text}).json()['id']}"
    http.post(f"{url}/goals", json={"line": 9, "character": 0})
    assert not list(tmp_path.iterdir()) and not Path("here.out").exists()
