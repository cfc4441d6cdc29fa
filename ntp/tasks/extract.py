"""Extract a data set from the sources of a project."""

from __future__ import annotations

from dataclasses import asdict

from hydra.utils import instantiate

from ntp.data.extract import extract
from ntp.tasks.context import Context


def run(context: Context) -> dict[str, float]:
    """Replay every selected file and record its theorems, steps and premises."""
    data = context.cfg.data
    summary = extract(
        instantiate(context.cfg.env).project,
        context.directory,
        include=list(data.include),
        exclude=list(data.exclude),
        num_workers=data.num_extract_workers,
    )
    return {name: value for name, value in asdict(summary).items() if isinstance(value, int | float)}
