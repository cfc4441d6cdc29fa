"""Assesses the copilot at steps of recorded proofs, or calibrates it on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from ntp.data.dataset import Dataset
from ntp.envs.base import ProofEnv
from ntp.errors import DataError
from ntp.jsonl import read_jsonl, write_jsonl
from ntp.seeding import derive_seed
from ntp.serve.assessment import Assessed, Place, assess, summarise
from ntp.serve.calibration import Calibration, calibrate
from ntp.serve.copilot import Copilot
from ntp.serve.suggestions import Suggester
from ntp.tasks.needs import add_dataset, prover_reads, require_prover
from ntp.tasks.selection import load_split, part_of, posable_theorems, require_theorems
from ntp.tasks.serving.options import buffers, make_copilot
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task

# Written after so many steps, so that a kill loses no more.
_PART = 10


def places(cfg: DictConfig, dataset: Dataset) -> list[Place]:
    """Steps of recorded proofs of a part of the split, in order of file and position.

    Which ones is a function of the split's seed: larger numbers of steps contain smaller ones. Files of Coq's
    prelude are left out, as they are written without the prelude that every text is executed with.

    Raises:
        DataError: There are none, or the data set has no sources.
    """
    if not dataset.sources:
        raise DataError(f"{dataset.directory} has no source texts: extract it again with force=true")
    records = posable_theorems(dataset.select(part_of(load_split(cfg, dataset), cfg.serve.split)))
    records = [
        r for r in records if r.theorem.file in dataset.sources and not r.theorem.file.startswith("Init/")
    ]
    require_theorems(records, f"in the {cfg.serve.split} split")
    steps = [(record, index) for record in records for index in range(len(record.steps))]
    drawn = sorted(steps, key=lambda s: derive_seed(cfg.data.split.seed, "copilot", s[0].theorem.id, s[1]))
    chosen = {(record.theorem.id, index) for record, index in drawn[: cfg.serve.num_steps]}
    found = []
    for record, index in steps:
        if (record.theorem.id, index) in chosen:
            text = dataset.sources[record.theorem.file][: record.steps[index].span.begin]
            found.append(Place(record.theorem.id, index, text, record.theorem.proof.begin))
    return found


@dataclass(frozen=True)
class Assessment:
    """Assesses suggesters at places.

    Attributes:
        context: Where results are kept.
        places: The places.
        judge: Searches for proofs after suggestions.
        num_judged: Suggestions that are judged at each place.
    """

    context: Context
    places: Sequence[Place]
    judge: Suggester
    num_judged: int

    def run(self, name: str, suggester: Suggester, is_judged: bool) -> list[Assessed]:
        """Results at every place; those that are kept are read."""
        cfg = self.context.cfg
        options = suggester.options
        path = self.context.directory / f"{name}.jsonl"
        done = list(read_jsonl(path, Assessed)) if path.exists() else []
        buffer = buffers(cfg, instantiate(cfg.env))()
        try:
            with ProgressReporter(name, len(self.places), "steps", num_before=len(done)) as progress:
                for place in self.places[len(done) :]:
                    done.append(
                        assess(
                            place,
                            buffer,
                            suggester,
                            options.num,
                            options.deadline_s,
                            self.judge if is_judged else None,
                            self.num_judged,
                            cfg.serve.outcome_s,
                            cfg.seed,
                        )
                    )
                    progress.advance()
                    if len(done) % _PART == 0:
                        write_jsonl(path, done)
        finally:
            buffer.close()
        write_jsonl(path, done)
        return done


def _prepared(context: Context) -> tuple[Copilot, Dataset, Assessment]:
    cfg = context.cfg
    dataset = Dataset.load(context.inputs["dataset"])
    copilot = make_copilot(cfg, context.inputs.get("policy"))
    judge = Suggester(
        copilot.suggester.proposer,
        replace(copilot.suggester.options, max_expansions=cfg.serve.outcome_expansions),
        seed=cfg.seed,
    )
    return copilot, dataset, Assessment(context, places(cfg, dataset), judge, cfg.serve.num_judged)


def run_assessment(context: Context) -> dict[str, float]:
    """Assess the copilot, and fixed tactics alone beside it; check every proof again, in another prover."""
    copilot, dataset, assessment = _prepared(context)
    suggester = copilot.suggester
    results = {"copilot": assessment.run("copilot", suggester, is_judged=True)}
    if suggester.proposer is not None:
        alone = Suggester(None, suggester.options, seed=suggester.seed)
        results["one_shot"] = assessment.run("one_shot", alone, is_judged=False)
    chosen = context.cfg.serve.calibration
    calibration = None if chosen is None else Calibration.load(Path(chosen))
    summary = summarise(results["copilot"], calibration)
    if "one_shot" in results:
        summary |= {f"one_shot/{k}": v for k, v in summarise(results["one_shot"]).items() if k != "num_steps"}
    for name, assessed in results.items():
        make_env = instantiate(context.cfg.env)
        accepted, num = recheck(assessed, assessment.places, dataset, make_env)
        prefix = "" if name == "copilot" else f"{name}/"
        summary |= {f"{prefix}num_proofs": num, f"{prefix}num_proofs_accepted_again": accepted}
    Console().print("  ".join(f"{name} {value:.3g}" for name, value in summary.items()), highlight=False)
    return summary


def recheck(
    assessed: Sequence[Assessed], at: Sequence[Place], dataset: Dataset, make_env: Callable[[], ProofEnv]
) -> tuple[int, int]:
    """How many whole proofs another prover accepts in their own file, and how many there are.

    The proof is what its author had written up to the step, and the rest that was found.
    """
    env = make_env()
    accepted = num = 0
    try:
        for place, result in zip(at, assessed, strict=True):
            if result.proof:
                script = f"{place.text[place.begin :]}\n{result.proof}"
                theorem = dataset.records[place.theorem].theorem
                num += 1
                accepted += env.check_script(theorem, script).verdict.accepted
    finally:
        env.close()
    return accepted, num


def run_calibration(context: Context) -> dict[str, float]:
    """Fit probabilities to what happened after suggestions, and keep them."""
    copilot, _, assessment = _prepared(context)
    assessed = assessment.run("copilot", copilot.suggester, is_judged=True)
    judged = [j for a in assessed for j in a.judged]
    calibration = calibrate([j.features for j in judged], [j.is_finished for j in judged])
    calibration.save(context.directory)
    # On what it was fitted on, so a little too good.
    return summarise(assessed, calibration)


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    if needs.cfg.policy.checkpoint is not None:
        needs.add_from(needs.cfg.policy, "policy", "policy")
    if needs.cfg.serve.calibration is not None:
        needs.checkpoints["calibration"] = Path(needs.cfg.serve.calibration)


_READS = (
    *("suggestions", "verifier", "axioms", "text_timeout_s", "split", "num_steps"),
    *("outcome_s", "outcome_expansions", "num_judged"),
)


def _reads(cfg: DictConfig) -> dict:
    values = read(cfg, "data.split", "seed", *(f"serve.{name}" for name in _READS))
    return values | prover_reads(cfg)


ASSESSMENT = Task("copilot_eval", run_assessment, _reads, _needs, require_prover)
CALIBRATION = Task("copilot_calibration", run_calibration, _reads, _needs, require_prover)
