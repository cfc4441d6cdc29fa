import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ntp.envs.coq import CoqEnv
from ntp.envs.coq_project import CoqProject, standard_library
from ntp.envs.coq_syntax import is_structure, sentences
from ntp.envs.limits import Limits
from ntp.envs.sandbox import SANDBOXES, trouble_of
from ntp.types import Span, Theorem

OPENS = re.compile(r"Proof\s*(\.|using|with)")
CLOSES = re.compile(r"(Qed|Defined|Admitted|Abort)\b")


def proofs_in(file: str, source: str) -> list[tuple[Theorem, list[str]]]:
    """Theorems with an explicit `Proof` in a source, each with its tactics (bullets and braces left out)."""
    found = list(sentences(source))
    proofs = []
    for index, sentence in enumerate(found[:-1]):
        if not OPENS.match(found[index + 1].text):
            continue
        end = next(i for i in range(index, len(found)) if CLOSES.match(found[i].text))
        tactics = [s.text for s in found[index + 2 : end] if not is_structure(s.text)]
        span = sentence.span
        name = f"{file}:{span.begin}"
        proof = Span(span.end, found[end].span.end)
        proofs.append((Theorem(name, file, sentence.text, span, proof), tactics))
    return proofs


@pytest.fixture(scope="session")
def stdlib() -> CoqProject:
    if shutil.which("coqidetop.opt") is None:
        pytest.skip("Coq is not installed")
    return standard_library()


@pytest.fixture(scope="session")
def proofs():
    return proofs_in


@pytest.fixture
def write_project(tmp_path: Path):
    """Writes sources into a fresh project: `write_project({"A.v": "..."})`."""

    def write(files: dict[str, str]) -> CoqProject:
        for name, source in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return CoqProject(tmp_path)

    return write


@pytest.fixture(params=SANDBOXES)
def isolation(request) -> str:
    """Every way to keep a prover apart that works on this machine."""
    trouble = trouble_of(request.param)
    if trouble:
        pytest.skip(f"{request.param}: {trouble}")
    return request.param


@pytest.fixture
def open_env() -> Iterator:
    """Makes environments that are closed after the test."""
    made: list[CoqEnv] = []

    def make(project: CoqProject, tactic_timeout_s: int = 2, limits: Limits | None = None) -> CoqEnv:
        made.append(CoqEnv(project, tactic_timeout_s, limits))
        return made[-1]

    yield make
    for env in made:
        env.close()
