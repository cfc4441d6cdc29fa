"""Requests that mean harm: each is answered with a clear status, and the server lives."""

import socket
import threading
import time

import httpx
import psutil
import pytest

from ntp.errors import ConfigError, EnvError
from ntp.serve.http.app import serve
from ntp.serve.http.options import HttpOptions, require_token
from tests.serve.conftest import Scripted

pytestmark = pytest.mark.coq

LEMMA = "Lemma a : forall n m : nat, n = m.\nProof.\n"
HERE = {"line": 2, "character": 0}
JSON = {"content-type": "application/json"}

# (method, path, how the request is made, status). `{id}` is an open document.
REQUESTS = [
    ("POST", "/api/documents", {"content": b"{"}, 400),
    ("POST", "/api/documents", {"content": b""}, 400),
    ("POST", "/api/documents", {"content": b"\xff\xfe\x00"}, 400),
    ("POST", "/api/documents", {"content": b"[" * 50_000}, 400),
    ("POST", "/api/documents", {"content": b"null"}, 400),
    ("POST", "/api/documents", {"json": {"text": 5}}, 400),
    ("POST", "/api/documents", {"json": {"text": "x", "file": "/etc/passwd"}}, 400),
    ("POST", "/api/documents", {"content": b"x" * 70_000}, 413),
    ("POST", "/api/documents", {"content": iter([b"x" * 40_000, b"y" * 40_000])}, 413),
    ("POST", "/api/documents", {"json": {"changes": [1]}}, 400),
    ("GET", "/api/documents/../../etc/passwd", {}, 404),
    ("GET", "/static/..%2f..%2fetc%2fpasswd", {}, 404),
    ("GET", "/api/documents/%2e%2e%2f%2e%2e", {}, 404),
    ("PUT", "/api/documents/..%2f..%2fetc", {"json": {"text": "x"}}, 404),
    ("PUT", "/api/documents/nobody", {"json": {"text": "x"}}, 404),
    ("POST", "/api/documents/nobody/goals", {"json": HERE}, 404),
    ("POST", "/api/documents/nobody/suggestions", {"json": {**HERE, "stream": True}}, 404),
    ("GET", "/api/documents", {}, 405),
    ("DELETE", "/", {}, 405),
    ("TRACE", "/api/status", {}, 405),
    ("POST", "/api/documents/{id}/goals", {"json": {"line": "x", "character": 0}}, 400),
    ("POST", "/api/documents/{id}/goals", {"json": {"line": 10**30, "character": 0}}, 400),
    ("POST", "/api/documents/{id}/goals", {"json": {"line": -5, "character": -5}}, 200),
    ("POST", "/api/documents/{id}/suggestions", {"json": {**HERE, "num": 10**6}}, 400),
    ("POST", "/api/documents/{id}/suggestions", {"json": {**HERE, "num": 0}}, 400),
    ("POST", "/api/documents/{id}/suggestions", {"json": {**HERE, "deadline_s": -1}}, 400),
    ("POST", "/api/documents/{id}/suggestions", {"json": {**HERE, "deadline_s": "inf"}}, 400),
    ("POST", "/api/documents/{id}/suggestions", {"json": {"line": 0, "character": 0}}, 422),
    ("PUT", "/api/documents/{id}", {"json": {"changes": [{"begin": 1, "end": 2, "text": "x"}]}}, 400),
    ("PUT", "/api/documents/{id}", {"json": {"text": "\x00\x01 \ud7ff Lemma" + "(" * 20_000}}, 200),
    ("PUT", "/api/documents/{id}", {"json": {"text": LEMMA}}, 200),
    ("POST", "/", {"content": b"{}"}, 400),
    ("POST", "/", {"json": {"tactic_state": "⊢ " + "(" * 20_000, "prefix": "", "context": ""}}, 200),
    ("POST", "/generate", {"json": {"input": ["a"]}}, 400),
    ("POST", "/v1/chat/completions", {"json": {"messages": "hello"}}, 400),
    ("POST", "/v1/chat/completions", {"json": {"messages": [], "n": 65}}, 400),
    ("POST", "/v1/completions", {"json": {"prompt": ["⊢ a"] * 65}}, 400),
    ("POST", "/api/generate", {"json": {"model": "x"}}, 400),
    ("GET", "/api/status", {"headers": {"host": "evil.example"}}, 403),
    ("POST", "/api/documents", {"headers": {"origin": "http://evil.example"}, "json": {}}, 403),
]


def test_forty_hostile_requests_are_answered_and_the_server_lives(start, client):
    assert len(REQUESTS) == 40
    http = client(start("intro n.", http={"max_request_kb": 64}))
    id = http.post("/api/documents", json={"text": LEMMA}).json()["id"]
    got = []
    for method, path, how, _ in REQUESTS:
        answer = http.request(method, path.replace("{id}", id), **how)
        assert answer.status_code < 400 or answer.status_code == 405 or answer.text, path
        got.append((method, path, answer.status_code))
    assert got == [(method, path, status) for method, path, _, status in REQUESTS]
    answer = http.post(f"/api/documents/{id}/suggestions", json={**HERE, "deadline_s": 30})
    assert [s["text"] for s in answer.json()["suggestions"]][:1] == ["intro n."]


TACTICS = [
    'Redirect "{dir}/a" idtac.',
    'Extraction "{dir}/b" nat.',
    'Cd "{dir}". idtac.',
    "Admitted.",
    "admit.",
    "1: give_up.",
    "Fail idtac.",
    "idtac. Qed. Lemma c : False.",
    "#[local] idtac.",
    "repeat (idtac; pose proof 0).",
    "let rec f n := f (S n) in f 0.",
    "do 100000 (idtac; pose proof 0).",
    "Unset Guard Checking.",
    "Axiom x : False.",
    "(* unfinished",
    'idtac "unfinished.',
    "\x00intro.",
]


def test_hostile_tactics_are_not_suggested_and_do_no_harm(start, client, tmp_path):
    tactics = [tactic.replace("{dir}", str(tmp_path)) for tactic in TACTICS]
    http = client(start(*tactics, "intros n m."))
    text = "Lemma a : forall n m : nat, n = m /\\ False.\nProof.\n"
    url = f"/api/documents/{http.post('/api/documents', json={'text': text}).json()['id']}"
    asked = {**HERE, "num": len(TACTICS) + 1, "deadline_s": 60}
    answer = http.post(f"{url}/suggestions", json=asked)
    assert [s for s in answer.json()["suggestions"] if s["kind"] == "proof"] == []
    assert not {s["text"] for s in answer.json()["suggestions"]} & set(TACTICS[:9])
    assert not list(tmp_path.iterdir())
    assert http.post(f"{url}/goals", json=HERE).json()["goals"][0]["conclusion"].startswith("forall n m")


def test_a_thousand_sessions_are_refused_and_start_no_provers(start, client):
    http = client(start(max_sessions=4))
    before = len(psutil.Process().children(recursive=True))
    statuses = [http.post("/api/documents", json={"text": LEMMA}).status_code for _ in range(1000)]
    assert statuses == [201] * 4 + [429] * 996
    assert len(psutil.Process().children(recursive=True)) == before
    assert http.get("/api/status").json()["num_documents"] == 4


def test_a_token_is_asked_for_everywhere_but_on_the_page(start, client):
    url = start(token="secret")
    http = client(url)
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "secret\u00e9".encode()}):
        for path in ("/api/documents", "/", "/v1/completions", "/generate"):
            assert http.post(path, json={}, headers=headers).status_code in (401,), path
    assert http.get("/v1/models", headers={"authorization": "Bearer secret"}).status_code == 200
    assert http.get("/").status_code in (200, 405)  # a page, where there is one
    # With a token the server may have any name.
    named = {"authorization": "Bearer secret", "host": "prover.example"}
    assert http.get("/v1/models", headers=named).status_code == 200


def test_a_client_that_asks_too_often_waits(start, client):
    http = client(start(http={"requests_per_s": 2.0, "burst": 5}))
    statuses = {http.get("/api/status").status_code for _ in range(40)}
    assert statuses == {200, 429}
    deadline = time.monotonic() + 60
    while http.get("/api/status").status_code == 429:
        assert time.monotonic() < deadline
        time.sleep(0.7)


def test_a_body_that_does_not_arrive_is_given_up(start):
    host, port = start(http={"body_timeout_s": 0.3}).removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        slow.sendall(b"POST /api/documents HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\n{")
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_is_said_to_be_huge_is_refused_before_it_comes(start):
    host, port = start().removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n")
        assert slow.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_more_work_than_allowed_is_refused(start, client):
    class Held(Scripted):
        """Proposes for one state; for the next it waits."""

        def sample(self, requests):
            if first.is_set():
                assert released.wait(60)
            first.set()
            return super().sample(requests)

    first, released = threading.Event(), threading.Event()
    url = start(proposer=Held("intro n."), http={"max_running": 1})
    http = client(url)
    document = f"/api/documents/{http.post('/api/documents', json={'text': LEMMA}).json()['id']}"
    ask = {**HERE, "deadline_s": 60, "stream": True}
    with httpx.stream("POST", f"{url}{document}/suggestions", json=ask, timeout=60) as busy:
        next(busy.iter_lines())
        assert http.post(f"{document}/goals", json=HERE).status_code == 503
        assert http.get("/api/status").status_code == 200
        released.set()


def test_other_machines_need_a_token():
    with pytest.raises(ConfigError, match="NTP_SERVE_TOKEN"):
        require_token(HttpOptions(host="0.0.0.0"), None)
    require_token(HttpOptions(host="0.0.0.0"), "secret")
    for host in ("127.0.0.1", "localhost", "::1"):
        require_token(HttpOptions(host=host), None)


def test_an_address_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvError, match=f"127.0.0.1:{port}: .*serve.http.port"):
            serve(None, HttpOptions(port=port), print)  # pyright: ignore[reportArgumentType]
