"""Submits the jobs of a sweep to SLURM, as hydra-submitit-launcher does, so that no job hides another.

Hydra takes launchers from the package `hydra_plugins` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher

from ntp.workflow.sweep.launcher import SlurmLauncherConfig

_OF_EXECUTOR = ("submitit_folder", "max_num_timeout", "wait")


ConfigStore.instance().store(group="hydra/launcher", name="schema", node=SlurmLauncherConfig)


class SlurmLauncher(BaseSubmititLauncher):
    """One SLURM job for each job of a sweep, those of a sweep in one array.

    Its parameters are those of `SlurmLauncherConfig`.
    """

    _EXECUTOR = "slurm"

    def __call__(self, sweep_overrides: list[str], *arguments: Any) -> JobReturn:
        """Run a job, on the cluster, where nothing of `ntp.run` but its main function has been loaded."""
        from ntp.config.register import register

        register()
        return super().__call__(sweep_overrides, *arguments)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit jobs and, unless told not to, wait for them.

        Raises:
            SystemExit: The jobs do not fit the launcher, or SLURM does not take them.
        """
        from ntp.workflow.sweep.jobs import ended_on_failure
        from ntp.workflow.sweep.submission import place, submit, wait

        assert self.config is not None
        sweep = Path(str(self.config.hydra.sweep.dir))
        with ended_on_failure(sweep):
            overrides = place(job_overrides, self.params["tasks_per_node"], self.params["nodes"])
            numbers = range(initial_job_idx, initial_job_idx + len(overrides))
            submit(self._executor(), self, sweep, dict(zip(numbers, overrides, strict=True)))
        if not self.params["wait"]:
            return []
        objectives = wait(sweep)
        return [_returned(overrides[n - initial_job_idx], objectives.get(n)) for n in numbers]

    def _executor(self) -> Any:
        import submitit  # late: Hydra loads every plugin at every start

        executor = submitit.AutoExecutor(
            self.params["submitit_folder"],
            cluster=self._EXECUTOR,
            slurm_max_num_timeout=self.params["max_num_timeout"],
        )
        common = BaseQueueConf.__dataclass_fields__
        parameters = {name: value for name, value in self.params.items() if name not in _OF_EXECUTOR}
        executor.update_parameters(
            **{name if name in common else f"slurm_{name}": value for name, value in parameters.items()}
        )
        return executor


def _returned(overrides: Sequence[str], objective: float | None) -> JobReturn:
    # Of jobs that failed too: Hydra would raise the first error and say nothing of the other jobs.
    done = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
    done.return_value = objective
    return done
