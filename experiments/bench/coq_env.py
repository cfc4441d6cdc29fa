"""What the Coq environment costs over a bare coqidetop, and what a worker needs.

Every fifth proof of three standard-library files is stepped tactic by tactic through `CoqEnv`, and replayed
by a bare client that knows the whole proof: it writes ahead, awaits no answer in between and parses
nothing. Both start from the theorem just opened and run the same tactics with the same goal queries; the
sides take turns on each theorem, three times after one to warm up. After the last tactic both close the
proof with Qed and ask `Print Assumptions`, for which Coq walks through all that the proof rests on. That
dwarfs everything else, so it is told apart:

    step_overhead   ours / bare over every tactic but the last of each proof, the worst of all versions
    last_step       ours / bare over the last tactics, with Qed and the question on both sides
    with_verdict    ours / bare over all tactics and Qed, with the question on our side alone

All but step_overhead is of the installed Coq; figures.versions names those that are here (`make provers`).

    python experiments/bench/coq_env.py
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from ntp.config.register import PROJECT_ROOT
from ntp.envs.coq import protocol
from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.installation import PROVERS, CoqInstallation
from ntp.envs.coq.project import CoqProject, standard_library
from ntp.envs.coq.syntax import is_structure, sentences
from ntp.envs.pool import EnvPool, PooledSession
from ntp.types import Outcome, Proved, Reached, Span, Theorem

FILES = ("Lists/List.v", "Arith/PeanoNat.v", "ZArith/Znumtheory.v")
NUM_ROUNDS = 3
# Of every so many proofs one is compared: all of them, on three versions, would take too long.
STRIDE = 5
TIMEOUT_S = 60
OPENS = re.compile(r"Proof\s*(\.|using|with)")
CLOSES = re.compile(r"(Qed|Defined|Admitted|Abort)\b")


@dataclass(frozen=True)
class Proof:
    """A theorem, the sentence that opens its proof, and its tactics without bullets and braces."""

    theorem: Theorem
    opening: str
    tactics: tuple[str, ...]


def read_proofs(project: CoqProject, file: str) -> list[Proof]:
    """The proofs of a file, last first."""
    found = list(sentences(project.read(file)))
    proofs = []
    for index in range(len(found) - 1):
        statement, opening = found[index : index + 2]
        if OPENS.match(opening.text):
            end = next(i for i in range(index, len(found)) if CLOSES.match(found[i].text))
            span = Span(statement.span.end, found[end].span.end)
            theorem = Theorem(f"{file}:{statement.span.begin}", file, statement.text, statement.span, span)
            tactics = tuple(s.text for s in found[index + 2 : end] if not is_structure(s.text))
            proofs.append(Proof(theorem, opening.text, tactics))
    return proofs[::-1]


def step_through(env: CoqEnv, proof: Proof) -> tuple[int, Outcome | None]:
    """Step a proof through our environment: how many steps, and the last outcome."""
    session = env.open(proof.theorem)
    state, outcome = session.root, None
    for count, tactic in enumerate(proof.tactics, 1):
        outcome = session.step(state, tactic)
        if not isinstance(outcome, Reached):
            return count, outcome
        state = outcome.state
    return len(proof.tactics), outcome


class Bare:
    """A coqidetop with a whole file loaded, replaying proofs in one write each."""

    def __init__(self, project: CoqProject, file: str) -> None:
        found = list(sentences(project.read(file)))
        self.top = CoqIdeTop(project, file)
        states, failed = self.top.load([sentence.text for sentence in found], TIMEOUT_S)
        assert failed is None, failed
        self._before = {s.span.begin: state for s, state in zip(found[1:], states, strict=False)}
        self._tip, self._next = states[-1], states[-1] + 1

    def open(self, proof: Proof) -> None:
        """Go back to a theorem and state it."""
        self._tip = self._before[proof.theorem.declaration.begin]
        self._run([proof.theorem.statement, proof.opening], [protocol.edit_at(self._tip)])

    def run(self, texts: Sequence[str]) -> None:
        """Sentences, and the goals after each, in one write."""
        self._run(texts, [])

    def ask(self, proof: Proof) -> None:
        """What the proof rests on."""
        self._exchange([protocol.query(f"Print Assumptions {name_of(proof)}.", self._tip)])

    def _run(self, texts: Sequence[str], calls: list[str]) -> None:
        for text in texts:
            calls += [protocol.add(text, self._tip), protocol.GOAL]
            self._tip, self._next = self._next, self._next + 1
        if calls:
            self._exchange(calls)

    def _exchange(self, calls: list[str]) -> None:
        answer = self.top.process.exchange(protocol.join(calls), protocol.VALUE_END, len(calls), TIMEOUT_S)
        assert b'<value val="fail"' not in answer, answer[-500:]


@dataclass
class Seconds:
    """Time spent on some proofs: all tactics but the last, the last one with Qed, and the question."""

    ours: float = 0.0
    ours_last: float = 0.0
    bare: float = 0.0
    bare_last: float = 0.0
    question: float = 0.0

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def compare(project: CoqProject, file: str) -> tuple[list[Seconds], list[Proof]]:
    """The seconds of each round over a file's proofs, and those proofs; loading the file is not counted."""
    env, bare = CoqEnv(project, TIMEOUT_S), Bare(project, file)
    rounds, compared = [Seconds()] * NUM_ROUNDS, []
    for proof in read_proofs(project, file)[::STRIDE]:
        # A few proofs need their bullets, or do without their last tactics: both sides run the others.
        if not name_of(proof) or step_through(env, proof) != (len(proof.tactics), Proved()):
            continue
        compared.append(proof)
        rounds = [total + ours_on(env, proof) + bare_on(bare, proof) for total in rounds]
    env.close()
    bare.top.close()
    return rounds, compared


def ours_on(env: CoqEnv, proof: Proof) -> Seconds:
    session = env.open(proof.theorem)
    state, times = session.root, [time.perf_counter()]
    for tactic in proof.tactics[:-1]:
        outcome = session.step(state, tactic)
        assert isinstance(outcome, Reached), outcome
        state = outcome.state
    times.append(time.perf_counter())
    assert session.step(state, proof.tactics[-1]) == Proved()
    times.append(time.perf_counter())
    return Seconds(ours=times[1] - times[0], ours_last=times[2] - times[1])


def bare_on(bare: Bare, proof: Proof) -> Seconds:
    bare.open(proof)
    times = [time.perf_counter()]
    for part in (proof.tactics[:-1], (proof.tactics[-1], "Qed.")):
        bare.run(part)
        times.append(time.perf_counter())
    bare.ask(proof)
    times.append(time.perf_counter())
    steps, last, question = (after - before for before, after in pairwise(times))
    return Seconds(bare=steps, bare_last=last, question=question)


def name_of(proof: Proof) -> str:
    """The name that a statement gives, empty when it gives none."""
    match = re.match(r"(?:(?:Global|Local|Program)\s+)*\w+\s+([\w']+)", proof.theorem.statement)
    return match[1] if match else ""


def steps_per_second(project: CoqProject, num_workers: int) -> float:
    """Throughput of a pool on the proofs of List.v, a theorem per worker, opening and verdicts included."""
    proofs = read_proofs(project, FILES[0])
    with EnvPool(functools.partial(CoqEnv, project, TIMEOUT_S), num_workers) as pool:
        run_batch(pool, proofs[:num_workers])  # Loads the file.
        started = time.perf_counter()
        begins = range(num_workers, len(proofs), num_workers)
        num_steps = sum(run_batch(pool, proofs[begin : begin + num_workers]) for begin in begins)
        return num_steps / (time.perf_counter() - started)


def run_batch(pool: EnvPool, proofs: list[Proof]) -> int:
    """Step some theorems at once, each to the end of its proof; returns the number of steps."""
    sessions = [s for s in pool.open_many([p.theorem for p in proofs]) if isinstance(s, PooledSession)]
    live = [(session, session.root, iter(p.tactics)) for session, p in zip(sessions, proofs, strict=True)]
    while live:
        steps = [(lane, tactic) for lane in live if (tactic := next(lane[2], None)) is not None]
        outcomes = pool.step_many([(session, state, tactic) for (session, state, _), tactic in steps])
        live = [
            (session, outcome.state, rest)
            for ((session, _, rest), _), outcome in zip(steps, outcomes, strict=True)
            if isinstance(outcome, Reached)
        ]
    for session in sessions:
        session.close()
    return sum(session.num_env_steps for session in sessions)


def jump_ms(project: CoqProject) -> dict[str, float]:
    """Milliseconds of a step: at the tip, from a state ten steps up the tree, from one ten deep elsewhere."""
    env = CoqEnv(project, TIMEOUT_S)
    proof = next(proof for proof in read_proofs(project, FILES[0]) if len(proof.tactics) > 12)
    session = env.open(proof.theorem)
    states = [session.root]
    for tactic in proof.tactics[:10]:
        outcome = session.step(states[-1], tactic)
        assert isinstance(outcome, Reached), outcome
        states.append(outcome.state)
    fresh = (f"idtac {number}." for number in itertools.count())
    seconds: dict[str, list[float]] = {"tip": [], "up": [], "across": []}
    for _ in range(50):
        for name, state in (("across", states[-1]), ("tip", None), ("up", states[0])):
            started = time.perf_counter()
            outcome = session.step(state or outcome.state, next(fresh))
            seconds[name].append(time.perf_counter() - started)
            assert isinstance(outcome, Reached), outcome
    env.close()
    return {f"step_{name}_ms": 1000 * median(values) for name, values in seconds.items()}


def start_ms(project: CoqProject) -> float:
    """Milliseconds from nothing to a coqidetop that answers."""
    seconds = []
    for _ in range(9):
        started = time.perf_counter()
        CoqIdeTop(project, FILES[0]).close()
        seconds.append(time.perf_counter() - started)
    return 1000 * median(seconds)


def resident_mb(project: CoqProject, file: str) -> float:
    """Resident memory of a worker that has loaded a file and stepped through its last proof."""
    env = CoqEnv(project, TIMEOUT_S)
    step_through(env, read_proofs(project, file)[0])
    memory_mb = env.memory_mb
    env.close()
    return memory_mb


def find_projects() -> dict[str, CoqProject]:
    """The standard library of every Coq that is here, by version: the installed one first."""
    sysroots = sorted(directory.parent for directory in (PROJECT_ROOT / PROVERS).glob("*/usr"))
    installations = [CoqInstallation(), *(CoqInstallation(sysroot=sysroot) for sysroot in sysroots)]
    return {installation.version: standard_library(installation) for installation in installations}


def compare_files(project: CoqProject) -> tuple[list[Seconds], dict[str, float]]:
    """The seconds of each round over the proofs of all files, and figures of each file."""
    totals, figures = [Seconds()] * NUM_ROUNDS, {}
    for file in FILES:
        rounds, proofs = compare(project, file)
        totals = [total + one for total, one in zip(totals, rounds, strict=True)]
        stem = Path(file).stem
        figures[f"{stem}_steps"] = sum(len(proof.tactics) for proof in proofs)
        figures[f"{stem}_overhead"] = median(one.ours / one.bare for one in rounds)
        figures[f"{stem}_question_ms"] = 1000 * median(one.question for one in rounds) / len(proofs)
    return totals, figures


def main() -> None:
    projects = find_projects()
    installed = next(iter(projects.values()))
    figures: dict[str, Any] = {"versions": list(projects), "start_ms": start_ms(installed)}
    figures |= jump_ms(installed)
    for num_workers in (1, 2):
        figures[f"steps_per_s_{num_workers}"] = steps_per_second(installed, num_workers)
    totals, overheads = {}, {}
    for version, project in projects.items():
        totals[version], found = compare_files(project)
        overheads[version] = median(t.ours / t.bare for t in totals[version])
        figures[f"step_overhead_{version}"] = overheads[version]
        figures |= found if project is installed else {}
    figures |= {f"{Path(file).stem}_memory_mb": resident_mb(installed, file) for file in FILES}
    first = totals[figures["versions"][0]]
    ratios = {
        "step_overhead": max(overheads.values()),
        "last_step": median(t.ours_last / (t.bare_last + t.question) for t in first),
        "with_verdict": median((t.ours + t.ours_last) / (t.bare + t.bare_last) for t in first),
    }
    print(json.dumps({"bench": "coq_env", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
