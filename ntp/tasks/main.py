"""Makes the stage that a config asks for, after the stages it needs."""

from __future__ import annotations

from collections.abc import Callable

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from ntp.config.check import reject_unknown_keys, require_experiment
from ntp.tasks import (
    doctor,
    evaluate,
    extract,
    merge,
    mine,
    overoptimisation,
    retrieval_eval,
    statistics,
    train,
    verifier_eval,
)
from ntp.tasks.context import Context
from ntp.tasks.plan import plan
from ntp.tasks.stages import Stage
from ntp.tracking.mlflow import MlflowRun
from ntp.tracking.run_dir import RunDir, git_commit, set_aside

# By the kind of the stage; each returns its summary.
TASKS: dict[str, Callable[[Context], dict[str, float]]] = {
    "extract": extract.run,
    "statistics": statistics.run,
    "sft": train.run,
    "gfn": train.run,
    "mine": mine.run,
    "verifier": train.run,
    "retriever": train.run,
    "evaluate": evaluate.run,
    "merge": merge.run,
    "verifier_eval": verifier_eval.run,
    "retrieval_eval": retrieval_eval.run,
    "overoptimisation": overoptimisation.run,
}

console = Console(stderr=True)


def run_task(cfg: DictConfig) -> float | None:
    """Run the task of a config; the last line printed is its output directory, which `doctor` has none of.

    Returns:
        The summary's `cfg.objective`, for sweeps that optimise something.

    Raises:
        NtpError: Something the user can mend.
    """
    if cfg.task.name == "doctor":
        # No experiment names it: what it prints is kept nowhere.
        cfg.name = cfg.task.name
        reject_unknown_keys(cfg)
        doctor.run(cfg)
        return None
    require_experiment(cfg)
    reject_unknown_keys(cfg)
    stage = plan(cfg)
    summary = make(stage, resume=cfg.resume, force=cfg.force)
    print(stage.directory, flush=True)
    return summary.get(cfg.objective) if cfg.objective else None


def make(stage: Stage, resume: bool, force: bool = False) -> dict[str, float]:
    """Make a stage unless it is there already, and first whatever it needs.

    Args:
        stage: What to make.
        resume: Continue an interrupted run of it; otherwise that run is moved aside and a new one begun.
            Stages that this one needs are always resumed.
        force: Make it again although it is there.
    """
    name, directory = stage.cfg.name, stage.directory
    if stage.is_complete and not force:
        console.print(f"{name}: already made, in {directory}", style="dim", highlight=False)
        for report in directory.glob("report.html"):
            console.print(f"its report: {report}", highlight=False)
        return RunDir(directory).read_summary()
    inputs = dict(stage.checkpoints)
    for role, need in stage.needs.items():
        if not need.is_complete:
            console.print(f"{name} needs {need.cfg.name} ({role}), which is made first", highlight=False)
        make(need, resume=True)
        inputs[role] = need.directory
    if not resume or stage.is_complete:
        set_aside(directory)
    console.print(f"[bold]{name}[/] → {directory}", highlight=False)
    run_dir = RunDir(directory)
    config = OmegaConf.to_container(stage.cfg, resolve=True)
    assert isinstance(config, dict)
    run_dir.write_inputs({str(key): value for key, value in config.items()}, seed=stage.cfg.seed)
    with MlflowRun(stage.cfg.tracking.uri, stage.cfg.tracking.experiment, directory, directory.name) as run:
        run.set_tags({"git_commit": git_commit(), "stage": stage.key})
        run.log_params({"task": stage.kind, "seed": stage.cfg.seed, "model": stage.cfg.model._target_})
        summary = TASKS[stage.kind](Context(stage.cfg, directory, inputs, run))
        run_dir.write_summary(summary)
        run.log_metrics(summary)
        run.log_artifact(directory / "config.yaml")
    run_dir.mark_complete()
    return summary
