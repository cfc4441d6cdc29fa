import subprocess
import time
from pathlib import Path

import pytest

from ntp.doctor.probe import NoAnswer, ask, version_of


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("text", "found", "detail"),
    [
        ("echo Lake version 5.0.0", "Lake version 5.0.0", ""),
        ("echo no default toolchain >&2; exit 1", "", "no default toolchain"),
        ("exit 3", "", "exit status 3"),
    ],
)
def test_versions(tmp_path, text, found, detail):
    finding = version_of("lake", [script(tmp_path / "lake", text)], "make lean")
    assert (finding.found, finding.detail) == (found, detail)
    assert finding.ok == bool(found)


def test_what_is_not_there_or_cannot_start(tmp_path):
    assert ask(["no-such-program"]) == NoAnswer("not on PATH")
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    assert "does not start" in ask([str(broken)]).reason


def test_a_program_that_hangs_is_killed_with_its_children(tmp_path):
    marker = f"34567{time.time_ns() % 10_000}"  # seconds to sleep, by which the child is known
    started = time.monotonic()
    answer = ask([script(tmp_path / "sinfo", f"echo up; sleep {marker}")], timeout_s=0.5)
    assert time.monotonic() - started < 5
    assert answer == NoAnswer("no answer within 0.5 s")
    time.sleep(0.1)
    assert marker not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
