"""Makes the stage that a config asks for, after the stages it needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from ntp.config.check import reject_unknown_keys, require_experiment
from ntp.tracking.mlflow import MlflowRun, Run
from ntp.tracking.owner import slurm_restarts
from ntp.tracking.processes import await_main, is_main
from ntp.tracking.run_dir import RunDir, set_aside
from ntp.workflow.context import Context
from ntp.workflow.lock import StageLock
from ntp.workflow.placement import require_placement
from ntp.workflow.plan import plan
from ntp.workflow.record import describe, keep
from ntp.workflow.stage import Stage
from ntp.workflow.task import Report, task_of

console = Console(stderr=True, quiet=not is_main())


def run_task(cfg: DictConfig) -> float | None:
    """Run the task of a config; the last line printed is its output directory (reports have none).

    Returns:
        The summary's metric `cfg.objective`, for sweeps that optimise it.

    Raises:
        NtpError: An error that the user can fix.
    """
    if isinstance(task := task_of(cfg), Report):
        cfg.name = task.name  # no experiment names it
        reject_unknown_keys(cfg)
        task.run(cfg)
        return None
    return finish(stage_of(cfg))


def stage_of(cfg: DictConfig) -> Stage:
    """The stage that the command line asks for.

    Raises:
        NtpError: An error that the user can fix.
    """
    require_experiment(cfg)
    reject_unknown_keys(cfg)
    require_placement(cfg)
    return plan(cfg)


def finish(stage: Stage) -> float | None:
    """Make what the command line asks for, and print its output directory as the last line.

    Returns:
        The summary's metric `cfg.objective`, for sweeps that optimise it.
    """
    cfg = stage.cfg
    # A job that SLURM has put back into its queue continues where it was.
    summary = make(stage, resume=cfg.resume or slurm_restarts() > 0, force=cfg.force)
    if is_main():
        print(stage.directory, flush=True)
    return summary.get(cfg.objective) if cfg.objective else None


def make(stage: Stage, resume: bool, force: bool) -> dict[str, float]:
    """Make a stage unless it exists, after the stages it needs.

    Args:
        stage: What to make.
        resume: Continue an interrupted run of it; otherwise that run is moved aside and a new one begun.
            Stages that this one needs are always resumed.
        force: Make it again although it exists.
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
        make(need, resume=True, force=False)
        inputs[role] = need.directory
    lock = StageLock(directory, lambda line: console.print(line, highlight=False))
    if not is_main():
        return _help(stage, inputs, lock, force)
    with lock:
        if stage.is_complete and not force:  # by another process, which this one waited for
            return make(stage, resume, force)
        return _make_alone(stage, inputs, resume)


def _make_alone(stage: Stage, inputs: Mapping[str, Path], resume: bool) -> dict[str, float]:
    """Make a stage whose inputs exist, while no other process makes it."""
    name, directory = stage.cfg.name, stage.directory
    if not resume or stage.is_complete:
        set_aside(directory)
    console.print(f"[bold]{name}[/] → {directory}", highlight=False)
    run_dir = RunDir(directory)
    config = OmegaConf.to_container(stage.cfg, resolve=True)
    assert isinstance(config, dict)
    run_dir.write_inputs({str(key): value for key, value in config.items()}, seed=stage.cfg.seed)
    tracking = stage.cfg.tracking
    with MlflowRun(
        tracking.uri, tracking.experiment, directory, directory.name, tracking.parent_run_id
    ) as run:
        describe(run, stage, inputs)
        summary = dict(stage.run(Context(stage.cfg, directory, inputs, run)))
        run_dir.write_summary(summary)
        keep(run, stage, summary)
    run_dir.mark_complete()
    return summary


def _help(stage: Stage, inputs: Mapping[str, Path], lock: StageLock, force: bool) -> dict[str, float]:
    """In a process other than the main one: take part if the task is distributed, and wait for the result."""
    if stage.task.distributed and lock.await_leader(lambda: stage.is_complete and not force):
        stage.run(Context(stage.cfg, stage.directory, inputs, Run()))
    await_main(stage.directory)
    return RunDir(stage.directory).read_summary()
