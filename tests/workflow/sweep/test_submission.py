import os

import pytest

from ntp.workflow.sweep.submission import _outside_any_job, place


def test_a_job_is_told_the_devices_that_slurm_gives_it():
    placed = place([["+experiment=sft", "seed=0"], ["+experiment=sft", "trainer.devices=8"]], 8, 2)
    assert placed == [
        ["+experiment=sft", "seed=0", "trainer.devices=8", "trainer.num_nodes=2"],
        ["+experiment=sft", "trainer.devices=8", "trainer.num_nodes=2"],
    ]


@pytest.mark.parametrize("override", ["trainer.devices=4", "trainer.num_nodes=3", "trainer.devices=auto"])
def test_a_job_that_asks_for_others_is_refused(override, capsys):
    with pytest.raises(SystemExit):
        place([["+experiment=sft", override]], 8, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and override in line


def test_a_sweep_submitted_from_within_a_job_does_not_inherit_its_limits(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "100")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm/slurm.conf")
    with _outside_any_job():
        assert {name for name in os.environ if name.startswith("SLURM_")} == {"SLURM_CONF"}
    assert os.environ["SLURM_MEM_PER_CPU"] == "100"
