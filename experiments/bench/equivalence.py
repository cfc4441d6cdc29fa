"""Equivalence of Coq statements on a fixed tenth of the known pairs, beside BLEU and tree similarity.

    .venv/bin/python experiments/bench/equivalence.py [pairs.jsonl]

`data/known_pairs.jsonl` holds 100 pairs that are equivalent by construction and 100 of a theorem and a
changed statement that the kernel has refuted; `+experiment=known_pairs` makes such pairs. `precision` and
`recall` are of the outcome `equivalent`; `seconds_per_pair` includes the start of provers. The precision of a
graded score is the best of a threshold chosen on the same pairs with at least the recall of the proofs
(`bleu_precision`, `tree_precision`); `ratios` compare the precision of the proofs with it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.formalization.equivalence.comparison import EquivalenceOptions
from ntp.formalization.equivalence.coq import CoqEquivalence
from ntp.formalization.equivalence.outcome import Outcome
from ntp.formalization.equivalence.records import Compared, grouped, read_compared
from ntp.formalization.equivalence.validation import EQUIVALENT, precision_at_recall
from ntp.formalization.records import Pair
from ntp.formalization.scores.base import Translation
from ntp.formalization.scores.overlap import Bleu
from ntp.formalization.scores.structure import TreeSimilarity

FIXTURE = Path(__file__).parent / "data" / "known_pairs.jsonl"


def main() -> None:
    """Judge the pairs, and print the figures."""
    pairs = [pair for group in grouped(read_compared(_path())) for pair in group]
    known = [pair.label == EQUIVALENT for pair in pairs]
    started = time.perf_counter()
    found = judge(pairs)
    seconds = (time.perf_counter() - started) / len(pairs)
    hits = sum(f and k for f, k in zip(found, known, strict=True))
    recall, precision = hits / sum(known), hits / max(1, sum(found))
    translations = [_translation(pair) for pair in pairs]
    rivals = {
        name: precision_at_recall(score.of_each(translations), known, recall) if recall else 0.0
        for name, score in (("bleu", Bleu()), ("tree", TreeSimilarity()))
    }
    figures = {"num_pairs": len(pairs), "precision": precision, "recall": recall, "seconds_per_pair": seconds}
    figures |= {f"{name}_precision": value for name, value in rivals.items()}
    ratios = {f"precision_to_{name}": precision / value for name, value in rivals.items() if value}
    print(json.dumps({"bench": "equivalence", "ratios": ratios, "figures": figures}))


def judge(pairs: list[Compared]) -> list[bool]:
    """Which pairs are shown equivalent, in order."""
    factory = CoqEnvFactory()
    equivalence = CoqEquivalence(factory.project, EquivalenceOptions(), factory.limits)
    found: list[bool] = []
    for group in grouped(pairs):
        first = group[0]
        judged = equivalence.judge(first.header, first.reference, [pair.candidate for pair in group])
        found += [judgement.outcome == Outcome.EQUIVALENT for judgement in judged]
        print(f"{len(found)}/{len(pairs)}", file=sys.stderr)
    equivalence.close()
    return found


def _translation(pair: Compared) -> Translation:
    reference = f"Theorem statement : {pair.reference}."
    own = Pair(pair.id, "", reference, pair.header, "coq", "test", "known_pairs")
    return Translation(own, f"Theorem statement : {pair.candidate}.")


def _path() -> Path:
    return Path(sys.argv[1]) if len(sys.argv) > 1 else FIXTURE


if __name__ == "__main__":
    main()
