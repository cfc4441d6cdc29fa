"""Every YAML composes, instantiates where it can, and refuses what it does not know."""

import itertools
import re

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ntp.config.check import reject_unknown_keys, require_experiment
from ntp.config.register import CONFIG_DIR, compose_config, experiment_names, register
from ntp.errors import ConfigError

ADDED = ("experiment", "sweep")  # with a plus, on top of a config that is whole
GROUPS = sorted(p.name for p in CONFIG_DIR.iterdir() if p.is_dir() and p.name not in ADDED)
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((CONFIG_DIR / group).glob("*.yaml"))]


# What an option of a group cannot do without.
GIVEN = {
    "pretrained": ["model.name_or_path=somewhere"],
    "seq2seq": ["model.name_or_path=somewhere"],
    "openai": ["model.base_url=http://localhost:8000/v1", "model.name=some"],
}


@pytest.mark.parametrize("name", experiment_names())
def test_experiments_compose_and_resolve(name):
    cfg = compose_config([f"+experiment={name}"])
    OmegaConf.resolve(cfg)
    reject_unknown_keys(cfg)
    assert cfg.name == name


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_options_compose(group, option):
    override = f"search=[{option}]" if group == "search" else f"{group}={option}"
    extra = GIVEN.get(option, [])
    cfg = compose_config(["name=test", override, *extra])
    OmegaConf.resolve(cfg)
    reject_unknown_keys(cfg)


@pytest.mark.parametrize(("group", "option"), [o for o in OPTIONS if o[0] in ("loss", "reward", "model")])
def test_options_instantiate(group, option):
    extra = GIVEN.get(option, [])
    cfg = compose_config(["name=test", f"{group}={option}", *extra])
    assert instantiate(cfg[group]) is not None


def compose_sweep(*overrides):
    """The config of `-m OVERRIDES`, with Hydra's own section."""
    register()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("config", overrides=list(overrides), return_hydra_config=True)


SWEEPS = sorted(path.stem for path in (CONFIG_DIR / "sweep").glob("*.yaml"))


@pytest.mark.parametrize("name", SWEEPS)
def test_every_job_of_a_sweep_composes(name):
    # What shards are asked of; the others do not read it.
    asked = ["+experiment=gfn_tb", "evaluation.num_shards=3", "mining.num_shards=3"]
    if name == "repository_shards":
        asked = ["+experiment=extract_repos", "data.repos=list.yaml", "data.num_shards=3"]
    if name == "alignment":
        asked = ["+experiment=condition_eval", "alignment.seeds=[0,1]"]
    params = compose_sweep(*asked, f"+sweep={name}").hydra.sweeper.params
    choices = [[f"{key}={value}" for value in str(values).split(",")] for key, values in params.items()]
    jobs = [compose_config([*asked, *job]) for job in itertools.product(*choices)]
    for cfg in jobs:
        OmegaConf.resolve(cfg)
        reject_unknown_keys(cfg)
    assert len({OmegaConf.to_yaml(cfg) for cfg in jobs}) == len(jobs) > 1


@pytest.mark.parametrize(
    ("name", "tasks_per_node", "gpus_per_node", "nodes"),
    [("slurm_cpu", 1, None, 1), ("slurm_1gpu", 1, 1, 1), ("slurm_8gpu", 8, 8, 1), ("slurm_2node", 8, 8, 2)],
)
def test_a_launcher_asks_for_a_task_for_each_gpu(name, tasks_per_node, gpus_per_node, nodes):
    cfg = compose_sweep("+experiment=gfn_tb", "+sweep=seeds", f"hydra/launcher={name}", "model=llemma7b")
    launcher = OmegaConf.to_container(cfg.hydra.launcher, resolve=True)
    assert launcher["tasks_per_node"] == tasks_per_node
    assert launcher["gpus_per_node"] == gpus_per_node
    assert launcher["nodes"] == nodes
    assert launcher["max_num_timeout"] > 0
    assert launcher["submitit_folder"].startswith(cfg.paths.outputs)


def test_every_launcher_is_tested():
    names = {path.stem for path in (CONFIG_DIR / "hydra/launcher").glob("*.yaml")}
    assert names == {"slurm_cpu", "slurm_1gpu", "slurm_8gpu", "slurm_2node"}


@pytest.mark.parametrize(
    "override", ["hydra.launcher.tasks_pernode=2", "hydra.launcher.srun=[]", "sweep.dir=x"]
)
def test_a_typo_in_a_launcher_names_the_key(override):
    with pytest.raises(ConfigCompositionException, match=override.split("=")[0]):
        compose_sweep("+experiment=sft", "hydra/launcher=slurm_cpu", override)


def test_a_run_without_an_experiment_lists_them():
    with pytest.raises(ConfigError, match=r"demo, .*sft"):
        require_experiment(compose_config([]))


@pytest.mark.parametrize(
    "override",
    ["loss.regresion=huber", "model.hiden_size=8", "trainer.max_step=3", "data.split.sed=1", "lr=1"],
)
def test_a_typo_names_the_key(override):
    with pytest.raises(ConfigCompositionException, match=override.split("=")[0]):
        compose_config(["name=test", override])


@pytest.mark.parametrize("override", ["model.hidden_size=wide", "env.num_workers=many", "seed=x"])
def test_a_wrong_type_names_the_key(override):
    with pytest.raises(ConfigCompositionException, match=override.split("=")[0]):
        compose_config(["name=test", override])


@pytest.mark.parametrize(
    ("override", "advice"),
    [
        ("+loss.regresion=huber", "did you mean regression?"),
        ("+data.split.sead=1", "did you mean seed"),
        ("+lr=1", "choose one of adapter, "),
    ],
)
def test_a_forced_typo_names_the_nearest_options(override, advice):
    cfg = compose_config(["name=test", override])
    key = override.strip("+").partition("=")[0]
    with pytest.raises(ConfigError, match=re.escape(f"{key}: there is no such option; {advice}")):
        reject_unknown_keys(cfg)


def test_a_typo_in_a_yaml_fails(tmp_path, monkeypatch):
    import shutil

    from ntp.config import register

    shutil.copytree(CONFIG_DIR, tmp_path / "conf")
    path = tmp_path / "conf/loss/tb.yaml"
    path.write_text(f"{path.read_text()}\nregresion: huber\n")
    monkeypatch.setattr(register, "CONFIG_DIR", tmp_path / "conf")
    with pytest.raises(ConfigCompositionException, match="loss/tb"):
        compose_config(["name=test", "loss=tb"])
