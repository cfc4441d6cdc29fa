"""What tasks read of attempts and of trained verifiers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig

from ntp.data.attempts import AttemptRecord
from ntp.data.examples import LabelledState, decided_states, labelled_states
from ntp.errors import DataError
from ntp.jsonl import read_jsonl
from ntp.tasks.mine import attempts_file
from ntp.tasks.policies import load_policy
from ntp.verifier.ensemble import VerifierEnsemble


def labelled_side(directory: Path, side: str) -> list[LabelledState]:
    """The labelled states of a side of the split, from the directory of a mining run.

    Raises:
        DataError: None of them has both a correct and an incorrect tactic.
    """
    path = attempts_file(directory, side)
    states = labelled_states(read_jsonl(path, AttemptRecord))
    if not decided_states(states):
        raise DataError(f"{path}: no state has both a correct and an incorrect tactic; mine more theorems")
    return states


def load_verifiers(cfg: DictConfig, inputs: Mapping[str, Path]) -> VerifierEnsemble:
    """The ensemble of the stage `verifier` on the policy of `backbone`.

    Raises:
        CheckpointError: They do not fit, or one of them cannot be read.
    """
    backbone = load_policy(cfg, inputs["backbone"])
    directory = inputs["verifier"]
    inner = directory / "verifier"
    return VerifierEnsemble.load(backbone, inner if inner.is_dir() else directory)
