"""What checking a whole script costs over coqc, and how many theorems an hour pass with one and two workers.

Scripts are the file's own proofs of 8 to 14 sentences. Our side is `CoqEnv.check_script` with the file loaded
up to the theorem and the proof not opened before: every sentence guarded, its goals read, Qed,
`Print Assumptions` and the proof term's digest. The other side is what one does without such an environment:
coqc on the file up to the end of that proof. Sides take turns on each script, three times; the median ratio
over scripts counts.

    check_script    seconds of ours / seconds of coqc, per script

    python experiments/bench/whole_proof.py
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.project import CoqProject, standard_library
from ntp.envs.coq.syntax import sentences
from ntp.envs.pool import EnvPool
from ntp.types import ScriptResult, Span, Theorem

FILES = ("Lists/ListSet.v", "Lists/List.v", "Sorting/Permutation.v")
LENGTHS = range(8, 15)
NUM_SCRIPTS = 4
NUM_ROUNDS = 3
_OPENS = ("Lemma ", "Theorem ", "Corollary ", "Proposition ", "Fact ", "Remark ")


def scripts(project: CoqProject, file: str) -> list[tuple[Theorem, str]]:
    """The proofs of a file with as many sentences as asked for, last first."""
    source = project.read(file)
    found = list(sentences(source))
    proofs: list[tuple[Theorem, str]] = []
    for begin, statement in enumerate(found):
        if not statement.text.startswith(_OPENS):
            continue
        end = next((i for i in range(begin, len(found)) if found[i].text in ("Qed.", "Defined.")), None)
        if end is None or end - begin not in LENGTHS or found[end].text != "Qed.":
            continue
        span = Span(statement.span.end, found[end].span.end)
        theorem = Theorem(statement.text.split()[1], file, statement.text, statement.span, span)
        proofs.append((theorem, source[span.begin : span.end]))
    return proofs[::-1]


def coqc_s(project: CoqProject, theorem: Theorem, directory: Path) -> float:
    """Seconds of coqc on the file up to the end of a proof; open sections and modules stay open."""
    text = project.read(theorem.file)[: theorem.proof.end]
    opened = [name for name in _open_names(text) if name]
    path = directory / "Prefix.v"
    path.write_text("\n".join([text, *(f"End {name}." for name in reversed(opened))]) + "\n")
    command = [*project.compiler_command(theorem.file), str(path)]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"coqc: {done.stderr[-300:]}")
    return seconds


def _open_names(text: str) -> list[str]:
    names: list[str] = []
    for sentence in sentences(text):
        words = sentence.text.rstrip(".").split()
        if words[0] in ("Section", "Module") and ":=" not in words:
            names.append(words[2] if words[1] in ("Type", "Export", "Import") else words[1])
        elif words[0] == "End":
            names.pop()
    return names


def compare(project: CoqProject) -> tuple[list[float], list[float], list[float]]:
    """For each script: the ratio, seconds of ours, and seconds of coqc (medians over the rounds)."""
    ratios, ours, others = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for file in FILES:
            env = CoqEnv(project, 10)
            for theorem, script in scripts(project, file)[:NUM_SCRIPTS]:
                mine, theirs = [], []
                for _ in range(NUM_ROUNDS):
                    env.open(theorem)  # loads the prefix; what follows opens the proof anew
                    forget_proof(env)
                    started = time.perf_counter()
                    verdict = env.check_script(theorem, script).verdict
                    mine.append(time.perf_counter() - started)
                    if not verdict.accepted:
                        raise RuntimeError(f"{theorem.id}: {verdict.reason}")
                    theirs.append(coqc_s(project, theorem, Path(folder)))
                ours.append(median(mine))
                others.append(median(theirs))
                ratios.append(median(mine) / median(theirs))
            env.close()
    return ratios, ours, others


def forget_proof(env: CoqEnv) -> None:
    """Make the environment state the theorem again, as for the first script of a theorem."""
    assert env._document is not None
    env._document.opened = None


def theorems_per_hour(project: CoqProject, num_workers: int) -> float:
    """Theorems with their own proof as script, checked by a pool that starts with nothing loaded."""
    work = [pair for file in FILES for pair in scripts(project, file)]
    with EnvPool(lambda: CoqEnv(project, 10), num_workers) as pool:
        started = time.perf_counter()
        results = pool.check_scripts(work)
        seconds = time.perf_counter() - started
    accepted = sum(isinstance(r, ScriptResult) and r.verdict.accepted for r in results)
    return 3600 * accepted / seconds


def main() -> None:
    """Measure and print."""
    project = standard_library()
    ratios, ours, others = compare(project)
    figures = {
        "num_scripts": len(ratios),
        "check_script_ms": 1000 * median(ours),
        "coqc_ms": 1000 * median(others),
        "worst_ratio": max(ratios),
        **{f"theorems_per_hour_{n}": theorems_per_hour(project, n) for n in (1, 2)},
    }
    print(
        json.dumps({"bench": "whole_proof", "ratios": {"check_script": median(ratios)}, "figures": figures})
    )


if __name__ == "__main__":
    main()
