"""The provers that the contract is held against, each with its own words for the same things."""

import functools
import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.installation import CoqInstallation
from ntp.envs.coq.project import CoqProject
from ntp.envs.lean.factory import LeanReplFactory
from ntp.sandbox.limits import Limits
from ntp.types import Span, Theorem
from tests.fixtures.provers import INSTALLATIONS, find_installation

HOSTILE = json.loads(Path(__file__).with_name("hostile.json").read_text(encoding="utf-8"))
STANDIN = Path(__file__).parents[2] / "standin"
# Long beside what a busy machine may stand still for.
TIMEOUT_S = 3
# Coq prints deep terms as dots, so there the names are what is long.
LONG_NAME = "a" * 6000
MANY_NAMES = " ".join(f"a_proposition_with_a_long_name_{i}" for i in range(1000))

COQ_STATEMENTS = {
    "swap": "Lemma swap : forall p q : Prop, p /\\ q -> q /\\ p.",
    "wrong": "Lemma wrong : forall n : nat, n = 0.",
    "easy": "Lemma easy : 1 = 1.",
    "unicode": "Lemma unicode : forall α β : Prop, α -> β -> α.",
    "huge": f"Lemma huge : forall {LONG_NAME} : Prop, True /\\ ({LONG_NAME} -> {LONG_NAME}).",
    "either": "Lemma either : forall p : Prop, p \\/ ~ p.",
}
LEAN_STATEMENTS = {
    "swap": "theorem swap (p q : Prop) : p ∧ q → q ∧ p",
    "wrong": "theorem wrong (n : Nat) : n = 0",
    "easy": "theorem easy : 1 = 1",
    "unicode": "theorem unicode (α β : Prop) : α → β → α",
    "huge": f"theorem huge ({MANY_NAMES} : Prop) : True ∧ True",
    "either": "theorem either (p : Prop) : p ∨ ¬p",
}


@dataclass(frozen=True)
class Backend:
    """A prover with its words: `proof` proves swap in four steps, `both` in one."""

    name: str
    make_env: object
    theorems: dict
    proof: tuple
    both: str
    idle: str
    wrong_name: str
    no_such_lemma: str
    prove_easy: str
    unicode_proof: tuple
    classical: tuple
    split: str
    goal_after_intro: str


def coq(root: Path, installation: CoqInstallation) -> Backend:
    sources = {name: f"{text}\nProof. Admitted.\n" for name, text in COQ_STATEMENTS.items()}
    sources["either"] = f"Axiom cheap : forall p : Prop, p \\/ ~ p.\n{sources['either']}"
    theorems = {}
    for name, source in sources.items():
        # A file each: no theorem can be had from another one.
        (root / f"{name}.v").write_text(source)
        text = COQ_STATEMENTS[name]
        begin = source.index(text)
        span = Span(begin, begin + len(text))
        theorems[name] = Theorem(name, f"{name}.v", text, span, Span(span.end, len(source) - 1))
    return Backend(
        "coq",
        functools.partial(CoqEnv, CoqProject(root, prover=installation), TIMEOUT_S, Limits(memory_mb=2048)),
        theorems,
        ("intros p q H.", "split.", "apply H.", "apply H."),
        "intros p q [a b]; split; assumption.",
        "idtac.",
        "wrong",
        "exact no_such_lemma.",
        "reflexivity.",
        ("intros α β a b.", "exact a."),
        ("exact cheap.",),
        "split.",
        "p, q : Prop\nH : p /\\ q\n⊢ q /\\ p",
    )


def lean(name: str, **options) -> Backend:
    factory = LeanReplFactory(tactic_timeout_s=TIMEOUT_S, **options)
    theorems = {
        key: Theorem(key, f"{key}.lean", text, Span(0, 0), Span(0, 0))
        for key, text in LEAN_STATEMENTS.items()
    }
    return Backend(
        name,
        factory,
        theorems,
        ("intro h", "constructor", "exact h.2", "exact h.1"),
        "exact fun h => ⟨h.2, h.1⟩",
        "skip",
        "wrong",
        "exact no_such_lemma",
        "rfl",
        ("intro a b", "exact a"),
        ("by_cases h : p", "left", "exact h", "right", "exact h"),
        "constructor",
        "h : p ∧ q\n⊢ q ∧ p",
    )


def real_lean() -> Backend:
    command = os.environ.get("NTP_LEAN_COMMAND", "lake exe repl")
    return lean("lean", command=shlex.split(command), project=os.environ.get("NTP_LEAN_PROJECT"))


def standin_command(*options: str) -> list[str]:
    return [sys.executable, "-S", "-E", str(STANDIN), *options]


BACKENDS = [
    *(pytest.param(name, marks=pytest.mark.coq) for name in INSTALLATIONS),
    pytest.param("standin"),
    pytest.param("lean", marks=pytest.mark.lean),
]


@pytest.fixture(scope="session")
def backend(request, tmp_path_factory) -> Backend:
    if request.param in INSTALLATIONS:
        return coq(tmp_path_factory.mktemp("contract"), find_installation(request.param))
    if request.param == "standin":
        return lean("standin", command=standin_command())
    return real_lean()


@pytest.fixture(scope="session")
def env(backend):
    """One environment for every case that does it no lasting harm."""
    made = backend.make_env()
    yield made
    made.close()


@pytest.fixture
def own_env(backend):
    made = backend.make_env()
    yield made
    made.close()


def pytest_generate_tests(metafunc):
    """Every case over every backend; hostile texts over the ones that they are written for."""
    if "hostile_text" not in metafunc.fixturenames:
        if "backend" in metafunc.fixturenames:
            metafunc.parametrize("backend", BACKENDS, indirect=True, scope="session")
        return
    cases = []
    for language, names in (("coq", INSTALLATIONS), ("lean", ("standin", "lean"))):
        for name in names:
            mark = "coq" if language == "coq" else name
            marks = [getattr(pytest.mark, mark)] if mark != "standin" else []
            cases += [
                pytest.param(name, text, marks=marks, id=f"{name}-{ascii(text)[1:40]}-{i}")
                for i, text in enumerate(HOSTILE[language])
            ]
    metafunc.parametrize(("backend", "hostile_text"), cases, indirect=["backend"], scope="session")
