"""Serves the copilot: over HTTP until it is interrupted, or to the editor or agent that has started it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from ntp import __version__
from ntp.config.bounds import check_bounds
from ntp.errors import ConfigError
from ntp.serve.copilot import Copilot
from ntp.serve.http.options import TOKEN_VARIABLE
from ntp.serve.stdio import Later
from ntp.tasks.serving.options import given_checkpoint, http_options, make_copilot
from ntp.workflow.task import Report


def run(cfg: DictConfig) -> None:
    """Serve until interrupted, or until the client ends the connection.

    Raises:
        NtpError: What was given cannot be served, or the address is in use.
    """
    check_bounds(cfg)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if cfg.serve.protocol not in _PROTOCOLS:
        raise ConfigError(f"serve.protocol={cfg.serve.protocol}: choose one of {', '.join(_PROTOCOLS)}")
    _PROTOCOLS[cfg.serve.protocol](cfg, given_checkpoint(cfg))


# Each protocol imports its own libraries: together they take seconds, and an editor waits for its server.


def _serve_http(cfg: DictConfig, checkpoint: Path | None) -> None:
    from ntp.serve.http.app import make_app, serve
    from ntp.serve.page_files import page_routes

    options = http_options(cfg)
    copilot = _make(cfg, checkpoint)
    app = make_app(copilot, options, os.environ.get(TOKEN_VARIABLE), page_routes())
    serve(app, options, lambda url: print(f"{copilot.model} serves {copilot.prover} at {url}", flush=True))


def _serve_editor(cfg: DictConfig, checkpoint: Path | None) -> None:
    from ntp.serve.lsp.desk import Desk
    from ntp.serve.lsp.server import CopilotServer

    CopilotServer(Desk(Later(lambda: _make(cfg, checkpoint))), __version__).serve()


def _serve_agent(cfg: DictConfig, checkpoint: Path | None) -> None:
    from ntp.serve.agents import agent_server
    from ntp.serve.premises import PremiseSearch

    premises, cache = cfg.serve.premises, Path(cfg.paths.outputs) / "indices"
    copilot = Later(lambda: _make(cfg, checkpoint))
    search = None if premises is None else Later(lambda: PremiseSearch(Path(premises), cache))
    try:
        agent_server(copilot, search, __version__).run("stdio")
    finally:
        if copilot.is_made:
            copilot().sessions.close_all()


def _make(cfg: DictConfig, checkpoint: Path | None) -> Copilot:
    copilot = make_copilot(cfg, checkpoint)
    if not copilot.is_calibrated:
        console = Console(stderr=True, highlight=False)
        console.print("not calibrated: suggestions have no probabilities (serve.calibration=DIRECTORY)")
    return copilot


_PROTOCOLS = {"http": _serve_http, "lsp": _serve_editor, "mcp": _serve_agent}

TASK = Report("serve", run)
