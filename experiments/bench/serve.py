"""Suggestions at 40 steps of held-out proofs of the core library, beside fixed tactics alone.

The document is executed up to the step before the clock starts, as in an editor. Seconds are until the first
suggestion, which the prover has accepted; shares are over all 40 steps. A proof that is found is accepted by
the kernel in a replay. The calibration error is over tactics that were suggested, drawn at random, whose
proofs were then searched; null without a calibration. The policy and the calibration are the newest in
`outputs/`, if any.

    python experiments/bench/serve.py [--checkpoint DIRECTORY] [--calibration DIRECTORY] [--steps 40]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from ntp.config.register import PROJECT_ROOT, compose_config
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.serve.assessment import Assessed, Place, assess, summarise
from ntp.serve.buffer import Buffer
from ntp.serve.calibration import CALIBRATION_FILE, Calibration
from ntp.serve.suggestions import Suggester, SuggestionOptions
from ntp.tasks.serving.options import load_checkpoint

STEPS = Path(__file__).parent / "data" / "copilot_steps.jsonl"
OPTIONS = SuggestionOptions(num=8, deadline_s=3.0)
JUDGE = replace(OPTIONS, max_expansions=8)
JUDGE_S = 4.0


def newest(pattern: str) -> Path | None:
    """The directory of the newest file of a pattern below `outputs/`."""
    found = sorted((PROJECT_ROOT / "outputs").glob(pattern), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", type=Path, default=newest("sft-*/COMPLETE"))
    parser.add_argument("--calibration", type=Path, default=newest(f"*/{CALIBRATION_FILE}"))
    parser.add_argument("--steps", type=int, default=40)
    given = parser.parse_args()
    cfg = compose_config(["+experiment=serve"])
    policy = None if given.checkpoint is None else load_checkpoint(cfg, given.checkpoint)
    calibration = None if given.calibration is None else Calibration.load(given.calibration)
    arms = {"copilot": Suggester(policy, OPTIONS, seed=0), "one_shot": Suggester(None, OPTIONS, seed=0)}
    judge = Suggester(policy, JUDGE, seed=0)
    factory = CoqEnvFactory()
    buffer = Buffer(factory.live(60))
    results: dict[str, list[Assessed]] = {name: [] for name in arms}
    for line in STEPS.read_text().splitlines()[: given.steps]:
        row = json.loads(line)
        text = factory.project.read(row["file"])[: row["offset"]]
        place = Place(row["theorem"], row["step"], text, 0)
        for name, suggester in arms.items():  # interleaved
            num_judged = 1 if name == "copilot" else 0
            assessed = assess(
                place, buffer, suggester, OPTIONS.num, OPTIONS.deadline_s, judge, num_judged, JUDGE_S
            )
            results[name].append(assessed)
    buffer.close()
    found, alone = summarise(results["copilot"], calibration), summarise(results["one_shot"])
    names = ("p50_s", "p95_s", "accepted_share", "proved_share", "calibration_error", "unreached_share")
    figures = {name: found.get(name) for name in names}
    figures |= {f"one_shot_{name}": alone.get(name) for name in names[:4]}
    ratios = {
        f"{name}_to_one_shot": found[name] / alone[name]
        for name in ("p50_s", "p95_s", "proved_share")
        if alone.get(name)
    }
    print(json.dumps({"bench": "serve", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
