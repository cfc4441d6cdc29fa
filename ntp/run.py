"""The command line: `python -m ntp.run +experiment=NAME [key=value ...]`."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

# Read when torch is imported: threads that spin for long starve the provers on the same cores, and threads
# that never spin wake up too late for the small matrices of a small model.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from ntp.config.choices import check_choices, help_text
from ntp.config.paths import CONFIG_DIR
from ntp.errors import ConfigError, NtpError, PreemptedError

# A partition's GraceTime is seconds to minutes.
_SLURM_ENDS_JOBS_WITHIN_S = 600.0
_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    """Answer `--help`, or run Hydra on the command line."""
    arguments = sys.argv[1:]
    if "--help" in arguments or "-h" in arguments:
        print(help_text(CONFIG_DIR))
        return
    try:
        check_choices(arguments, CONFIG_DIR)
    except ConfigError as error:
        _fail(f"error: {error}", 1)
    # Hydra and its plugins take seconds to import.
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from ntp.config.mistakes import one_line
    from ntp.config.register import register

    register()
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    # Hydra then raises errors of the command line, which it would print over several lines.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="config")(run)()
    except (HydraException, OmegaConfBaseException) as error:
        if wants_traceback:
            raise
        _fail(f"error: {one_line(error)}", 1)


def run(cfg: DictConfig) -> float | None:
    """Hand a composed config to the engine, and turn the user's errors into one line."""
    from hydra.errors import InstantiationException

    try:
        # Imported only after the config has been composed without errors, because they import torch.
        from ntp.workflow.runner import run_task
        from ntp.workflow.sweep.jobs import is_job, run_job

        return run_job(cfg) if is_job() else run_task(cfg)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("ntp"):
            raise
        _fail(f"error: {error}: {sys.executable} -m pip install -r requirements.lock", 1)
    except NtpError as error:
        _fail(f"error: {error}", 1)
    except OSError as error:
        if error.errno not in _DISK_IS_FULL:
            raise
        _fail(
            f"error: {error.strerror}{f': {error.filename}' if error.filename else ''}: make room; what was "
            "written is kept, the same command with resume=true continues",
            1,
        )
    except InstantiationException as error:  # Hydra's wrapper of an exception of an instantiated object
        if not isinstance(error.__cause__, NtpError):
            raise
        _fail(f"error: {error.__cause__}", 1)
    except PreemptedError as stop:
        from ntp.tracking.processes import is_main

        if is_main():
            print(f"{stop}; the same command with resume=true continues", file=sys.stderr, flush=True)
        if stop.signum == signal.SIGTERM and "SLURM_JOB_ID" in os.environ:
            # SLURM requeues a preempted job, but counts it as failed if it ends before that.
            time.sleep(_SLURM_ENDS_JOBS_WITHIN_S)
        if not is_main():  # the main process reports how the run ended
            sys.exit(0)
        # submitit handles the signal and requeues the job.
        signal.raise_signal(stop.signum)
        sys.exit(128 + stop.signum)
    except KeyboardInterrupt:
        _fail("interrupted: what was written is kept, the same command with resume=true continues", 130)


def _fail(message: str, status: int) -> NoReturn:
    print(message, file=sys.stderr, flush=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
