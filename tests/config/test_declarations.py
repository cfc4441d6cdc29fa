import dataclasses
import inspect
from typing import Any, Optional

import pytest
from hydra.errors import ConfigCompositionException
from hydra.utils import get_object
from omegaconf import MISSING, OmegaConf

from ntp.config.declarations import declaration_of
from ntp.config.register import compose_config
from ntp.config.schema import instance_or_options
from ntp.errors import ConfigError

CLASSES = [
    "ntp.policy.factory.TinyPolicyFactory",
    "ntp.policy.factory.PretrainedPolicyFactory",
    "ntp.envs.coq.factory.CoqEnvFactory",
    "ntp.envs.lean.factory.LeanReplFactory",
    "ntp.losses.trajectory_balance.Pairwise",
    "ntp.losses.contrastive.InfoNCE",
    "ntp.rewards.kernel.KernelReward",
    "ntp.tasks.train_gfn.GFNOptions",
    "ntp.tasks.mine.MiningOptions",
]


@pytest.mark.parametrize("target", CLASSES)
def test_what_is_read_from_the_source_is_what_python_knows(target):
    """Names and plain defaults, against the imported class's signature."""
    parameters = inspect.signature(get_object(target)).parameters
    options = {option.name: option for option in declaration_of(target).options}
    assert list(options) == list(parameters)
    for name, parameter in parameters.items():
        default = parameter.default
        if default is inspect.Parameter.empty:
            assert options[name].default == MISSING
        elif isinstance(default, str | int | float | bool | None):
            assert options[name].default == default and type(options[name].default) is type(default)
        elif isinstance(default, tuple):
            assert options[name].default == list(default)


def test_types_help_and_inheritance():
    options = {o.name: o for o in declaration_of("ntp.policy.factory.PretrainedPolicyFactory").options}
    assert options["name_or_path"].type is str and options["name_or_path"].default == MISSING
    assert options["stop"].type == Optional[str]  # noqa: UP045
    assert options["adapter"].type is Any
    assert options["precision"].type is str
    assert options["template"].default == "[GOAL]{state}[PROOFSTEP]"
    assert "{state}" in options["template"].help


def test_records_have_no_target_and_nest():
    mining = OmegaConf.structured(instance_or_options("ntp.tasks.mine.MiningOptions"))
    assert "_target_" not in mining
    assert (mining.sampling.num_samples, mining.sampling.temperature) == (24, 1.0)
    loss = OmegaConf.structured(instance_or_options("ntp.losses.contrastive.SimilarityMSE"))
    assert dict(loss) == {"_target_": "ntp.losses.contrastive.SimilarityMSE"}
    assert dataclasses.is_dataclass(instance_or_options("ntp.losses.contrastive.InfoNCE"))


@pytest.mark.parametrize("target", ["ntp.losses.nowhere.Loss", "ntp.losses.contrastive.Nothing", "Loss"])
def test_a_class_that_is_not_there(target):
    with pytest.raises(ConfigError, match="schema"):
        declaration_of(target)


def test_a_default_that_no_config_can_hold(tmp_path, monkeypatch):
    (tmp_path / "odd.py").write_text("class Odd:\n    def __init__(self, x: int = len('abc')) -> None: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"odd: the default len\('abc'\) is no plain value"):
        declaration_of("odd.Odd")


@pytest.mark.parametrize(
    "override", ["loss.regression=[1]", "mining.sampling.num_samples=many", "study.seeds=x"]
)
def test_a_wrong_type_is_refused_when_composing(override):
    with pytest.raises(ConfigCompositionException, match=override.split("=")[0].rpartition(".")[2]):
        compose_config(["+experiment=gfn_tb", override])
