"""What the engine knows about a kind of stage: everything is declared by its task, in one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import get_object
from omegaconf import DictConfig

from ntp.errors import ConfigError
from ntp.workflow.context import Context

if TYPE_CHECKING:
    from ntp.workflow.plan import Needs

Run = Callable[[Context], Mapping[str, float]]


def _nothing(_: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Sharding:
    """How a task is divided into shards.

    Attributes:
        section: Section of the config with the options `shard`, `num_shards` and `costs`.
        merge: Makes the whole result from the shards: `shard/0`, `shard/1`, ... in `Context.inputs`.
        estimate: Version of the cost estimate by which theorems are divided among shards: shards divided by
            another version are not reused.
    """

    section: str
    merge: Run
    estimate: int


@dataclass(frozen=True)
class Task:
    """A kind of stage. Its YAML in `conf/task/` names it: `_target_: package.module.TASK`.

    Attributes:
        name: Name of the kind, part of every key.
        run: Makes the result in `Context.directory` and returns its summary: metric name to number.
        reads: The parts of a config that the result depends on, as plain values by their path. A changed
            value makes the stage, and whatever needs it, again. See `ntp.workflow.stage.read`.
        needs: Adds the stages and checkpoints that the task needs, by the role it knows them under.
        check: Raises `NtpError` for a config that cannot work, before anything is made.
        sharding: How it is divided into shards, if it can be.
        distributed: Whether all processes of a distributed run call `run`; otherwise only the main one does.
        weights: Folder of the output directory with trained weights, kept as an MLflow artifact if small.
        tags: MLflow tags of a result, from its directory; also set on the runs of stages that need it.
    """

    name: str
    run: Run
    reads: Callable[[DictConfig], dict[str, Any]] = _nothing
    needs: Callable[[Needs], object] = _nothing
    check: Callable[[DictConfig], object] = _nothing
    sharding: Sharding | None = None
    distributed: bool = False
    weights: str | None = None
    tags: Callable[[Path], Mapping[str, str]] = _nothing


@dataclass(frozen=True)
class Report:
    """Something that is only printed: it has no experiment, no output directory and no summary.

    Attributes:
        name: Name in messages.
        run: Prints it.
    """

    name: str
    run: Callable[[DictConfig], None]


def task_of(cfg: DictConfig) -> Task | Report:
    """The task that a config names.

    Raises:
        ConfigError: There is no such object, or it is no task.
    """
    target = cfg.task._target_
    try:
        task = get_object(target)
    except (ImportError, AttributeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"task._target_={target} cannot be imported: {reason}") from error
    if not isinstance(task, Task | Report):
        raise ConfigError(f"task._target_={target} is a {type(task).__name__}, not a Task or a Report")
    return task
