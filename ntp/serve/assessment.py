"""How good suggestions are: at steps of recorded proofs, from the text as its author had it by then."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ntp.errors import EnvError
from ntp.seeding import derive_seed
from ntp.serve.buffer import Buffer
from ntp.serve.calibration import Calibration, features
from ntp.serve.suggestions import Suggester, Suggestion
from ntp.verifier.metrics import auroc, calibration_error


@dataclass(frozen=True, slots=True)
class Place:
    """A step of a recorded proof.

    Attributes:
        theorem: Id of the theorem.
        step: Number of the step in its proof, from 0.
        text: The file up to the step.
        begin: Where the proof begins in the text, after the statement.
    """

    theorem: str
    step: int
    text: str
    begin: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A suggestion of a tactic, and whether the proof is finished after it.

    Attributes:
        features: See `ntp.serve.calibration`.
        is_finished: Whether a search from the state after it found a whole proof.
    """

    features: tuple[float, ...]
    is_finished: bool


@dataclass(frozen=True, slots=True)
class Assessed:
    """What was suggested at a step.

    Attributes:
        theorem: Id of the theorem.
        step: Number of the step.
        num_accepted: Suggestions, all of which the prover accepted.
        first_s: Seconds until the first one, the text before being executed already; None without any.
        proof: The rest of the proof that was found; empty if none was.
        judged: Some of the tactics, drawn at random.
        error: Why nothing could be suggested; empty if the step could be reached.
    """

    theorem: str
    step: int
    num_accepted: int = 0
    first_s: float | None = None
    proof: str = ""
    judged: tuple[Judged, ...] = ()
    error: str = ""


def assess(
    place: Place,
    buffer: Buffer,
    suggester: Suggester,
    num: int,
    deadline_s: float,
    judge: Suggester | None = None,
    num_judged: int = 0,
    judge_s: float = 0.0,
    seed: int = 0,
) -> Assessed:
    """Ask for suggestions at a step.

    Args:
        place: The step.
        buffer: A document, whose text is replaced.
        suggester: What is assessed.
        num: Suggestions asked for.
        deadline_s: Seconds for them.
        judge: Searches for a proof after a suggestion.
        num_judged: Suggestions that are judged.
        judge_s: Most seconds for each.
        seed: Says which ones.
    """
    try:
        buffer.edit(place.text)
        position = buffer.position(len(place.text))
        buffer.goals(position)
        first_s, found = None, []
        started = time.monotonic()
        for suggestion in suggester.suggest(buffer, position, num, deadline_s):
            first_s = time.monotonic() - started if first_s is None else first_s
            found.append(suggestion)
    except EnvError as error:
        return Assessed(place.theorem, place.step, error=" ".join(str(error).split()))
    proof = next((s.text for s in found if s.kind == "proof"), "")
    judged: list[Judged] = []
    tactics = [s for s in found if s.kind == "tactic"]
    if judge is not None:
        draw = random.Random(derive_seed(seed, place.theorem, place.step))
        for suggestion in draw.sample(tactics, min(num_judged, len(tactics))):
            is_finished = finishes(buffer, place.text, suggestion, judge, judge_s)
            row = tuple(features(suggestion, _num_goals(buffer, place)))
            judged.append(Judged(row, is_finished))
    return Assessed(place.theorem, place.step, len(found), first_s, proof, tuple(judged))


def finishes(buffer: Buffer, text: str, suggestion: Suggestion, judge: Suggester, judge_s: float) -> bool:
    """Whether a search finds a whole proof from the state after a suggestion."""
    after = f"{text}\n{suggestion.text}\n"
    buffer.edit(after)
    position = buffer.position(len(after))
    try:
        return any(s.kind == "proof" for s in judge.suggest(buffer, position, deadline_s=judge_s))
    except EnvError:
        return False


def summarise(assessed: Sequence[Assessed], calibration: Calibration | None = None) -> dict[str, float]:
    """Shares over all steps, also those that could not be reached; seconds over those with a suggestion."""
    num = len(assessed)
    times = [a.first_s for a in assessed if a.first_s is not None]
    summary = {
        "num_steps": float(num),
        "unreached_share": sum(bool(a.error) for a in assessed) / num,
        "accepted_share": sum(a.num_accepted > 0 for a in assessed) / num,
        "proved_share": sum(bool(a.proof) for a in assessed) / num,
    }
    if times:
        summary |= {"p50_s": float(np.quantile(times, 0.5)), "p95_s": float(np.quantile(times, 0.95))}
    judged = [j for a in assessed for j in a.judged]
    if judged:
        finished_N = torch.tensor([float(j.is_finished) for j in judged])
        summary |= {"num_judged": float(len(judged)), "finished_share": finished_N.mean().item()}
    if judged and calibration is not None:
        p_N = torch.tensor([calibration.of(j.features) for j in judged], dtype=torch.float64)
        summary |= {
            "calibration_error": calibration_error(p_N, finished_N),
            "mean_probability": p_N.mean().item(),
            "auroc": auroc(p_N, finished_N) if 0 < finished_N.mean() < 1 else 0.5,
        }
    return summary


def _num_goals(buffer: Buffer, place: Place) -> int:
    buffer.edit(place.text)
    view = buffer.goals(buffer.position(len(place.text)))
    return len(view.goals) + len(view.unfocused)
