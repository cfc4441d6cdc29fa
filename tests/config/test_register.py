import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ntp.config.register import CONFIG_DIR, compose_config, shards


def test_a_sweep_over_shards_has_all_of_them():
    assert shards(3) == "0/3,1/3,2/3"
    (override,) = OverridesParser.create().parse_overrides([f"evaluation.shard={shards(3)}"])
    assert list(override.sweep_string_iterator()) == ["0/3", "1/3", "2/3"]


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIG_DIR / "sweep").glob("*.yaml")))
def test_sweeps_fit_the_config(name):
    cfg = compose_config(["+experiment=search_eval", f"+sweep={name}", "evaluation.num_shards=2"])
    assert cfg.name == "search_eval"
