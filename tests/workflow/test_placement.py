import pytest

from ntp.errors import ConfigError
from ntp.workflow.placement import is_sharded, require_placement
from ntp.workflow.stage import Stage
from ntp.workflow.task import task_of


@pytest.mark.parametrize("devices", [1, "1"])
def test_one_device_has_nobody_to_share_a_backbone_with(make_context, devices):
    with pytest.raises(ConfigError, match="and there is one: give"):
        require_placement(make_context("sft", "trainer.strategy=fsdp", f"trainer.devices={devices}").cfg)


@pytest.mark.parametrize(
    "overrides", [["trainer.devices=2"], ["trainer.num_nodes=2"], ["trainer.devices=auto"]]
)
def test_several_devices_may(make_context, overrides):
    cfg = make_context("sft", "trainer.strategy=fsdp", *overrides).cfg
    require_placement(cfg)
    assert is_sharded(cfg)


def test_sharding_is_no_part_of_the_key(make_context):
    one, two = (make_context("sft", *o).cfg for o in ([], ["trainer.strategy=fsdp", "trainer.devices=4"]))
    assert not is_sharded(one)
    assert Stage(task_of(one), one, {}, {}).key == Stage(task_of(two), two, {}, {}).key
