import io

from rich.console import Console

from ntp.workflow.sweep.records import DONE, FAILED, Job, distinct_overrides
from ntp.workflow.sweep.status import statuses
from ntp.workflow.sweep.table import main_metrics, print_table


def printed(sweep):
    stream = io.StringIO()
    print_table(sweep.path, statuses(sweep.path), Console(file=stream, width=200))
    return stream.getvalue()


def test_each_job_has_a_row_and_each_failure_a_reason_and_a_log(sweep):
    sweep.job(0, "+experiment=sft", "seed=0")
    sweep.job(1, "+experiment=sft", "seed=[bold]")
    sweep.says(0, DONE, objective=0.25, summary={"wall_s": 3.0, "num_solved": 12})
    sweep.says(1, FAILED, error="[red]data.path[/] is missing")
    lines = printed(sweep).splitlines()
    (done,) = [line for line in lines if "seed=0" in line]
    cells = [cell.strip() for cell in done.strip("│").split("│")]
    assert cells == ["0", "seed=0", "done", "sft-0", "0.25", "12"]
    assert any("seed=[bold]" in line for line in lines), "what a user wrote is no markup"
    assert "job 1 failed: [red]data.path[/] is missing" in lines
    assert "  log: /logs/1.err" in lines


def test_what_all_jobs_were_asked_is_left_out():
    jobs = [Job(n, ("+experiment=sft", f"seed={n}", "trainer.devices=1"), "log") for n in range(2)]
    assert distinct_overrides(jobs) == ["seed=0", "seed=1"]
    assert distinct_overrides(jobs[:1]) == ["+experiment=sft seed=0 trainer.devices=1"]


def test_metrics_in_which_jobs_differ_come_first():
    same = {"wall_s": 1.0, "num_steps": 5, "num_solved": 3}
    assert main_metrics([same, {**same, "wall_s": 2.0}, {}]) == ["num_steps", "num_solved"]
    assert main_metrics([same, {**same, "num_solved": 4}]) == ["num_solved"]
    assert main_metrics([{}]) == []
