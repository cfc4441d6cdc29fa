"""Serves the copilot over HTTP until it is interrupted."""

from __future__ import annotations

import logging
import os

from omegaconf import DictConfig
from rich.console import Console

from ntp.config.bounds import check_bounds
from ntp.serve.http.app import make_app, serve
from ntp.serve.http.options import TOKEN_VARIABLE
from ntp.tasks.serving.options import given_checkpoint, http_options, make_copilot
from ntp.workflow.task import Report


def run(cfg: DictConfig) -> None:
    """Serve until interrupted.

    Raises:
        NtpError: What was given cannot be served, or the address is in use.
    """
    check_bounds(cfg)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    console = Console(stderr=True, highlight=False)
    options = http_options(cfg)
    copilot = make_copilot(cfg, given_checkpoint(cfg))
    if not copilot.is_calibrated:
        console.print("not calibrated: suggestions have no probabilities (serve.calibration=DIRECTORY)")
    app = make_app(copilot, options, os.environ.get(TOKEN_VARIABLE))
    serve(app, options, lambda url: print(f"{copilot.model} serves {copilot.prover} at {url}", flush=True))


TASK = Report("serve", run)
