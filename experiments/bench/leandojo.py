"""Reading a LeanDojo Benchmark of full size into our records, against `json.load` of the same files.

The benchmark is made up: 122,517 theorems, given on both kinds of split, and 180,973 premises in 5,000 files.
Its records are shaped as those of LeanDojo Benchmark 4: goals with Lean's symbols, states of some 300
characters (a tenth of them long), 0.9 premises in a tactic, 2.1 tactics in a theorem on average and none in
nearly half. `json.load` only makes dictionaries; ours also parses states into goals, locates premises in the
corpus, checks positions and the import graph, and puts theorems in order. Each side has its own process.

    load        seconds of ours over seconds of json

Figures hold peaks of resident memory, and what it takes to write our data set and to read it again.

    python experiments/bench/leandojo.py
"""

from __future__ import annotations

import json
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from ntp.data.dataset import Dataset
from ntp.data.lean.import_benchmark import import_leandojo
from ntp.data.lean.leandojo import KINDS, SPLITS, LeanDojoBenchmark

NUM_THEOREMS, NUM_HELD_OUT = 122_517, 2_000
NUM_PREMISES, NUM_FILES = 180_973, 5_000
NUM_POOL = 4_000
NUM_ROUNDS = 3

HYPOTHESES = (
    "α : Type u_1",
    "inst✝¹ : TopologicalSpace α",
    "f g : α → ℝ≥0∞",
    "h₀ : ∀ ε > 0, ∃ δ > 0, ∀ x ∈ s, dist x a < δ → dist (f x) (f a) < ε",
    "hs : MeasurableSet (⋃ i, s i ∩ t)",
    "n m : ℕ",
)


def draw_state(rng: random.Random) -> str:
    """A state of one goal, rarely more."""
    goals = []
    for _ in range(rng.choice((1, 1, 1, 1, 1, 1, 1, 1, 2, 3))):
        size = rng.randrange(1, 9) if rng.random() < 0.9 else rng.randrange(20, 60)
        goals.append(
            "\n".join(
                (*rng.choices(HYPOTHESES, k=size), "⊢ ∫⁻ x, ‖f x - g x‖₊ ∂μ ≤ " + rng.choice(HYPOTHESES))
            )
        )
    return "\n\n".join(goals)


def draw_theorem(rng: random.Random, number: int, states: list[str]) -> dict[str, object]:
    """A theorem whose tactics each begin where the one before has ended."""
    line = 1 + 10 * (number // NUM_FILES)
    tactics, state = [], rng.choice(states)
    while rng.random() < (0.55 if not tactics else 0.74):
        uses = [draw_use(rng) for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 1, 2, 2, 2)))]
        after = rng.choice(states) if rng.random() < 0.55 else "no goals"
        text = f"rw [Finset.sum_{number}, mul_comm]"
        tactics.append(
            {"tactic": text, "annotated_tactic": [text, uses], "state_before": state, "state_after": after}
        )
        state = after if after != "no goals" else rng.choice(states)
    return {
        "url": "https://github.com/leanprover-community/mathlib4",
        "commit": "29dcec074de168ac2bf835a77ef68bbe069194c5",
        "file_path": file_path(number % NUM_FILES),
        "full_name": f"Namespace.theorem_{number}",
        "start": [line, 1],
        "end": [line + 5, 40],
        "traced_tactics": tactics,
    }


def draw_use(rng: random.Random) -> dict[str, object]:
    """A premise, one in ten by the name of something inside it."""
    number = rng.randrange(NUM_PREMISES)
    line = 2 + 10 * (number // NUM_FILES)
    inner = ".mk" if rng.random() < 0.1 else ""
    return {
        "full_name": f"Namespace.theorem_{number}{inner}",
        "def_path": file_path(number % NUM_FILES),
        "def_pos": [line, 9],
        "def_end_pos": [line, 30],
    }


def file_path(number: int) -> str:
    """One of the files."""
    return f"Mathlib/Topology/Algebra/Order/File{number:05d}.lean"


def corpus_line(rng: random.Random, file: int) -> dict[str, object]:
    """A file with four imports of earlier files and its share of the premises."""
    code = "theorem foo {α : Type u_1} [TopologicalSpace α] (h : ∀ x ∈ s, f x ≤ g x) : ∑ i, f i ≤ ∑ i, g i"
    premises = [
        {
            "full_name": f"Namespace.theorem_{number}",
            "code": code[: rng.randrange(60, 98)] + f" {number}" * rng.randrange(1, 20),
            "start": [1 + 10 * (number // NUM_FILES), 1],
            "end": [6 + 10 * (number // NUM_FILES), 40],
            "kind": "commanddeclaration",
        }
        for number in range(file, NUM_PREMISES, NUM_FILES)
    ]
    imports = sorted({rng.randrange(file) for _ in range(4)}) if file else []
    return {"path": file_path(file), "imports": [file_path(i) for i in imports], "premises": premises}


def write_benchmark(directory: Path) -> None:
    """Write a benchmark of full size, laid out as the published one."""
    rng = random.Random(0)
    states = [draw_state(rng) for _ in range(NUM_POOL)]

    def encoded(value: object) -> bytes:
        return msgspec.json.format(msgspec.json.encode(value), indent=0)

    theorems = [encoded(draw_theorem(rng, number, states)) for number in range(NUM_THEOREMS)]
    for kind in KINDS:
        rng.shuffle(theorems)
        rest = theorems[2 * NUM_HELD_OUT :]
        parts = dict(
            zip(
                SPLITS,
                (rest, theorems[:NUM_HELD_OUT], theorems[NUM_HELD_OUT : 2 * NUM_HELD_OUT]),
                strict=True,
            )
        )
        (directory / kind).mkdir()
        for side, part in parts.items():
            (directory / kind / f"{side}.json").write_bytes(b"[" + b",\n".join(part) + b"]")
    lines = (encoded(corpus_line(rng, file)) for file in range(NUM_FILES))
    (directory / "corpus.jsonl").write_bytes(b"\n".join(lines))


def load_json(directory: Path) -> object:
    """Everything as dictionaries."""
    loaded: list[object] = []
    for path in sorted(directory.glob("*/*.json")):
        with path.open(encoding="utf-8") as stream:
            loaded.append(json.load(stream))
    with (directory / "corpus.jsonl").open(encoding="utf-8") as stream:
        loaded.append([json.loads(line) for line in stream])
    return loaded


def load_ours(directory: Path) -> object:
    """Everything as records."""
    benchmark = LeanDojoBenchmark.read(directory)
    loaded = list(benchmark.theorems()), list(benchmark.premises()), list(benchmark.files())
    assert (len(loaded[0]), len(loaded[1])) == (NUM_THEOREMS, NUM_PREMISES)
    return loaded


def read_dataset(directory: Path) -> object:
    """Everything as records, from our own data set."""
    dataset = Dataset.load(directory)
    return dataset.records, dataset.premises, dataset.files


def measure(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds and greatest resident memory in MB of `run`, run once in a child process."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        started = time.perf_counter()
        kept = run()
        seconds = time.perf_counter() - started
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        os.write(write, json.dumps([seconds, peak_mb, kept is None]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    seconds, peak_mb, _ = json.loads(os.read(read, 100))
    return seconds, peak_mb


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        source, dataset = Path(temporary, "benchmark"), Path(temporary, "dataset")
        source.mkdir()
        measure(lambda: write_benchmark(source))
        runs = {"json": lambda: load_json(source), "ours": lambda: load_ours(source)}
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for _ in range(NUM_ROUNDS):
            for name, run in runs.items():
                measured[name].append(measure(run))
        num_bytes = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
        measured["import"] = [measure(lambda: import_leandojo(source, dataset))]
        measured["dataset"] = [measure(lambda: read_dataset(dataset))]
    seconds = {name: median(s for s, _ in values) for name, values in measured.items()}
    figures = {
        "num_theorems": NUM_THEOREMS,
        "num_premises": NUM_PREMISES,
        "megabytes": round(num_bytes / 1e6),
        **{f"{name}_s": round(value, 2) for name, value in seconds.items()},
        **{f"{name}_peak_mb": round(max(mb for _, mb in values)) for name, values in measured.items()},
    }
    ratios = {"load": round(seconds["ours"] / seconds["json"], 3)}
    print(json.dumps({"bench": "leandojo", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
