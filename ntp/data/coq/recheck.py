"""Checks written data against the prover: sources are compiled again, proofs are executed again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.syntax import CoqSyntaxError, executable, sentences
from ntp.errors import EnvError, NtpError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.sandbox.limits import Limits
from ntp.sandbox.process import ChildProcess

_STATUS = b"ntp-exit-status "
# Compiled in the temporary directory: beside the source it would replace what the project has.
_COMPILE = (
    'cp "$1" "$TMPDIR/$2.v" && shift && name=$1 && shift && "$@" -o "$TMPDIR/$name.vo" "$TMPDIR/$name.v" >&2 '
    '< /dev/null; echo "ntp-exit-status $?"'
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that was not accepted.

    Attributes:
        kind: Folder of the output.
        name: Module, or id of the theorem.
        reason: Why, in one line.
    """

    kind: str
    name: str
    reason: str


def compile_source(project: CoqProject, file: str, source: Path, timeout_s: float) -> str:
    """Compile a source in place of a file of a project, with coqc in the sandbox.

    Args:
        project: The project.
        file: The file that it stands for, relative to the project's root.
        source: The source.
        timeout_s: Seconds.

    Returns:
        Why it does not compile, in one line; empty if it does.
    """
    command = project.compiler_command(file)
    name = Path(file).stem
    argv = ["sh", "-c", _COMPILE, "compile", str(source.absolute()), name, *command]
    limits = project.limits(Limits(file_mb=512, scratch_mb=1024))
    if limits.sysroot is not None:
        limits = replace(limits, visible=(*limits.visible, source.parent.resolve()))
    try:
        with ChildProcess(argv, limits, directory=None) as child:
            answer = child.exchange(b"", b"\n", 1, timeout_s)
            said = child.stderr.splitlines()
    except (DeadlineExceededError, ProcessDiedError, EnvError, OSError) as error:
        return str(error)
    if answer.removeprefix(_STATUS).strip() == b"0":
        return ""
    return " ".join(" ".join(said[-4:]).split()) or "coqc failed"


def check_full_proofs(
    project: CoqProject, file: str, rows: Sequence[dict[str, str]], timeout_s: float
) -> list[Refusal]:
    """Execute the proofs of one file of FullProof, each after what its row says stands before it.

    Rows of a file must continue one another: then the text of the last one has all proofs in it.

    Args:
        project: The project.
        file: The file, relative to the project's root.
        rows: Its rows, in order.
        timeout_s: Seconds for 200 sentences.

    Returns:
        The theorems that were not accepted.
    """
    if not rows:
        return []
    text = "".join(rows[-1][part] for part in ("srcUpToDecl", "decl", "proof"))
    refused, ends = [], {}
    for row in rows:
        whole = "".join(row[part] for part in ("srcUpToDecl", "decl", "proof"))
        if text.startswith(whole):
            ends[row["declName"]] = len(whole)
        else:
            refused.append(Refusal("FullProof", row["declName"], "its text is not that of the file"))
    reached, reason = _execute(project, file, text, timeout_s)
    late = [name for name, end in ends.items() if end > reached]
    return refused + [Refusal("FullProof", name, reason) for name in late]


def _execute(project: CoqProject, file: str, text: str, timeout_s: float) -> tuple[int, str]:
    """How far a text is accepted, as an offset, and why no further."""
    try:
        cut = list(sentences(text))
        with CoqIdeTop(project, file) as coq:
            states, failed = coq.load([executable(sentence.text) for sentence in cut], timeout_s)
    except (CoqSyntaxError, DeadlineExceededError, ProcessDiedError, NtpError) as error:
        return 0, " ".join(str(error).split())
    if failed is None:
        return len(text), ""
    return cut[len(states)].span.begin, " ".join(failed.message.split())


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of an output file; none if it was not written."""
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )
