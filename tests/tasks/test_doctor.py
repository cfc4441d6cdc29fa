import io

from rich.console import Console

from ntp.config.register import compose_config
from ntp.envs.lean_doctor import Finding
from ntp.tasks import doctor


def test_everything_is_looked_for():
    cfg = compose_config(["task=doctor", "name=doctor"])
    names = [finding.name for finding in doctor.diagnose(cfg)]
    assert {"Python", "torch", "Coq", "lake", "Lean REPL", "disk"} <= set(names)


def test_the_configured_repl_is_tried():
    cfg = compose_config(["task=doctor", "name=doctor", "env=lean_repl", "env.command=[no-such-repl]"])
    (repl,) = [finding for finding in doctor.diagnose(cfg) if finding.name == "Lean REPL"]
    assert not repl.ok and "no-such-repl" in repl.detail


def test_the_table_shows_the_cure():
    stream = io.StringIO()
    findings = [Finding("Coq", "", "apt-get install coq"), Finding("disk", "82 GB free")]
    doctor.print_findings(findings, Console(file=stream, width=120))
    assert "apt-get install coq" in stream.getvalue() and "82 GB free" in stream.getvalue()
