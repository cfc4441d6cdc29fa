import pytest
from hydra.errors import InstantiationException

from ntp.config.register import compose_config
from ntp.errors import CheckpointError, ConfigError
from ntp.workflow.plan import plan


def stage(experiment, *overrides):
    return plan(compose_config([f"+experiment={experiment}", *overrides]))


def test_an_experiment_brings_what_it_needs():
    demo = stage("demo")
    assert set(demo.needs) == {"dataset", "policy/sft", "policy/gfn_tb"}
    gfn = demo.needs["policy/gfn_tb"]
    assert set(gfn.needs) == {"dataset", "policy"}
    assert gfn.needs["policy"].key == demo.needs["policy/sft"].key
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
        ("reward.alpha_success=0.4", {"gfn"}),
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


def test_a_verifier_learns_from_the_attempts_of_its_backbone(tmp_path):
    verifier = stage("verifier_dpo", "model=llemma7b", "module.num_heads=4")
    assert set(verifier.needs) == {"dataset", "policy", "attempts"}
    assert verifier.needs["attempts"].needs["policy"].key == verifier.needs["policy"].key
    assert verifier.needs["attempts"].cfg.model.name_or_path == "EleutherAI/llemma_7b"
    given = stage("verifier_dpo", f"policy.checkpoint={tmp_path}")
    assert given.checkpoints == given.needs["attempts"].checkpoints == {"policy": tmp_path}


@pytest.mark.parametrize(
    ("experiment", "overrides", "wanted"),
    [
        ("gfn_tb", [], False),
        ("gfn_tb", ["reward=verifier_ensemble"], True),
        ("gfn_tb", ["reward=verifier_ensemble", "model=llemma7b"], True),
        ("search_eval", [], False),
        ("search_eval", ["search.score=mixed"], True),
    ],
)
def test_verifiers_are_made_where_they_are_asked(experiment, overrides, wanted, tmp_path):
    asked = stage(experiment, *overrides)
    assert ("verifier" in asked.needs) == ("backbone" in asked.needs) == wanted
    if wanted:
        assert asked.needs["verifier"].needs["policy"].key == asked.needs["backbone"].key
        assert asked.needs["verifier"].cfg.model == asked.cfg.model
        given = stage(experiment, *overrides, f"verifier.checkpoint={tmp_path}")
        assert given.checkpoints["verifier"] == tmp_path
        assert "verifier" not in given.needs


def test_seeds_of_a_study_are_not_those_of_what_it_starts_from():
    study = stage("overoptimisation", "study.seeds=[0,1]")
    assert set(study.needs) == {f"{name}/{s}" for name in ("single", "mean", "wco", "uwo") for s in (0, 1)}
    first, second = study.needs["wco/0"], study.needs["wco/1"]
    assert first.key != second.key
    assert first.needs["policy"].key == second.needs["policy"].key
    assert (first.needs["verifier"].cfg.module.seed, second.needs["verifier"].cfg.module.seed) == (0, 1)
    assert study.needs["mean/1"].needs["verifier"].key == second.needs["verifier"].key
    assert study.needs["single/1"].needs["verifier"].cfg.module.num_heads == 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["search_eval", "search.score=verifyer"], "search.score=verifyer is unknown"),
        (["search_eval", "search.score=mixed", "verifier.experiment=null"], "verifier: give checkpoint=PATH"),
        (
            ["search_eval", "search.score=mixed", "verifier.checkpoint=/nowhere"],
            "verifier.checkpoint=/nowhere",
        ),
        (["gfn_tb", "reward=verifier_ensemble", "reward.gap=1"], "gives failures 9"),
        (["grpo", "module.num_replay=2"], "not with module.num_replay=2"),
        (
            ["grpo", "module.minimal_proofs=true", "module.num_restarts=1"],
            "num_restarts=1, module.minimal_proofs=True",
        ),
        (["gfn_verifier_only", "loss=goal_balance"], "rewards of proofs that no verifier has scored"),
        (["gfn_verifier_only", "loss=subtb"], "rewards of proofs that no verifier has scored"),
    ],
)
def test_mistakes_are_found_before_anything_is_made(overrides, message):
    with pytest.raises((ConfigError, CheckpointError, InstantiationException), match=message):
        stage(*overrides)


def test_seeds_and_models_share_what_one_shot_tactics_prove(tmp_path):
    stages = [
        stage("gfn_anchored", f"env.root={tmp_path}", "data.include=['*.v']", *more).needs["one_shot"]
        for more in ([], ["seed=1"], ["model=micro"], ["env.tactic_timeout_s=3"])
    ]
    assert stages[0].key == stages[1].key == stages[2].key != stages[3].key
    assert stages[0].cfg.evaluation.split == "train"
    assert stages[0].cfg.data.split.kind == "random", (
        "the part that is tuned on, of a project of one's own too"
    )
    assert "one_shot" not in stage("gfn_tb").needs


@pytest.mark.parametrize(
    ("overrides", "override", "changes"),
    [
        ([], "model.top_p=0.5", True),
        ([], "aggregation=uwo", False),
        (["search.score=mixed"], "aggregation=uwo", True),
        (["search.score=mixed"], "search.verifier_weight=2", True),
        (["search.score=mixed"], 'verifier.overrides=["module.num_heads=2"]', True),
        ([], 'verifier.overrides=["module.num_heads=2"]', False),
    ],
)
def test_a_search_is_made_again_only_for_what_it_depends_on(overrides, override, changes, tmp_path):
    given = ["search_eval", f"policy.checkpoint={tmp_path}", *overrides]
    assert (stage(*given).key != stage(*given, override).key) == changes


def test_a_retriever_is_made_where_premises_are_retrieved(tmp_path):
    asked = stage("retrieval_eval", "model=llemma7b", 'retrieval.overrides=["model.hidden_size=64"]')
    assert set(asked.needs) == {"dataset", "retriever"}
    retriever = asked.needs["retriever"]
    assert retriever.kind == "train_retriever"
    assert retriever.cfg.model.hidden_size == 64  # its own model, not the policy's
    assert retriever.needs["dataset"].key == asked.needs["dataset"].key
    assert set(stage("retrieval_eval", f"retrieval.checkpoint={tmp_path}").needs) == {"dataset"}
    assert set(stage("retrieval_eval", "retrieval.name_or_path=x/y").needs) == {"dataset"}
    with pytest.raises(ConfigError, match="retrieval: give checkpoint=PATH"):
        stage("retrieval_eval", "retrieval.experiment=null")


def test_retrieval_reaches_a_policy_and_its_evaluation_and_changes_nothing_where_there_is_none():
    plain, bm25, dense = (stage("search_eval", *o) for o in ([], ["retrieval=bm25"], ["retrieval=dense"]))
    assert "retriever" not in plain.needs | bm25.needs
    assert dense.needs["retriever"].key == dense.needs["policy/policy"].needs["retriever"].key
    assert len({s.key for s in (plain, bm25, dense)}) == 3
    assert len({s.needs["policy/policy"].key for s in (plain, bm25, dense)}) == 3
    assert stage("search_eval", "retrieval.k1=1").key == plain.key
    assert stage("search_eval", "retrieval=bm25", "retrieval.k1=1").key != bm25.key
    with pytest.raises(ConfigError, match="GFlowNet tuning does not read premises"):
        stage("gfn_tb", "retrieval=bm25")


def test_premises_of_a_benchmark_are_lent_to_statements(lean_options, statement_options, tmp_path):
    benchmark = lean_options[1].removeprefix("data.path=")
    lent = [*statement_options, f"policy.checkpoint={tmp_path}", f"retrieval.corpus={benchmark}"]
    plain = stage("search_eval", *lent)
    bm25, dense = (stage("search_eval", *lent, f"retrieval={name}") for name in ("bm25", "dense"))
    assert "corpus" not in plain.needs
    assert bm25.needs["corpus"].key == stage("extract_lean", *lean_options).key != bm25.needs["dataset"].key
    assert dense.needs["retriever"].needs["dataset"].key == bm25.needs["corpus"].key
    with pytest.raises(ConfigError, match=r"retrieval\.corpus=/nowhere is no directory"):
        stage("search_eval", *lent, "retrieval=bm25", "retrieval.corpus=/nowhere")
    with pytest.raises(ConfigError, match=r"leave it out here"):
        stage("search_eval", "retrieval=bm25", f"retrieval.corpus={benchmark}")


def test_sides_that_are_mined_apart_do_not_depend_on_one_another():
    needs = stage("verifier_eval").needs
    fewer = stage("verifier_eval", "mining.num_theorems.verifier=7").needs
    assert needs["attempts"].key != fewer["attempts"].key
    assert needs["test_attempts"].key == fewer["test_attempts"].key


def test_tuning_needs_the_search_and_the_floor_that_its_options_name(tmp_path):
    given = f"policy.checkpoint={tmp_path}"
    plain = stage("gfn_tb", given)
    assert set(plain.needs) == {"dataset"}
    asked = stage(
        "gfn_tb", given, "module.beyond_one_shot=true", "module.searched_proofs=true", "module.split=verifier"
    )
    assert set(asked.needs) == {"dataset", "one_shot", "searched"}
    floor, searched = (asked.needs[role].cfg for role in ("one_shot", "searched"))
    assert floor.evaluation.split == searched.evaluation.split == "verifier"
    assert "sampling" not in searched.search and searched.evaluation.max_theorems is None
    assert asked.needs["searched"].checkpoints == {"policy/policy": tmp_path}
