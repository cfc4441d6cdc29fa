"""What provers print: Coq's proof terms, and the first-order problems that CoqHammer writes."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.project import CoqProject, standard_library
from ntp.envs.coq.protocol import Failure
from ntp.errors import EnvError
from ntp.formalization.alignment.sources.documents import MAX_CHARS, Document
from ntp.sandbox.process import DeadlineExceededError, ProcessDiedError

_TIMEOUT_S = 120.0
_HAMMER_TIMEOUT_S = 300.0
_BATCH = 50
_BLANKS = re.compile(r"\s+")
# The hammer keeps its problems in this mode. No search of its own, so that it writes one, and no
# time for provers, whose answers are not wanted.
_HAMMER = """From Hammer Require Import Hammer.
Require Import Arith List ZArith Sorted Relations.
Set Hammer Debug.
Set Hammer SAutoLimit 0.
Set Hammer GSMode 0.
Set Hammer ATPLimit 1.
Set Hammer ReconstrLimit 1.
Goal forall (A : Type) (l : list A), rev (rev l) = l. try hammer. Abort.
"""


def proof_terms(
    theorems: Mapping[str, Sequence[str]], max_chars: int, project: CoqProject | None = None
) -> Iterator[Document]:
    """The terms of theorems as Coq prints them, one `Print` each; what it cannot print is left out.

    Args:
        theorems: Fully qualified names of theorems, by the module that they are in.
        max_chars: Characters of terms after which no further module is loaded.
        project: The standard library that the modules are of; None for the installed one.

    Raises:
        EnvError: Coq is not installed.
    """
    project = project or standard_library()
    left = max_chars
    for module, names in theorems.items():
        if left <= 0:
            return
        for name, text in _printed(project, module, names).items():
            term = _BLANKS.sub(" ", text.partition("\nArguments ")[0])[:MAX_CHARS]
            yield Document(term, name)
            left -= len(term)


def _printed(project: CoqProject, module: str, names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    with CoqIdeTop(project, "ntp_terms.v") as coq:
        try:
            coq.run(f"Require {module}.", _TIMEOUT_S)
            for begin in range(0, len(names), _BATCH):
                batch = names[begin : begin + _BATCH]
                answers = coq.query_all([f"Print {name}." for name in batch], _TIMEOUT_S)
                for name, answer in zip(batch, answers, strict=True):
                    if not isinstance(answer, Failure):
                        found[name] = "\n".join(answer)
        except (DeadlineExceededError, ProcessDiedError):
            pass  # a term too long to print; what came before it is kept
    return found


def tptp(compiler: str = "coqc") -> Iterator[Document]:
    """First-order formulas of the standard library, as CoqHammer writes them for first-order provers.

    Raises:
        EnvError: Coq or CoqHammer is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="ntp-tptp-") as name:
        directory = Path(name)
        _run_hammer(compiler, directory)
        problems = sorted(directory.glob("coqhammer*.p"))
        if not problems:
            raise EnvError("CoqHammer wrote no problem: `apt-get install libcoq-hammer`")
        for problem in problems:
            for line in problem.read_text(errors="replace").splitlines():
                if line.startswith("fof("):
                    yield Document(line, "coq-hammer")


def _run_hammer(compiler: str, directory: Path) -> None:
    file = directory / "problem.v"
    file.write_text(_HAMMER)
    try:
        subprocess.run(
            [compiler, "-q", file.name],
            cwd=directory,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": str(directory), "HOME": str(directory)},
            capture_output=True,
            timeout=_HAMMER_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise EnvError(f"{compiler} was not found: `apt-get install coq libcoq-hammer`") from None
    except subprocess.TimeoutExpired:
        raise EnvError(f"CoqHammer wrote its problems not within {_HAMMER_TIMEOUT_S:g} s") from None
