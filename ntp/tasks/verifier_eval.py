"""Evaluate verifiers on kernel-labelled attempts at held-out theorems, next to the backbone's own scores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain

from rich.console import Console

from ntp.data.examples import LabelledState
from ntp.evaluation.inspection import RELIABILITY_FILE
from ntp.evaluation.verifier_report import best_of_k_plot, flat, markdown
from ntp.policy.policy import TacticPolicy
from ntp.rewards.aggregation import Aggregation, Learned, Mean, UncertaintyWeighted, WorstCase
from ntp.tasks.builders import load_labelled, load_policy, load_verifiers
from ntp.tasks.needs import add_arms, add_attempts, add_policy, verifier_split
from ntp.tracking.progress import ProgressReporter
from ntp.verifier.assessment import Labels, assess, reliability_curve
from ntp.verifier.calibration import Calibration, calibrate
from ntp.verifier.ensemble import VerifierEnsemble
from ntp.verifier.features import ScoreFeatures
from ntp.verifier.scoring import TacticScores, backbone_scores, score_tactics
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task

AGGREGATIONS: Mapping[str, Aggregation] = {
    "mean": Mean(),
    "wco": WorstCase(),
    "uwo": UncertaintyWeighted(),
    "learned": Learned(),
}


# A name in tables, with its scores of tactics, their calibration and how those of several heads become one.
Scorer = tuple[str, TacticScores, Calibration, Aggregation]


def run(context: Context) -> dict[str, float]:
    """Score attempts of the test split with every verifier of the study; write tables, curves and a plot."""
    cfg, inputs = context.cfg, context.inputs
    test = load_labelled(inputs["test_attempts"], "test")
    labels = Labels.of(test)
    backbone = load_policy(cfg, inputs["policy"])
    val = load_labelled(inputs["attempts"], "val")
    runs: dict[str, list[dict[str, float]]] = {}
    curves: dict[str, list[list[dict[str, float]]]] = {}
    for name, scores, calibration, aggregation in chain(
        _backbone(backbone, val, test), _verifiers(context, test)
    ):
        runs.setdefault(name, []).append(assess(scores, calibration, aggregation, labels))
        bins = reliability_curve(scores, calibration, aggregation, labels)
        curves.setdefault(name, []).append([asdict(bin_) for bin_ in bins])
    num_theorems = len({state.theorem_id for state in test})
    title = (
        f"{cfg.name}: {len(labels.label_N)} tactics in {len(test)} states of {num_theorems} held-out theorems"
    )
    texts = {
        "report.md": markdown(title, runs),
        "metrics.json": json.dumps(runs, indent=2) + "\n",
        RELIABILITY_FILE: json.dumps(curves, indent=2) + "\n",
        "best_of_k.svg": best_of_k_plot(runs) + "\n",
    }
    context.write(texts)
    Console().print(texts["report.md"], highlight=False, soft_wrap=True)
    return flat(runs)


def _verifiers(context: Context, test: Sequence[LabelledState]) -> Iterator[Scorer]:
    """Every verifier with every seed; an ensemble with every aggregation."""
    cfg, inputs = context.cfg, context.inputs
    for name in cfg.study.variants:
        for seed in cfg.study.seeds:
            roles = {"backbone": inputs["policy"], "verifier": inputs[f"{name}/{seed}"]}
            ensemble = load_verifiers(cfg, roles)
            scores = _score(f"{name}/{seed}", ensemble, test)
            chosen = AGGREGATIONS if ensemble.num_heads > 1 else {"": Mean()}
            for key, aggregation in chosen.items():
                combined = ensemble.aggregation(aggregation)
                yield f"{name} {key}".strip(), scores, ensemble.calibration, combined


def _score(name: str, ensemble: VerifierEnsemble, states: Sequence[LabelledState]) -> TacticScores:
    tactics = [state.tactics for state in states]
    with ProgressReporter(name, len(states), "states") as progress:
        return score_tactics(ensemble.model, [s.state for s in states], tactics, progress.advance)


def _backbone(
    backbone: TacticPolicy, val: Sequence[LabelledState], test: Sequence[LabelledState]
) -> Iterator[Scorer]:
    """The policy's own likelihood as the score, whole and per token, calibrated like a verifier's."""
    known = Labels.of(val)
    scores_val, scores_test = backbone_scores(backbone, val), backbone_scores(backbone, test)
    for name, length_exponent in (("backbone", 0.0), ("backbone per token", 1.0)):
        features = ScoreFeatures("likelihood", length_exponent)
        yield name, scores_test, calibrate(scores_val, known.label_N, known.num_tried_N, features), Mean()


def _needs(needs: Needs) -> None:
    add_policy(needs)
    add_attempts(needs, "attempts", verifier_split(needs.cfg), "val")
    add_attempts(needs, "test_attempts", "test")
    add_arms(needs)


TASK = Task(name="verifier_eval", run=run, reads=lambda cfg: read(cfg, "seed", "study"), needs=_needs)
