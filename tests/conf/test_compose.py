"""Every YAML composes, instantiates where it can, and refuses what it does not know."""

import pytest
from hydra.errors import ConfigCompositionException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ntp.config.check import reject_unknown_keys, require_experiment
from ntp.config.register import CONFIG_DIR, compose_config, experiment_names
from ntp.config.schemas import SCHEMAS
from ntp.errors import ConfigError

DELTAS = ("experiment", "sweep")  # nothing is chosen of them unless asked for
GROUPS = sorted(p.name for p in CONFIG_DIR.iterdir() if p.is_dir() and p.name not in DELTAS)
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((CONFIG_DIR / group).glob("*.yaml"))]


@pytest.mark.parametrize("name", experiment_names())
def test_experiments_compose_and_resolve(name):
    cfg = compose_config([f"+experiment={name}"])
    OmegaConf.resolve(cfg)
    reject_unknown_keys(cfg)
    assert cfg.name == name


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_options_compose(group, option):
    override = f"search=[{option}]" if group == "search" else f"{group}={option}"
    extra = ["model.name_or_path=somewhere"] if option in ("pretrained", "seq2seq") else []
    cfg = compose_config(["name=test", override, *extra])
    OmegaConf.resolve(cfg)
    reject_unknown_keys(cfg)


@pytest.mark.parametrize(("group", "option"), [o for o in OPTIONS if o[0] in ("loss", "reward", "model")])
def test_options_instantiate(group, option):
    extra = ["model.name_or_path=somewhere"] if option in ("pretrained", "seq2seq") else []
    cfg = compose_config(["name=test", f"{group}={option}", *extra])
    assert instantiate(cfg[group]) is not None


def test_a_run_without_an_experiment_lists_them():
    with pytest.raises(ConfigError, match=r"demo, .*sft"):
        require_experiment(compose_config([]))


def test_every_schema_is_used_by_a_yaml():
    for group, name in SCHEMAS:
        texts = [path.read_text() for path in (CONFIG_DIR / group).glob("*.yaml")]
        assert any(f"[{name}, _self_]" in text for text in texts), f"{group}/{name}"


@pytest.mark.parametrize(
    "override",
    ["loss.penaltty=huber", "model.hiden_size=8", "trainer.max_step=3", "data.split.sed=1", "lr=1"],
)
def test_a_typo_names_the_key(override):
    with pytest.raises(ConfigCompositionException, match=override.split("=")[0]):
        compose_config(["name=test", override])


@pytest.mark.parametrize("override", ["model.hidden_size=wide", "env.num_workers=many", "seed=x"])
def test_a_wrong_type_names_the_key(override):
    with pytest.raises(ConfigCompositionException, match=override.split("=")[0]):
        compose_config(["name=test", override])


@pytest.mark.parametrize("override", ["+loss.penaltty=huber", "+data.split.sead=1", "+lr=1"])
def test_a_forced_typo_names_the_group(override):
    cfg = compose_config(["name=test", override])
    with pytest.raises(ConfigError, match=r"unknown key .*(group|the config)"):
        reject_unknown_keys(cfg)


def test_a_typo_in_a_yaml_fails(tmp_path, monkeypatch):
    import shutil

    from ntp.config import register

    shutil.copytree(CONFIG_DIR, tmp_path / "conf")
    (tmp_path / "conf/loss/tb.yaml").write_text("defaults: [schema, _self_]\n\npenaltty: huber\n")
    monkeypatch.setattr(register, "CONFIG_DIR", tmp_path / "conf")
    with pytest.raises(ConfigCompositionException, match="loss/tb"):
        compose_config(["name=test", "loss=tb"])
