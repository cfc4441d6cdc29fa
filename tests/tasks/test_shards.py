import pytest

from ntp.config.register import compose_config
from ntp.data.attempts import MinedTheorem
from ntp.data.dataset import Dataset
from ntp.errors import ConfigError
from ntp.evaluation.costs import expected_costs, recorded_costs
from ntp.jsonl import write_jsonl
from ntp.tasks import extract
from ntp.tasks.mine import merge, wanted_theorems
from ntp.workflow.plan import plan

SECTIONS = [("search_eval", "evaluation"), ("mine_attempts", "mining")]


@pytest.fixture
def stage(tmp_path):
    policy = tmp_path / "policy"
    policy.mkdir()

    def make(experiment, *overrides):
        given = [f"+experiment={experiment}", f"policy.checkpoint={policy}"]
        return plan(compose_config([*given, *overrides]))

    return make


@pytest.mark.parametrize(("experiment", "section"), SECTIONS)
def test_a_merge_needs_every_shard_as_its_own_command_makes_it(stage, experiment, section):
    merge = stage(experiment, f"{section}.num_shards=3")
    assert merge.is_merge
    assert set(merge.needs) == {"dataset", "shard/0", "shard/1", "shard/2"}
    for index in range(3):
        alone = f"{section}.shard={index}/3"
        key = merge.needs[f"shard/{index}"].key
        assert key == stage(experiment, alone).key == stage(experiment, alone, f"{section}.num_shards=3").key
    keys = {need.key for need in merge.needs.values()}
    assert len({merge.key, stage(experiment).key, *keys}) == 6


@pytest.mark.parametrize(("experiment", "section"), SECTIONS)
def test_recorded_costs_change_shards_and_nothing_else(stage, experiment, section, tmp_path):
    def keys(*overrides):
        return stage(experiment, *overrides).key, stage(experiment, f"{section}.shard=0/2", *overrides).key

    earlier = tmp_path / "earlier"
    earlier.mkdir()
    given = f"{section}.costs={earlier}"
    (earlier / "results-m.jsonl").write_text("1")
    plain, first = keys(), keys(given)
    (earlier / "results-m.jsonl").write_text("2")
    second = keys(given)
    assert plain[0] == first[0] == second[0]
    assert len({plain[1], first[1], second[1]}) == 3


@pytest.mark.parametrize(("experiment", "section"), SECTIONS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["shard=2/2"], "shard=2/2: give i/n"),
        (["shard=0/2", "num_shards=3"], "shard=0/2 contradicts .*num_shards=3"),
        (["num_shards=0"], "num_shards=0 must be at least 1"),
        (["num_shards=2", "costs=/nowhere"], "costs=/nowhere is not a directory"),
    ],
)
def test_shards_that_cannot_be_are_refused(stage, experiment, section, options, message):
    with pytest.raises(ConfigError, match=message):
        stage(experiment, *(f"{section}.{option}" for option in options))


def test_verifiers_need_the_whole_of_mining(stage):
    attempts = stage("verifier_dpo", "mining.num_shards=2").needs["attempts"]
    assert attempts.is_merge and set(attempts.needs) == {"dataset", "shard/0", "shard/1"}
    assert attempts.needs["shard/0"].cfg.mining.splits == ["train", "val"]
    with pytest.raises(ConfigError, match="mines only a part"):
        stage("verifier_dpo", "mining.shard=0/2")


@pytest.mark.parametrize(("role", "parts"), [("attempts", "[verifier,val]"), ("test_attempts", "[test]")])
def test_what_a_sweep_mines_of_the_named_parts_is_what_verifier_eval_merges(stage, role, parts):
    wanted = stage("verifier_eval", "mining.num_shards=2").needs[role]
    options = [
        "data.split.verifier_fraction=0.4",
        "mining.num_theorems={verifier: 1500, val: 200, test: 800}",
    ]
    for index in range(2):
        shard = stage("mine_attempts", f"mining.shard={index}/2", f"mining.splits={parts}", *options)
        assert shard.key == wanted.needs[f"shard/{index}"].key


def test_a_merge_of_mining_keeps_the_times_that_shards_are_cut_by(make_context, lean_options, tmp_path):
    extraction = make_context("extract_lean", *lean_options)
    extract.run(extraction)
    dataset = Dataset.load(extraction.directory)
    options = ["mining.num_shards=2", "mining.splits=[train]"]
    cfg = compose_config(["+experiment=mine_attempts", *lean_options, *options])
    records = wanted_theorems(cfg, dataset)["train"]
    shards = {}
    for index, part in enumerate((records[:1], records[1:])):
        shards[f"shard/{index}"] = tmp_path / f"shard-{index}"
        found = [MinedTheorem(record.theorem.id, (), 2.0 + index) for record in part]
        write_jsonl(shards[f"shard/{index}"] / "parts/mined-train-000000.jsonl", found)
    context = make_context("mine_attempts", *lean_options, *options, dataset=extraction.directory, **shards)
    merge(context)
    costs = recorded_costs(context.directory, records, expected_costs(records, 1))
    assert [cost.search for cost in costs] == [2.0] + [3.0] * (len(records) - 1)


def test_a_sweep_without_a_number_says_so(stage):
    with pytest.raises(ConfigError, match="for a sweep num_shards=n"):
        stage("search_eval", "evaluation.shard=0/?")
