"""How fast sources become training examples: extraction, proof terms, all outputs, instruction and chat data.

    python experiments/bench/export.py [INCLUDE]

INCLUDE are globs of the standard library (default: some of it). ntp-toolkit makes 307,049 tactic examples of
Mathlib in about 2 hours on 14 processors (Hu et al. 2024; the toolkit's README), 3.0 per processor second.

    examples_per_cpu_second     tactic predictions per second of processor time, of all processes, for
                                extraction, proof terms and the nine outputs, as the toolkit counts
    all_per_cpu_second          the same for rows of every kind, instruction and chat data included
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
INCLUDE = "[Arith/*.v,Bool/*.v,Lists/*.v,Logic/*.v,Relations/*.v,Sorting/*.v]"


def run(experiment: str, outputs: str, include: str) -> tuple[dict[str, float], float, float]:
    """Run an experiment; returns its summary, processor seconds and wall seconds."""
    before, begin = _cpu_s(), time.monotonic()
    command = [sys.executable, "-m", "ntp.run", f"+experiment={experiment}", f"data.include={include}"]
    done = subprocess.run(
        [*command, f"paths.outputs={outputs}"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    directory = Path(done.stdout.splitlines()[-1])
    return json.loads((directory / "summary.json").read_text()), _cpu_s() - before, time.monotonic() - begin


def _cpu_s() -> float:
    # Of the whole machine, which should have nothing else to do: provers in namespaces outlive their parents.
    used = psutil.cpu_times()
    return used.user + used.nice + used.system


def main() -> None:
    """Measure and print."""
    include = sys.argv[1] if len(sys.argv) > 1 else INCLUDE
    cpu_s: dict[str, float] = {}
    wall_s: dict[str, float] = {}
    rows: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as outputs:
        for experiment in ("extract_coq", "proof_terms", "export", "instructions"):
            summary, cpu_s[experiment], wall_s[experiment] = run(experiment, outputs, include)
            if experiment in ("export", "instructions"):
                rows |= {name: value for name, value in summary.items() if name.startswith("num_")}
    kinds = {name: int(n) for name, n in rows.items() if "file" not in name and "duplicates" not in name}
    kinds.pop("num_examples")
    toolkit_s = sum(s for name, s in cpu_s.items() if name != "instructions")
    ratios = {
        "examples_per_cpu_second": rows["num_tactic_prediction"] / toolkit_s,
        "all_per_cpu_second": sum(kinds.values()) / sum(cpu_s.values()),
    }
    figures = {
        **kinds,
        **{f"{name}_cpu_s": round(value, 1) for name, value in cpu_s.items()},
        **{f"{name}_wall_s": round(value, 1) for name, value in wall_s.items()},
    }
    rounded = {name: round(value, 2) for name, value in ratios.items()}
    print(json.dumps({"bench": "export", "ratios": rounded, "figures": figures}))


if __name__ == "__main__":
    main()
