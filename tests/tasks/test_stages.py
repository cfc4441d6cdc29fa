import pytest

from ntp.config.register import compose_config
from ntp.errors import CheckpointError, ConfigError
from ntp.tasks.stages import plan


def stage(experiment, *overrides):
    return plan(compose_config([f"+experiment={experiment}", *overrides]))


def test_an_experiment_brings_what_it_needs():
    demo = stage("demo")
    assert set(demo.needs) == {"dataset", "sft", "gfn_tb"}
    gfn = demo.needs["gfn_tb"]
    assert set(gfn.needs) == {"dataset", "policy"}
    assert gfn.needs["policy"].key == demo.needs["sft"].key
    assert gfn.needs["dataset"].key == demo.needs["dataset"].key


def test_the_model_reaches_every_stage():
    gfn = stage("gfn_tb", "model=llemma7b", "seed=3")
    assert gfn.needs["policy"].cfg.model.name_or_path == "EleutherAI/llemma_7b"
    assert gfn.needs["policy"].cfg.seed == 3


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("data.include=[Bool/*.v]", {"dataset", "policy", "gfn"}),
        ("data.split.seed=1", {"policy", "gfn"}),
        ("model.hidden_size=64", {"policy", "gfn"}),
        ("seed=1", {"policy", "gfn"}),
        ("reward.alpha_success=0.7", {"gfn"}),
        ("env.tactic_timeout_s=3", {"gfn"}),
        ("optimizer.lr=1e-5", {"gfn"}),
        ("search.sampling.num_samples=3", set()),
        ("data.num_extract_workers=7", set()),
        ("resume=true", set()),
        ("tracking.checkpoint_every_n_steps=7", set()),
    ],
)
def test_an_option_changes_only_what_depends_on_it(override, changed):
    def keys(gfn):
        needs = gfn.needs
        return {"gfn": gfn.key, "policy": needs["policy"].key, "dataset": needs["dataset"].key}

    before, after = keys(stage("gfn_tb")), keys(stage("gfn_tb", override))
    assert {name for name in before if before[name] != after[name]} == changed


def test_a_given_checkpoint_takes_the_place_of_a_stage(tmp_path):
    (tmp_path / "weights").write_bytes(b"1")
    given = stage("gfn_tb", f"policy.checkpoint={tmp_path}")
    assert set(given.needs) == {"dataset"}
    assert given.checkpoints == {"policy": tmp_path}
    first = given.key
    (tmp_path / "weights").write_bytes(b"2")
    assert stage("gfn_tb", f"policy.checkpoint={tmp_path}").key != first


def test_a_missing_checkpoint_is_an_error():
    with pytest.raises(CheckpointError, match=r"policy\.checkpoint=/nowhere is not a directory"):
        stage("gfn_tb", "policy.checkpoint=/nowhere")


def test_a_policy_from_nowhere_is_an_error():
    with pytest.raises(ConfigError, match="checkpoint=PATH or experiment=NAME"):
        stage("gfn_tb", "policy.experiment=null")
