"""Records the steps that `serve.py` asks at: 40 of held-out proofs of `data=coq_core`, seed 0.

python experiments/bench/record_copilot_steps.py DATASET
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ntp.config.register import compose_config
from ntp.data.dataset import Dataset
from ntp.tasks.serving.assess import places

TARGET = Path(__file__).parent / "data" / "copilot_steps.jsonl"

if __name__ == "__main__":
    dataset = Dataset.load(Path(sys.argv[1]))
    cfg = compose_config(["+experiment=copilot_eval", "serve.num_steps=40"])
    rows = []
    for place in places(cfg, dataset):
        file = dataset.records[place.theorem].theorem.file
        rows.append({"file": file, "theorem": place.theorem, "step": place.step, "offset": len(place.text)})
    TARGET.write_text("".join(json.dumps(row) + "\n" for row in rows))
