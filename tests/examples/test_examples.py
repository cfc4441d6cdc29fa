"""The scripts in examples/, run as a reader runs them."""

import subprocess
import sys

import pytest

from ntp.config.paths import PROJECT_ROOT


def run(name, *arguments):
    command = [sys.executable, str(PROJECT_ROOT / "examples" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.coq
def test_a_theorem_is_proved():
    said = run("prove.py")
    assert said.splitlines()[-1] == "proved; accepted by the kernel: True"
    assert "IHn : n + 0 = n" in said


def test_a_data_set_is_read(benchmark_parts, write_benchmark, tmp_path):
    from ntp.data.lean.import_benchmark import import_leandojo

    import_leandojo(write_benchmark(tmp_path / "benchmark", benchmark_parts()), tmp_path / "data")
    assert "⊢ A ∧ B \n> constructor" in run("read_dataset.py", tmp_path / "data")


def test_tactics_are_sampled_from_a_policy(tmp_path):
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from ntp.config.register import compose_config

    sizes = ["model.hidden_size=32", "model.num_layers=1", "model.num_heads=2", "model.intermediate_size=64"]
    cfg = compose_config(["+experiment=sft", *sizes, "model.vocab_size=300"])
    instantiate(cfg.model).create(["⊢ True", "exact I."] * 4).save(tmp_path / "policy")
    OmegaConf.save(
        OmegaConf.create({"model": OmegaConf.to_container(cfg.model, resolve=True)}), tmp_path / "config.yaml"
    )
    lines = run("sample_tactics.py", tmp_path, "⊢ True").splitlines()
    assert len([line for line in lines if line.lstrip().startswith("-")]) == 8
