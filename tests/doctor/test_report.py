import http.server
import io
import sqlite3
import sys
import threading
import time
from importlib import metadata

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from rich.console import Console

from ntp.config.register import CONFIG_DIR, compose_config, register
from ntp.doctor import checks, report
from ntp.doctor.probe import Finding
from ntp.errors import EnvError

register()


def config(*overrides):
    return compose_config(["task=doctor", "name=doctor", *overrides])


def findings(check, *overrides):
    return {finding.name: finding for finding in check(config(*overrides))}


@pytest.fixture
def script(tmp_path, own_path):
    """Writes a program, and hides all others."""
    directory = tmp_path / "bin"
    directory.mkdir()
    own_path(directory)

    def write(name, text):
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)

    return write


def test_everything_is_looked_for(tmp_path):
    found = report.diagnose(config(f"paths.outputs={tmp_path}"), patience_s=120)
    names = [finding.name for finding in found]
    wanted = {"Python", "torch", "lightning", "transformers", "peft", "mlflow", "hydra-core", "submitit"}
    assert wanted | {"Coq", "Coq library", "lake", "Lean REPL", "SLURM", "tracking", "disk"} <= set(names)
    assert all(f.ok for f in found if f.name in wanted)
    assert {f.name for f in found if f.needed} >= {"Coq", "torch", "tracking"}
    assert not any(f.needed for f in found if f.name in {"Lean REPL", "SLURM", "GPU"})


def test_isolation_is_that_of_the_environment():
    dojo = ["env=lean_dojo", "env.url=https://example.org/repo", "env.commit=abc"]
    found = findings(checks.isolation, *dojo, "env.num_workers=2")
    assert "limits" in found["isolation"].found and "32768 MB" in found["isolation"].found
    assert "2 of at most 32768 MB" in found["provers"].found
    unknown = findings(checks.isolation, "env.isolation=nonsense")["isolation"]
    assert unknown.needed and not unknown.ok and "nonsense" in unknown.detail


def test_provers_that_could_exhaust_the_machine_are_told_of():
    found = findings(checks.isolation, "env.num_workers=1000000")["provers"]
    assert not found.ok and "exhaust" in found.detail


def test_gpus_that_the_config_wants_and_are_not_there_are_told_of():
    many = 1 + checks.torch.cuda.device_count()
    asked = ["trainer.accelerator=gpu", f"trainer.devices={many}"]
    (found,) = checks.devices(config(*asked))
    assert found.needed and not found.ok and f"wants {many}" in found.detail
    assert all(finding.ok for finding in checks.devices(config()))


@pytest.mark.coq
def test_coq_is_found(script, monkeypatch):
    monkeypatch.undo()
    found = findings(checks.coq)
    assert found["Coq"].ok and found["Coq"].found.startswith("8.")
    assert found["Coq library"].ok and found["Coq library"].found.endswith("theories")


def test_coq_that_is_missing_ends_in_failure(script, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # a narrow table folds commands
    cfg = config(f"paths.outputs={tmp_path}")
    assert all(f.fix == "apt-get install coq" for f in checks.coq(cfg) if f.name != "another Coq")
    with pytest.raises(EnvError, match="needed here, and missing or broken: Coq, Coq library"):
        report.run(cfg)
    assert "apt-get install coq" in capsys.readouterr().out


def test_coq_of_another_version_is_not_enough(script):
    script("coqidetop.opt", "echo The Coq Proof Assistant, version 8.13.2")
    coq = findings(checks.coq)["Coq"]
    assert not coq.ok and "8.13.2" in coq.detail and "8.16 to Rocq 9.2" in coq.detail


def test_the_configured_repl_is_tried_and_needed(tmp_path):
    overrides = ["env=lean_repl", "env.command=[no-such-repl]", f"paths.outputs={tmp_path}"]
    (repl,) = [f for f in report.diagnose(config(*overrides)) if f.name == "Lean REPL"]
    assert not repl.ok and repl.needed and "no-such-repl" in repl.detail


def test_slurm_that_is_missing(script):
    slurm = findings(checks.slurm)["SLURM"]
    assert not slurm.found and slurm.fix.startswith("apt-get install slurm-wlm")


def test_slurm_with_its_partitions(script):
    script("sbatch", "")
    script("sinfo", "echo 'debug* up, 2 nodes, gres gpu:8'; echo 'long up, 4 nodes, gres (null)'")
    slurm = findings(checks.slurm)["SLURM"]
    assert slurm.ok and slurm.found == "debug* up, 2 nodes, gres gpu:8; long up, 4 nodes, gres (null)"


def test_slurm_without_a_controller(script):
    script("sbatch", "")
    script("sinfo", "echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1")
    slurm = findings(checks.slurm)["SLURM"]
    assert not slurm.ok and "Unable to contact" in slurm.detail and "slurmctld" in slurm.fix
    assert slurm.state == "not running"


def test_a_controller_that_hangs_does_not_hang_the_doctor(script):
    script("sbatch", "")
    script("sinfo", "/bin/sleep 600")
    started = time.monotonic()
    slurm = findings(checks.slurm)["SLURM"]
    assert time.monotonic() - started < 9
    assert not slurm.ok and "no answer within 5 s" in slurm.detail


def test_checks_that_fail_or_hang_are_findings():
    def broken(cfg):
        raise OSError("Input/output\nerror")

    never = threading.Event()
    looked_for = {"broken": broken, "hung": lambda cfg: [never.wait()], "GPU": checks.devices}
    found = report.diagnose(config(), looked_for, patience_s=0.5)
    never.set()
    details = {finding.name: finding.detail for finding in found}
    assert details["broken"] == "Input/output error" and details["hung"] == "no answer within 0.5 s"
    assert [finding.name.split()[0] for finding in found[:3]] == ["broken", "hung", "GPU"]


def pretend(directory, name, version):
    """A library's record of its version, in front of the real one."""
    record = directory / f"{name}-{version}.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_malicious_and_old_libraries_are_named(tmp_path, monkeypatch):
    pretend(tmp_path, "lightning", "2.6.3")
    pretend(tmp_path, "safetensors", "0.1")
    monkeypatch.syspath_prepend(tmp_path)
    assert metadata.version("lightning") == "2.6.3"
    found = findings(checks.libraries)
    assert "malicious" in found["lightning"].detail and not found["lightning"].ok
    assert found["safetensors"].detail == ">=0.4 is needed"
    assert f"{sys.executable} -m pip install -r" in found["safetensors"].fix
    assert found["torch"].ok and "numpy" not in found


def track(uri):
    return findings(checks.tracking, f"tracking.uri={uri}")["tracking"]


def test_a_database_that_can_be_written_or_made(tmp_path):
    path = tmp_path / "new" / "mlflow.db"
    assert track(f"sqlite:///{path}").detail == "will be created" and not path.parent.exists()
    path.parent.mkdir()
    sqlite3.connect(path).execute("create table runs (id)").connection.close()
    assert track(f"sqlite:///{path}").ok


def test_databases_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("no database, but longer than its header" * 10)
    assert "not a database" in track(f"sqlite:///{tmp_path}/file").detail
    assert "cannot be written" in track(f"sqlite:///{tmp_path}/file/mlflow.db").detail
    locked = tmp_path / "locked.db"
    holder = sqlite3.connect(locked, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert "locked" in track(f"sqlite:///{locked}").detail
    finally:
        holder.close()
    assert findings(checks.tracking, "tracking=mlflow_server", "tracking.uri=''")["tracking"].fix.startswith(
        "export"
    )
    assert track("outputs/mlruns").fix.startswith("tracking.uri=sqlite:")


@pytest.mark.parametrize(("launcher", "is_said"), [("basic", False), ("slurm_1gpu", True)])
def test_a_database_is_not_for_jobs_on_several_machines(tmp_path, launcher, is_said):
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        asked = ["task=doctor", "name=doctor", f"paths.outputs={tmp_path}", f"hydra/launcher={launcher}"]
        cfg = compose("config", asked, return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    try:
        found = {finding.name: finding for finding in checks.tracking(cfg)}
    finally:
        HydraConfig.instance().cfg = None
    assert found["tracking"].ok
    said = found.get("tracking of SLURM jobs")
    assert (said is not None) == is_said
    assert said is None or (said.fix == "tracking=mlflow_server" and not said.needed)


@pytest.fixture
def web_server():
    """Serves one answer on every path but MLflow's `/health`, which is open to all."""
    answers = {"status": 200, "text": '{"experiments": []}', "authorization": None}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            is_health = self.path == "/health"
            answers["authorization"] = self.headers["Authorization"]
            self.send_response(200 if is_health else answers["status"])
            self.end_headers()
            self.wfile.write(b"OK" if is_health else answers["text"].encode())

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()

    def stop():
        server.shutdown()
        server.server_close()

    yield f"http://127.0.0.1:{server.server_port}", answers, stop
    stop()


def test_a_tracking_server_answers_or_does_not(web_server):
    uri, _, stop = web_server
    assert track(uri).ok
    stop()
    gone = track(uri)
    assert not gone.ok and "does not answer" in gone.detail and gone.fix.startswith("mlflow server")


def test_a_tracking_server_that_refuses_its_name_is_told_which_to_take(web_server):
    uri, answers, _ = web_server
    answers |= {"status": 403, "text": "Invalid Host header - possible DNS rebinding attack detected"}
    refusing = track(uri)
    option = f"--allowed-hosts '{uri.removeprefix('http://')},localhost:*'"
    assert not refusing.ok and "refuses this host name" in refusing.detail
    assert refusing.fix.startswith("mlflow server") and refusing.fix.endswith(option)


def test_a_tracking_server_that_wants_a_password(web_server, monkeypatch):
    uri, answers, _ = web_server
    answers |= {"status": 401, "text": "You are not authenticated"}
    refusing = track(uri)
    assert not refusing.ok and "not authenticated" in refusing.detail
    assert refusing.fix.startswith("export MLFLOW_TRACKING_USERNAME")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    track(uri)
    assert answers["authorization"] == "Basic bWU6c2VjcmV0"


def test_another_web_server_is_none_of_mlflow(web_server):
    uri, answers, _ = web_server
    answers["text"] = "<html>"
    assert "is no MLflow server" in track(uri).detail


def test_outputs_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    outputs = findings(checks.disk, f"paths.outputs={tmp_path}/file/outputs")["outputs"]
    assert not outputs.ok and "paths.outputs=" in outputs.fix


def test_one_line_for_each_finding_on_a_narrow_terminal_too():
    stream = io.StringIO()
    shown = [
        Finding("Coq", "", "apt-get install coq", "coqidetop.opt: not on PATH", needed=True),
        Finding("disk", "82 GB free"),
        Finding("SLURM", "", "systemctl restart slurmctld", "the controller " + "does not answer " * 9, False,
                trouble="not running"),
    ]  # fmt: skip
    report.print_findings(shown, Console(file=stream, width=80))
    coq, disk, slurm = stream.getvalue().splitlines()
    assert coq.split(maxsplit=3)[:3] == ["missing,", "needed", "Coq"]
    assert coq.endswith("coqidetop.opt: not on PATH  -> apt-get install coq")
    assert disk.split() == ["ok", "disk", "82", "GB", "free"]
    assert slurm.startswith("not running ") and slurm.endswith("-> systemctl restart slurmctld")


def test_a_project_that_does_not_exist_is_found_out(tmp_path):
    missing = tmp_path / "missing"
    found = findings(checks.coq, f"env.root={missing}")["Coq project"]
    assert found.needed and not found.ok and f"{missing} is not a directory" in found.detail
    (tmp_path / "A.v").write_text("Definition a := 1.\n")
    load_path = "env.load_paths=[{flag: -R, directory: no, name: My}]"
    assert (
        "is not a directory" in findings(checks.coq, f"env.root={tmp_path}", load_path)["Coq project"].detail
    )
    assert findings(checks.coq, f"env.root={tmp_path}")["Coq project"].found.endswith(
        "1 files, no load paths"
    )
