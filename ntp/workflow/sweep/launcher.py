"""Options of the SLURM launcher `hydra_plugins.ntp_slurm`."""

from __future__ import annotations

from dataclasses import dataclass, field

from hydra_plugins.hydra_submitit_launcher.config import SlurmQueueConf


@dataclass
class SlurmLauncherConfig(SlurmQueueConf):
    """The options of hydra-submitit-launcher, and two more.

    Attributes:
        srun_args: Arguments of srun, which starts the tasks of a job.
        wait: Wait for the jobs. Otherwise they are only submitted, and `task=collect` reports their status.
    """

    _target_: str = "hydra_plugins.ntp_slurm.SlurmLauncher"
    srun_args: list[str] = field(default_factory=lambda: ["--kill-on-bad-exit=1"])
    wait: bool = True
