"""Eight clients of one copilot for ten minutes: edits, cancellations, clients that vanish.

The server is a process of its own. Afterwards every suggestion is checked once more in a prover that took no
part: a tactic must lead to the goals that were said, a proof must be accepted with its whole text. Memory is
that of the server with all its provers; no prover may outlive its document or the server.

    python experiments/bench/serve_soak.py [--seconds 600] [--checkpoint DIRECTORY]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import psutil

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.project import standard_library
from ntp.envs.live import View
from ntp.serve.buffer import Buffer

NUM_CLIENTS = 8
FILES = (
    "Arith/Factorial.v",
    "Bool/BoolEq.v",
    "Lists/ListTactics.v",
    "Logic/Eqdep_dec.v",
    "Sets/Relations_1_facts.v",
)
LEMMAS = (
    "Lemma soak_a (n m : nat) : n = m -> n + 0 = n /\\ m = n.",
    "Lemma soak_b (A B C : Prop) : (A -> B) -> (B -> C) -> A -> C /\\ B.",
    "Lemma soak_c (P Q : nat -> Prop) : (forall n, P n -> Q n) -> (exists n, P n) -> exists n, Q n.",
    "Lemma soak_d (a b : bool) : andb a b = true -> a = true /\\ b = true.",
    "Lemma soak_e (n : nat) : n = 0 \\/ exists m, n = S m.",
    "Lemma soak_f (A : Type) (x y z : A) : x = y -> z = y -> x = z.",
)


@dataclass
class Record:
    """What clients saw, shared by their threads."""

    suggestions: dict[tuple[str, str], dict] = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)
    memory_mb: list[float] = field(default_factory=list)
    provers: list[int] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


def client(url: str, seed: int, until: float, record: Record) -> None:
    """Write proofs with suggestions, badly behaved at times."""
    draw = random.Random(seed)
    stdlib = standard_library()
    with httpx.Client(base_url=url, timeout=120) as http:
        while time.monotonic() < until:
            text = stdlib.read(draw.choice(FILES)) if draw.random() < 0.5 else ""
            text += f"\n{draw.choice(LEMMAS)}\nProof.\n"
            answer = http.post("/api/documents", json={"text": text})
            record.counts[f"open {answer.status_code}"] += 1
            if answer.status_code != 201:
                time.sleep(0.5)
                continue
            document = f"/api/documents/{answer.json()['id']}"
            for _ in range(draw.randrange(1, 6)):
                text = one_request(http, document, text, draw, record)
            if draw.random() < 0.8:  # the others are left open, as by a client that vanished
                http.delete(document)
            else:
                record.counts["left open"] += 1


def one_request(http: httpx.Client, document: str, text: str, draw: random.Random, record: Record) -> str:
    """Ask for suggestions, go on with one of them, and return the new text."""
    lines = text.split("\n")
    ask = {
        "line": len(lines) - 1,
        "character": len(lines[-1]),
        "num": 8,
        "deadline_s": draw.choice([0.5, 2.0, 5.0]),
    }
    act = draw.random()
    found: list[dict] = []
    if act < 0.2:  # vanish at once
        with contextlib.suppress(httpx.TimeoutException):
            http.post(f"{document}/suggestions", json=ask, timeout=draw.uniform(0.02, 0.5))
        record.counts["vanished"] += 1
        return text
    with http.stream("POST", f"{document}/suggestions", json={**ask, "stream": True}) as answer:
        record.counts[f"suggestions {answer.status_code}"] += 1
        for line in answer.iter_lines():
            if line.startswith("data: "):
                data = json.loads(line[6:])
                if "text" in data:
                    found.append(data)
                elif "error" in data:
                    record.counts[f"error {data['status']}"] += 1
            if act < 0.4 and found:  # cancel after the first
                record.counts["cancelled"] += 1
                break
    with record.lock:
        for suggestion in found:
            record.suggestions[text, suggestion["text"]] = suggestion
    if found:
        text += draw.choice(found)["text"] + "\n"
    elif draw.random() < 0.3:
        text += "nonsense.\n"
    if draw.random() < 0.2:  # an edit somewhere before
        text = text.replace("Proof.", "Proof. idtac.", 1)
    status = http.put(document, json={"text": text}).status_code
    record.counts[f"edit {status}"] += 1
    return text


def watch(server: psutil.Process, until: float, record: Record) -> None:
    """Measure memory and count provers."""
    while time.monotonic() < until:
        with contextlib.suppress(psutil.Error):
            children = server.children(recursive=True)
            provers = [p for p in children if "coqidetop" in p.name()]
            record.pids.update(p.pid for p in provers)
            record.provers.append(len(provers))
            record.memory_mb.append(sum(p.memory_info().rss for p in [server, *children]) / 2**20)
        time.sleep(2)


def wrong(record: Record) -> list[str]:
    """The suggestions that a prover of its own does not confirm."""
    found = []
    buffer = Buffer(CoqEnvFactory(tactic_timeout_s=10).live(60))
    for (text, suggestion), said in sorted(record.suggestions.items()):
        is_proof = said["kind"] == "proof"
        buffer.edit(f"{text}{suggestion}\n{'Qed.' if is_proof else ''}")
        if is_proof:
            fine = buffer.check().accepted
        else:
            view = buffer.goals(buffer.position(len(buffer.text)))
            # A bullet that is complete waits for the next one, which is not part of the suggestion.
            fine = view.problem is None and sorted(printed(view)) == sorted(said["goals_after"])
        if not fine:
            found.append(f"{text[-200:]!r} {said}")
    buffer.close()
    return found


def printed(view: View) -> list[str]:
    """All goals."""
    return [str(goal) for goal in (*view.goals, *view.unfocused)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--checkpoint", type=Path)
    given = parser.parse_args()
    command = [
        sys.executable,
        "-m",
        "ntp.run",
        "+experiment=serve",
        "serve.http.port=0",
        "serve.sessions.idle_s=20",
    ]
    command += [] if given.checkpoint is None else [f"policy.checkpoint={given.checkpoint}"]
    record = Record()
    process = subprocess.Popen(
        [*command, "serve.http.requests_per_s=1000"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip().rpartition(" ")[2]
    until = time.monotonic() + given.seconds
    threads = [
        threading.Thread(target=client, args=(url, seed, until, record)) for seed in range(NUM_CLIENTS)
    ]
    threads.append(threading.Thread(target=watch, args=(psutil.Process(process.pid), until, record)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lives = httpx.get(f"{url}/api/status", timeout=60).status_code == 200
    time.sleep(40)  # documents that were left open are idle by now
    left_open = len(
        [p for p in psutil.Process(process.pid).children(recursive=True) if "coqidetop" in p.name()]
    )
    process.send_signal(signal.SIGINT)
    process.wait(60)
    leaked = [pid for pid in record.pids if psutil.pid_exists(pid)]
    not_confirmed = wrong(record)
    for line in not_confirmed[:10]:
        print("not confirmed:", line)
    print(dict(record.counts))
    third = max(1, len(record.memory_mb) // 3)
    figures = {
        "seconds": given.seconds,
        "suggestions": len(record.suggestions),
        "proofs": sum(s["kind"] == "proof" for s in record.suggestions.values()),
        "not_confirmed": len(not_confirmed),
        "provers_started": len(record.pids),
        "provers_most": max(record.provers, default=0),
        "provers_of_idle_documents": left_open,
        "provers_leaked": len(leaked),
        "server_lives": int(lives),
        "memory_mb_most": max(record.memory_mb, default=0.0),
    }
    ratios = {
        "memory_last_to_first_third": median(record.memory_mb[-third:]) / median(record.memory_mb[:third])
    }
    print(json.dumps({"bench": "serve_soak", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
