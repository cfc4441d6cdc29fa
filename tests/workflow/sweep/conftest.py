"""Records of sweeps as jobs leave them."""

import dataclasses
import json

import pytest

from ntp.tracking.owner import Owner
from ntp.workflow.sweep.records import DONE, Job, Progress, write_job, write_progress


@pytest.fixture
def sweep(tmp_path):
    """A sweep's directory, and how to put jobs into it."""
    return SweepOnDisk(tmp_path)


class SweepOnDisk:
    def __init__(self, tmp_path):
        self.path = tmp_path / "sweep"
        self._outputs = tmp_path

    def job(self, number, *overrides, slurm_job=None):
        write_job(self.path, Job(number, overrides, f"/logs/{number}.err", slurm_job))

    def says(self, number, status, is_alive=True, summary=None, **fields):
        """What a job says of itself; a process of this machine that started before all others is dead."""
        owner = Owner.current() if is_alive else dataclasses.replace(Owner.current(), started=0.0)
        if status == DONE:
            directory = self._outputs / f"sft-{number}"
            directory.mkdir()
            (directory / "summary.json").write_text(json.dumps(summary or {}))
            fields["directory"] = str(directory)
        write_progress(self.path, number, Progress(status, owner, **fields))
