"""Sweeps on one machine, from the command line. Those on a cluster are tested in `slurm/`."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.coq, pytest.mark.slow]


@pytest.fixture
def cli(cli, tmp_path):
    """The command line with outputs of its own."""
    return cli.with_outputs(tmp_path / "outputs")


def test_a_job_that_fails_is_told_of_and_the_others_finish(cli):
    asked = ["-m", "+experiment=extract_coq", "data.include=[Nowhere.v],[Bool/Zerob.v]"]
    done = cli(*asked, COLUMNS="300")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (extraction,) = cli.outputs.glob("extract_coq-*/COMPLETE")
    rows = [line for line in done.stderr.splitlines() if line.startswith("│")]
    assert "[Nowhere.v]" in rows[0] and "failed" in rows[0]
    assert "[Bool/Zerob.v]" in rows[1] and "done" in rows[1] and extraction.parent.name in rows[1]
    why, log = done.stderr.split("job 0 failed: ")[1].splitlines()[:2]
    assert "Nowhere.v" in why
    assert why in Path(log.split("log: ")[1]).read_text()

    later = cli("task=collect", COLUMNS="300")
    assert later.returncode == 1
    assert [line for line in later.stderr.splitlines() if line.startswith("│")] == rows
    assert later.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]
