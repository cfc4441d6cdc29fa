import os

import pytest

from ntp.config.register import compose_config
from ntp.errors import ConfigError
from ntp.tasks.extract import source_key
from ntp.workflow.digest import path_digest
from ntp.workflow.plan import plan


@pytest.fixture
def benchmark(benchmark_parts, write_benchmark, tmp_path):
    return write_benchmark(tmp_path / "benchmark", benchmark_parts())


def stage(*overrides, experiment="sft"):
    return plan(compose_config([f"+experiment={experiment}", *overrides]))


def test_lean_data_is_imported_and_reaches_every_stage(benchmark):
    sft = stage("data=leandojo", f"data.path={benchmark}")
    assert sft.needs["dataset"].cfg.name == "extract_lean"
    assert sft.needs["dataset"].cfg.data.path == str(benchmark)
    gfn = stage(
        "data=leandojo", f"data.path={benchmark}", "env=lean_repl", "env.project=/p", experiment="gfn_tb"
    )
    assert gfn.needs["policy"].needs["dataset"].key == sft.needs["dataset"].key
    assert stage().needs["dataset"].cfg.name == "extract_coq"


def test_keys_depend_on_the_content_and_not_on_the_place(benchmark, tmp_path):
    def keys(path):
        sft = stage("data=leandojo", f"data.path={path}")
        return sft.needs["dataset"].key, sft.key

    first = keys(benchmark)
    benchmark.rename(tmp_path / "moved")
    assert keys(tmp_path / "moved") == first
    path = tmp_path / "moved/random/val.json"
    path.write_text(path.read_text().replace("Main.term", "Main.tern"))
    other = keys(tmp_path / "moved")
    assert other[0] != first[0]
    assert other[1] != first[1]


def test_a_statement_list_depends_on_its_header(tmp_path):
    (tmp_path / "list.txt").write_text("1 = 1\n")
    overrides = ["data=statements", f"data.path={tmp_path}/list.txt"]
    assert stage(*overrides).key != stage(*overrides, "data.header='open Nat'").key
    assert stage(*overrides).cfg.data.split.kind == "given"


def test_a_list_of_repositories_depends_on_the_sources_of_those_on_this_machine(tmp_path):
    source = tmp_path / "mine" / "A.v"
    source.parent.mkdir()
    source.write_text("Lemma a : 1 = 1. Proof. reflexivity. Qed.\n")
    (tmp_path / "list.yaml").write_text("- {name: mine, path: mine}\n- {name: gone, path: gone}\n")
    overrides = ["data=repos", f"data.repos={tmp_path}/list.yaml"]
    before = stage(*overrides, experiment="extract_repos").key
    (tmp_path / "mine" / "A.vo").write_text("built")
    assert stage(*overrides, experiment="extract_repos").key == before
    source.write_text("Lemma a : 2 = 2. Proof. reflexivity. Qed.\n")
    assert stage(*overrides, experiment="extract_repos").key != before


def test_digests(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    before = path_digest(tmp_path), path_digest(tmp_path / "a")
    os.utime(tmp_path / "a", (0, 0))
    assert (path_digest(tmp_path), path_digest(tmp_path / "a")) == before
    (tmp_path / "a").rename(tmp_path / "b")
    assert path_digest(tmp_path) != before[0]
    assert path_digest(tmp_path / "b") != before[1]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=leandojo"], r"data\.path is missing"),
        (["data=leandojo", "data.path=/nowhere"], r"data\.path=/nowhere does not exist"),
        (["data.source=agda"], r"data\.source=agda is unknown"),
    ],
)
def test_mistakes_are_found_before_anything_is_made(overrides, message):
    with pytest.raises(ConfigError, match=message):
        source_key(compose_config(["+experiment=sft", *overrides]))
    with pytest.raises(ConfigError, match=message):
        _ = stage(*overrides).key


def test_data_of_one_prover_is_not_given_to_another(benchmark):
    with pytest.raises(ConfigError, match="for lean and the environment is coq: choose env=lean_repl"):
        stage("data=leandojo", f"data.path={benchmark}", experiment="gfn_tb")
    with pytest.raises(ConfigError, match="for coq and the environment is lean: choose env=coq"):
        stage("env=lean_repl", experiment="mine_attempts")


def test_an_environment_that_lacks_something_says_so_before_anything_is_made(benchmark):
    data = ["data=leandojo", f"data.path={benchmark}"]
    with pytest.raises(ConfigError, match=r"give env\.project="):
        stage(*data, "env=lean_repl", experiment="gfn_tb")
    with pytest.raises(ConfigError, match=r"env\.commit is missing"):
        stage(*data, "env=lean_dojo", experiment="gfn_tb")


def test_what_lies_in_a_model_directory_counts(tmp_path):
    (tmp_path / "weights").write_bytes(b"1")
    model = ["model=pretrained", f"model.name_or_path={tmp_path}"]
    first = stage(*model).key
    (tmp_path / "weights").write_bytes(b"2")
    assert stage(*model).key != first
