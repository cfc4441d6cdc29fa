import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig

from ntp.config.register import CONFIG_DIR, register
from ntp.tasks.extract import dataset_tag
from ntp.tracking.mlflow import MlflowRun
from ntp.tracking.runs import metric_history
from ntp.workflow.record import describe, keep, parameters
from ntp.workflow.stage import Stage
from ntp.workflow.task import task_of


@pytest.fixture
def stage_of(tmp_path):
    """The stage of a command line, which Hydra remembers as in a run."""

    def make(*overrides):
        register()
        arguments = [*overrides, f"paths.outputs={tmp_path}"]
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            cfg = compose("config", arguments, return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        return Stage(task_of(cfg), cfg, {}, {})

    yield make
    HydraConfig.instance().cfg = None


def test_parameters_are_few_and_flat(stage_of):
    stage = stage_of("+experiment=gfn_tb", "loss=tb", "model.hidden_size=32", "resume=true", "data=coq_demo")
    found = parameters(stage)
    assert found == {
        "task": "train_gfn",
        "seed": "0",
        "model": "TinyPolicyFactory",
        "module.seed": "0",
        "loss": found["loss"],
        "reward": "KernelReward",
        "optimizer.lr": "0.0002",
        "trainer.max_steps": "2000",
        "model.hidden_size": "32",
    }
    assert "." not in found["loss"]


def test_a_stage_says_only_what_it_reads(stage_of):
    stage = stage_of("+experiment=extract_coq", "trainer.max_steps=3", "data.include=[Bool/*.v]")
    assert parameters(stage) == {"task": "extract", "data.include": "['Bool/*.v']"}


@pytest.mark.parametrize(("limit", "kept"), [(1.0, True), (0.0001, False)])
def test_small_weights_are_kept(tmp_path, stage_of, limit, kept):
    stage = stage_of("+experiment=sft", f"tracking.max_adapter_mb={limit}", "tracking.experiment=study")
    (stage.directory / "policy").mkdir(parents=True)
    (stage.directory / "policy/weights").write_bytes(b"0" * 1000)
    (stage.directory / "config.yaml").write_text("seed: 0\n")
    uri = stage.cfg.tracking.uri
    with MlflowRun(uri, stage.cfg.tracking.experiment, stage.directory, "run") as run:
        describe(run, stage, {})
        run.log_metrics({"train/nll": 0.9}, step=0)
        run.log_metrics({"train/nll": 0.6}, step=1)
        keep(run, stage, {"train/nll": 0.5, "val/nll": 0.7, "num_steps": 2})
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    stored = client.get_run(run.run_id).data
    assert stored.tags["stage"] == stage.key
    assert stored.tags["git_commit"]
    assert stored.metrics == {"train/nll": 0.6, "val/nll": 0.7, "num_steps": 2}
    curve = metric_history(uri, stage.directory, "train/nll")
    assert curve == ((0, 1), (0.9, 0.6)), "the summary touches no curve"
    assert metric_history(uri, stage.directory, "val/nll") == ((2,), (0.7,))
    assert client.get_experiment_by_name("study") is not None
    names = {file.path for file in client.list_artifacts(run.run_id)}
    assert names == {"config.yaml"} | ({"policy"} if kept else set())


def test_a_directory_without_a_data_set_has_no_hash(tmp_path):
    assert dataset_tag(tmp_path) == {}
