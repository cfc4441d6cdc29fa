"""Writes a whole run once there is a file `go`: `URI DIRECTORY NUMBER`, the directory without the number."""

import sys
import time
from pathlib import Path

from ntp.tracking.mlflow import MlflowRun


def main(uri: str, directory: Path, number: int) -> None:
    own = directory / str(number)
    own.mkdir()  # which says that it is ready
    while not (directory / "go").exists():
        time.sleep(0.001)
    with MlflowRun(uri, "study", own, f"run-{number}") as run:
        run.log_params({"seed": number, "model": "tiny"})
        for step in range(20):
            run.log_metrics({"train/loss": number + 1 / (step + 1), "train/grad_norm": step}, step=step)
        (own / "report.md").write_text(f"report of {number}")
        run.log_artifact(own / "report.md")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
