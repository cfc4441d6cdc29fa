"""The command line: `python -m ntp.run +experiment=NAME [key=value ...]`."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

# Read when torch is imported: threads that spin for long starve the provers they share the cores with, and
# threads that never spin wake too late for the small matrices of a small model.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig

from ntp.config.register import CONFIG_DIR, register
from ntp.errors import NtpError, PreemptedError

register()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="config")
def main(cfg: DictConfig) -> float | None:
    """Compose the config, hand it to its task, and turn the user's errors into one line."""
    from ntp.tasks.main import run_task  # imports torch: after the config has been found to be sound

    try:
        return run_task(cfg)
    except NtpError as error:
        _fail(f"error: {error}", 1)
    except InstantiationException as error:  # Hydra's wrapping of what an object of the config raised
        if not isinstance(error.__cause__, NtpError):
            raise
        _fail(f"error: {error.__cause__}", 1)
    except PreemptedError as stop:
        from ntp.tracking.processes import is_main

        if not is_main():  # the main process says how the run ended
            sys.exit(0)
        print(f"{stop}; the same command with resume=true continues", file=sys.stderr, flush=True)
        # Whoever waits for the signal hears of it now: submitit puts the job back into the queue.
        signal.raise_signal(stop.signum)
        sys.exit(128 + stop.signum)
    except KeyboardInterrupt:
        _fail("interrupted: what was written is kept, the same command with resume=true continues", 130)


def _fail(message: str, status: int) -> NoReturn:
    print(message, file=sys.stderr, flush=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
