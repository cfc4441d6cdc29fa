import pytest
from omegaconf import OmegaConf

from ntp.bounds import Bounds
from ntp.config.bounds import check_bounds
from ntp.config.declarations import bounds_of, declaration_of
from ntp.config.register import compose_config, experiment_names
from ntp.config.root import Config
from ntp.config.schema import schema_of
from ntp.errors import ConfigError


def test_intervals():
    assert all(map(Bounds(0, 1).allow, (0, 0.5, 1)))
    assert not any(map(Bounds(0, 1).allow, (-0.1, 1.1, float("nan"))))
    assert not Bounds(0, above=True).allow(0) and Bounds(0, above=True).allow(1e-9)
    assert not Bounds(1).allow(float("inf"))
    assert (str(Bounds(1)), str(Bounds(0, above=True))) == ("at least 1", "above 0")
    assert str(Bounds(0, 1)) == "at least 0 and at most 1"


@pytest.mark.parametrize(
    ("experiment", "option"),
    [
        ("sft", "module.batch_size=0"),
        ("sft", "module.batch_size=-4"),
        ("sft", "seed=-1"),
        ("sft", "data.split.val_fraction=1.5"),
        ("sft", "model.hidden_size=0"),
        ("sft", "module.max_state_chars=0"),
        ("gfn_tb", "module.num_theorems=0"),
        ("gfn_tb", "module.log_z_lr=-1"),
        ("gfn_tb", "module.keep_unsolved=nan"),
        ("gfn_tb", "env.num_workers=0"),
        ("gfn_tb", "env.tactic_timeout_s=0"),
        ("gfn_tb", "tracking.checkpoint_every_n_steps=0"),
        ("search_eval", "search.sampling.num_samples=-1"),
        ("search_eval", "evaluation.max_theorems=0"),
        ("mine_attempts", "mining.num_theorems.train=0"),
        ("tuning_study", "study.seeds=[0,-1]"),
    ],
)
def test_a_number_out_of_range_is_named_with_its_bounds(experiment, option):
    key = option.partition("=")[0]
    with pytest.raises(ConfigError, match=r" is out of range: give a number of ") as error:
        check_bounds(compose_config([f"+experiment={experiment}", option]))
    assert str(error.value).startswith(key)


@pytest.mark.parametrize("experiment", experiment_names())
def test_every_experiment_is_within_its_bounds(experiment):
    check_bounds(compose_config([f"+experiment={experiment}"]))


def test_bounds_stand_with_the_option():
    assert bounds_of(Config)["seed"] == Bounds(0)
    assert bounds_of(dict) == {}
    options = {o.name: o.bounds for o in declaration_of("ntp.tasks.train_sft.SFTOptions").options}
    assert options["batch_size"] == Bounds(1)
    assert options["keep_best"] is None


def test_a_schema_is_not_looked_up_in_the_module_that_made_it():
    # Python 3.12 gives a made dataclass the name of that module.
    made = schema_of("ntp.config.root.TaskOptions")
    made.__module__ = schema_of.__module__
    check_bounds(OmegaConf.structured(made))


def test_what_has_no_declaration_is_left_alone():
    check_bounds(OmegaConf.create({"a": {"b": -1}}))
