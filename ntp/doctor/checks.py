"""The doctor's checks: each is a function of the config that returns findings."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sqlite3
import sys
from contextlib import closing
from importlib import metadata
from pathlib import Path

import psutil
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from packaging.requirements import Requirement

from ntp.config.register import PROJECT_ROOT, compose_config
from ntp.doctor.lean import lean_findings
from ntp.doctor.probe import ANSWER_TIMEOUT_S, Finding, NoAnswer, ask
from ntp.doctor.tracking_server import server_finding
from ntp.envs.coq.installation import INSTALL_COMMAND, PROVERS, SERVERS, CoqInstallation
from ntp.envs.coq.project import standard_library
from ntp.errors import EnvError, NtpError
from ntp.sandbox.isolation import AUTO, description, trouble_of
from ntp.sandbox.isolation import INSTALL_COMMAND as INSTALL_BUBBLEWRAP

_MIN_FREE_GB = 10
_SHOWN = ("torch", "lightning", "transformers", "peft", "mlflow", "hydra-core", "submitit")
_MALICIOUS = {"lightning": ("2.6.2", "2.6.3")}


def python(cfg: DictConfig) -> list[Finding]:  # noqa: ARG001
    """The interpreter and the machine."""
    memory = psutil.virtual_memory()
    return [
        Finding("Python", f"{platform.python_version()} ({sys.executable})"),
        Finding("CPU cores", str(len(os.sched_getaffinity(0)))),
        Finding("memory", f"{memory.available / 2**30:.0f} of {memory.total / 2**30:.0f} GiB free"),
    ]


def libraries(cfg: DictConfig) -> list[Finding]:  # noqa: ARG001
    """The package's requirements: the most important ones, and others if something is wrong with them."""
    try:
        wanted = [Requirement(text) for text in metadata.requires("ntp") or ()]
    except metadata.PackageNotFoundError:
        return [Finding("ntp", "", "make setup", "not installed", needed=True)]
    wanted = [need for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""})]
    found = [_library(need) for need in wanted]
    return [finding for finding in found if finding.name in _SHOWN or not finding.ok]


def _library(wanted: Requirement) -> Finding:
    fix = f"{sys.executable} -m pip install -r {PROJECT_ROOT / 'requirements.lock'}"
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return Finding(wanted.name, "", fix, f"{wanted.specifier} is needed", needed=True)
    if version in _MALICIOUS.get(wanted.name, ()):
        detail = "a malicious release: treat every secret on this machine as stolen"
        return Finding(wanted.name, version, fix, detail, needed=True)
    if not wanted.specifier.contains(version, prereleases=True):
        return Finding(wanted.name, version, fix, f"{wanted.specifier} is needed", needed=True)
    return Finding(wanted.name, version, needed=True)


def devices(cfg: DictConfig) -> list[Finding]:
    """GPUs that torch can use, compared with the number in the trainer's config."""
    asked, devices = cfg.trainer.accelerator in ("gpu", "cuda"), cfg.trainer.devices
    quantised = cfg.model.get("quantization", "none") != "none"
    wanted = max(int(quantised), devices if asked and isinstance(devices, int) else int(asked))
    if torch.cuda.device_count() < wanted:
        fix = "trainer.accelerator=cpu trainer.devices=1" + " model.quantization=none" * quantised
        detail = f"this config wants {wanted}, torch sees {torch.cuda.device_count()}"
        return [Finding("GPU", "", fix, detail, needed=True)]
    if not torch.cuda.is_available():
        return [Finding("GPU", "none", detail="small models only; everything else runs without one")]
    return [
        Finding(f"GPU {i}", torch.cuda.get_device_name(i), detail=_memory(i))
        for i in range(torch.cuda.device_count())
    ]


def _memory(device: int) -> str:
    free, total = torch.cuda.mem_get_info(device)
    return f"{free / 2**30:.0f} of {total / 2**30:.0f} GiB free"


def coq(cfg: DictConfig) -> list[Finding]:
    """Coq's IDE server in a supported version, its library, other provers, and the project of the config."""
    sysroot = cfg.env.get("sysroot")
    chosen = CoqInstallation(cfg.env.get("coqidetop"), Path(sysroot) if sysroot else None)
    return [_coq_server(chosen), _coq_library(chosen), *_other_coqs(cfg, chosen), *_coq_project(cfg)]


def _coq_server(installation: CoqInstallation) -> Finding:
    try:
        return Finding("Coq", f"{installation.version}, {_place(installation)}")
    except NtpError as error:
        return Finding("Coq", "", INSTALL_COMMAND, str(error))


def _coq_library(installation: CoqInstallation) -> Finding:
    try:
        directories = standard_library(installation).roots
    except NtpError as error:
        return Finding("Coq library", "", INSTALL_COMMAND, str(error))
    return Finding("Coq library", ", ".join(map(str, directories)))


def _other_coqs(cfg: DictConfig, chosen: CoqInstallation) -> list[Finding]:
    """Provers that the config could use instead."""
    sysroots = sorted(Path(cfg.paths.root, PROVERS).glob("*/usr"))
    others = [CoqInstallation(name) for name in SERVERS if shutil.which(name)]
    others += [CoqInstallation(sysroot=directory.parent) for directory in sysroots]
    findings = []
    for other in others:
        with contextlib.suppress(NtpError):
            if _place(other) != _place(chosen):
                option = f"env.sysroot={other.sysroot}" if other.sysroot else f"env.coqidetop={other.server}"
                findings.append(Finding("another Coq", f"{other.version}, {_place(other)}", detail=option))
    return findings


def _place(installation: CoqInstallation) -> str:
    return f"{installation.sysroot or ''}{installation.program}"


def _coq_project(cfg: DictConfig) -> list[Finding]:
    """The project of one's own, if the config names one."""
    if cfg.env.get("root") is None:
        return []
    try:
        project = instantiate(cfg.env).project
    except NtpError as error:
        return [Finding("Coq project", "", "", str(error), needed=True)]
    paths = ", ".join(f"{p.flag} {p.directory} {p.name}" for p in project.load_paths) or "no load paths"
    return [Finding("Coq project", f"{project.root}: {len(project.files())} files, {paths}")]


def lean(cfg: DictConfig) -> list[Finding]:
    """Lean's tools, and the REPL of the environment or else of `env=lean_repl`."""
    chosen = cfg.env
    if "LeanReplFactory" not in chosen._target_:
        chosen = compose_config(["name=doctor", "env=lean_repl"]).env
    return lean_findings(instantiate(chosen))


def isolation(cfg: DictConfig) -> list[Finding]:
    """How provers are isolated on this machine, and whether all of them fit into its memory."""
    try:
        factory = instantiate(cfg.env)
        found = description(factory.limits)
    except EnvError as error:
        return [Finding("isolation", "", INSTALL_BUBBLEWRAP, str(error), needed=True)]
    except NtpError as error:
        return [Finding("isolation", "", "", str(error), needed=True)]
    trouble = trouble_of("bubblewrap") if factory.limits.isolation == AUTO else ""
    return [
        Finding("isolation", found, INSTALL_BUBBLEWRAP if trouble else "", trouble),
        _memory_of_provers(factory.num_workers, factory.limits.memory_mb),
    ]


def _memory_of_provers(num_workers: int, memory_mb: int) -> Finding:
    total_mb = psutil.virtual_memory().total >> 20
    found = f"{num_workers} of at most {memory_mb} MB each"
    if num_workers * memory_mb <= total_mb:
        return Finding("provers", found)
    detail = f"this machine has {total_mb} MB: tactics that eat memory at the same time may exhaust it"
    return Finding("provers", found, f"env.max_memory_mb={total_mb // num_workers // 2}", detail)


def slurm(cfg: DictConfig) -> list[Finding]:  # noqa: ARG001
    """SLURM's commands, whether its controller answers, and the partitions."""
    for program in ("sbatch", "sinfo"):
        if shutil.which(program) is None:
            detail = f"{program} is not on PATH; only hydra/launcher=slurm_* needs it"
            return [Finding("SLURM", "", "apt-get install slurm-wlm munge", detail)]
    answer = ask(["sinfo", "--noheader", "--format=%P %a, %D nodes, gres %G"])
    if isinstance(answer, NoAnswer):
        fix = "systemctl restart munge slurmctld slurmd"
        detail = f"the controller does not answer sinfo: {answer.reason}"
        return [Finding("SLURM", "", fix, detail, trouble="not running")]
    return [Finding("SLURM", "; ".join(answer.splitlines()))]


def tracking(cfg: DictConfig) -> list[Finding]:
    """Whether runs can be recorded at `tracking.uri`."""
    if OmegaConf.is_missing(cfg.tracking, "uri") or not cfg.tracking.uri:
        fix = "export MLFLOW_TRACKING_URI=http://HOST:5000"
        return [Finding("tracking", "", fix, "tracking.uri is empty: give a server")]
    uri = str(cfg.tracking.uri)
    if uri.startswith("sqlite:///"):
        return [_database(uri, Path(uri.removeprefix("sqlite:///")).absolute()), *_one_machine(uri)]
    if uri.startswith(("http://", "https://")):
        return [server_finding(uri)]
    if "://" not in uri or uri.startswith("file:"):
        detail = "MLflow no longer keeps runs in plain files"
        return [Finding("tracking", uri, "tracking.uri=sqlite:////a/place/of/yours/mlflow.db", detail)]
    return [Finding("tracking", uri, detail="not tried")]


def submits_to_slurm() -> bool:
    """Whether `hydra/launcher` gives the jobs of a sweep to SLURM."""
    launcher = HydraConfig.get().launcher._target_ if HydraConfig.initialized() else ""
    return str(launcher).endswith("SlurmLauncher")


def _one_machine(uri: str) -> list[Finding]:
    """A warning about a database file when jobs run on several machines."""
    if not submits_to_slurm():
        return []
    detail = "SQLite does not support jobs that write from several machines"
    return [Finding("tracking of SLURM jobs", uri, "tracking=mlflow_server", detail)]


def _database(uri: str, path: Path) -> Finding:
    fix = "tracking.uri=sqlite:////a/place/of/yours/mlflow.db"
    there = _nearest(path.parent)
    if not (there.is_dir() and os.access(there, os.W_OK)):
        return Finding("tracking", "", fix, f"{there} cannot be written")
    if not path.exists():
        return Finding("tracking", uri, detail="will be created")
    try:
        with closing(sqlite3.connect(path, timeout=ANSWER_TIMEOUT_S / 2)) as database:
            # Takes the write lock and releases it.
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
    except sqlite3.Error as error:
        return Finding("tracking", "", fix, f"{path}: {error}")
    return Finding("tracking", uri)


def disk(cfg: DictConfig) -> list[Finding]:
    """Free space for outputs."""
    there = _nearest(Path(cfg.paths.outputs))
    free_gb = shutil.disk_usage(there).free / 1e9
    fix = "" if free_gb >= _MIN_FREE_GB else f"free some of {there}, or paths.outputs=/elsewhere"
    found = [Finding("disk", f"{free_gb:.0f} GB free", fix, str(there))]
    if not (there.is_dir() and os.access(there, os.W_OK)):
        detail = f"{there} cannot be written"
        found.append(Finding("outputs", "", "paths.outputs=/a/place/of/yours", detail))
    return found


def _nearest(path: Path) -> Path:
    """The path, or the nearest of its parents that exists."""
    return next(found for found in (path, *path.parents) if found.exists())
