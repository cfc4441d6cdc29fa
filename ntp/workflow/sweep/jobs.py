"""Sweeps from the command line: before the jobs, in each job, after them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue

from ntp.errors import NtpError, PreemptedError
from ntp.tracking.owner import Owner
from ntp.workflow.sweep.parent_run import close_sweep, open_sweep
from ntp.workflow.sweep.records import (
    DONE,
    FAILED,
    RUNNING,
    Job,
    Parent,
    Progress,
    job_folder,
    read_parent,
    read_progress,
    write_job,
    write_parent,
    write_progress,
)
from ntp.workflow.sweep.status import statuses
from ntp.workflow.sweep.table import print_table


def is_job() -> bool:
    """Whether this process runs a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def run_job(cfg: DictConfig) -> float | None:
    """Run a job of a sweep and record its result; a job that fails does not end the sweep.

    Returns:
        The summary's `cfg.objective`; NaN if the job failed.

    Raises:
        SystemExit: A task of a SLURM job failed, whose other tasks have to end too.
    """
    # These import torch.
    from ntp.tracking.processes import is_main
    from ntp.workflow.runner import finish, stage_of

    hydra = HydraConfig.get()
    sweep, number = Path(hydra.sweep.dir), int(hydra.job.num)
    if not _is_submitted():
        log = job_folder(sweep, number) / "error.txt"
        write_job(sweep, Job(number, tuple(hydra.overrides.task), str(log)))
    directory = None
    try:
        if is_main():
            write_progress(sweep, number, Progress(RUNNING, Owner.current()))
        parent = read_parent(sweep)
        cfg.tracking.parent_run_id = parent and parent.run_id
        stage = stage_of(cfg)
        directory = str(stage.directory)
        if is_main():
            write_progress(sweep, number, Progress(RUNNING, Owner.current(), directory))
        with nullcontext() if _is_submitted() or not is_main() else sigterm_interrupts():
            objective = finish(stage)
    except (PreemptedError, KeyboardInterrupt, SystemExit):
        if not _is_submitted() and is_main():
            _interrupt(sweep, number, directory)
        raise
    except Exception as error:
        line = _one_line(error)
        if not is_main():
            line = f"task {os.environ.get('SLURM_PROCID', '')}: {line}"
        # Of several tasks, the first one to fail reports the cause; the others fail because it is gone.
        if (said := read_progress(sweep, number)) is None or said.status != FAILED:
            write_progress(sweep, number, Progress(FAILED, Owner.current(), directory, error=line))
        print(f"error: job {number}: {line}", file=sys.stderr, flush=True)
        if _is_submitted():
            traceback.print_exc()
            sys.exit(1)
        (job_folder(sweep, number) / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        return float("nan") if cfg.get("objective") else None
    if is_main():
        value = None if objective is None else float(objective)
        write_progress(sweep, number, Progress(DONE, Owner.current(), directory, value))
    return objective


class SweepReport(Callback):
    """Creates what all jobs share before they start, and reports their results at the end."""

    def on_multirun_start(self, config: DictConfig, **kwargs: object) -> None:  # noqa: ARG002
        """Create the tracking database, the experiment and the parent run of the jobs' runs."""
        sweep, tracking = Path(config.hydra.sweep.dir), config.tracking
        try:
            run_id = open_sweep(tracking.uri, tracking.experiment, sweep.name)
            write_parent(sweep, Parent(tracking.uri, run_id))
        except MissingMandatoryValue:  # no experiment was chosen, or each job has its own
            pass
        except NtpError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(1)

    def on_multirun_end(self, config: DictConfig, **kwargs: object) -> None:  # noqa: ARG002
        """Print the table of the jobs and, as the last line, the sweep's directory.

        Raises:
            SystemExit: A job failed.
        """
        try:
            status = report(Path(config.hydra.sweep.dir))
        except NtpError as error:  # Hydra would turn it into a warning
            print(f"error: {error}", file=sys.stderr, flush=True)
            status = 1
        sys.exit(status)


def report(sweep: Path) -> int:
    """Print the status of a sweep's jobs; the last line is its directory.

    Returns:
        The exit status: 1 if a job failed.

    Raises:
        DataError: A record is corrupt.
    """
    found = statuses(sweep)
    print_table(sweep, found)
    has_failed = any(status.status == FAILED for status in found)
    if all(status.has_ended for status in found):
        end(sweep, "FAILED" if has_failed else "FINISHED")
    else:
        command = f"python -m ntp.run task=collect sweep.directory={sweep}"
        print(f"unfinished jobs continue; to see their status: {command}", file=sys.stderr)
    print(sweep, flush=True)
    return int(has_failed)


@contextmanager
def ended_on_failure(sweep: Path) -> Iterator[None]:
    """End a sweep's MLflow run if its jobs cannot be submitted, since no job or report will do so."""
    try:
        yield
    except BaseException as error:
        end(sweep, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise


def end(sweep: Path, status: str) -> None:
    """Set the final status of a sweep in MLflow, where it would otherwise stay running."""
    if parent := read_parent(sweep):
        close_sweep(parent.uri, parent.run_id, status)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on SIGTERM, unless it already has a handler."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    process = os.getpid()

    def stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a handler's signature
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != process:  # a fork, terminated by its parent
            signal.raise_signal(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(sweep: Path, number: int, directory: str | None) -> None:
    """Record that a sweep on this machine ended in the middle of a job."""
    write_progress(sweep, number, Progress(FAILED, Owner.current(), directory, error="interrupted"))
    print_table(sweep, statuses(sweep))
    end(sweep, "KILLED")


def _is_submitted() -> bool:
    """Whether this process was started by SLURM through submitit."""
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def _one_line(error: Exception) -> str:
    if isinstance(error, NtpError):
        return str(error)
    if isinstance(error.__cause__, NtpError):  # Hydra's wrapper of an exception of an instantiated object
        return str(error.__cause__)
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"
