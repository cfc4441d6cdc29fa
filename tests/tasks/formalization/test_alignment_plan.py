import pytest

from ntp.config.register import compose_config
from ntp.errors import ConfigError, DataError
from ntp.workflow.plan import plan

FEW = [
    "+alignment.conditions.one={texts: {python: 1}}",
    "+alignment.conditions.two={texts: {pairs: 1}}",
    "+alignment.conditions.three={texts: {formal: 1}}",
    "+alignment.conditions.four={texts: {informal: 1}, distinct: 0.1}",
    "alignment.chosen=[one,two,three,four]",
]
ODD = "alignment.chosen=[one,two,three,odd]"


def stage(experiment, *overrides):
    return plan(compose_config([f"+experiment={experiment}", *overrides]))


def test_a_study_needs_a_run_for_each_condition_and_seed():
    study = stage("alignment_study", *FEW, "alignment.seeds=[0,1]", "trainer.max_steps=7")
    names = ("one", "two", "three", "four")
    assert set(study.needs) == {f"{n}/{role}" for n in names for role in (0, 1, "alignment")}
    runs = {study.needs[f"{n}/{s}"].needs["policy"].key for n in names for s in (0, 1)}
    assert len(runs) == 8
    assert study.needs["one/1"].needs["policy"].cfg.seed == 1
    assert study.needs["one/1"].needs["policy"].cfg.trainer.max_steps == 7
    measured = study.needs["four/alignment"].needs
    assert measured["policy"].key == study.needs["four/0"].needs["policy"].key
    assert len({stage.needs["texts"].key for stage in study.needs.values()}) == 1


def test_a_job_of_a_sweep_is_a_run_of_the_study():
    study = stage("alignment_study", *FEW)
    job = stage("condition_eval", *FEW, "alignment.condition=two", "seed=2")
    assert job.key == study.needs["two/2"].key
    measure = ("alignment.condition=two", "alignment.probe.name_or_path=null")
    assert stage("alignment", *FEW, *measure).key == study.needs["two/alignment"].key


def test_coq_is_extracted_only_for_sources_that_need_it():
    assert "dataset" not in stage("alignment_texts", *FEW).needs
    with_states = ["+alignment.conditions.five={texts: {coq_states: 1}}", "alignment.chosen=[two,five]"]
    assert "dataset" in stage("alignment_texts", *FEW, *with_states).needs


def test_measures_do_not_depend_on_how_models_are_examined():
    one, other = (
        stage("alignment_study", *FEW, f"alignment.outcomes.num_pairs={num}").needs for num in (10, 20)
    )
    assert one["one/alignment"].key == other["one/alignment"].key
    assert one["one/0"].key != other["one/0"].key


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ("{texts: {novels: 1}}", "no source 'novels'"),
        ("{texts: {python: 0}}", "odd: a condition's texts"),
        ("{texts: {python: 1}, distinct: 2}", "distinct=2"),
        ("{text: {python: 1}}", "conditions.odd: give texts"),
        ("{texts: {python: much}}", "odd.texts: give a mapping"),
    ],
)
def test_wrong_conditions_are_one_line(odd, message):
    with pytest.raises(ConfigError, match=message) as error:
        stage("alignment_study", *FEW, f"+alignment.conditions.odd={odd}", ODD)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (ODD, "no condition 'odd'"),
        ("alignment.seeds=[]", "seeds is empty"),
        ("alignment.chosen=[one,two,three]", "3 of them"),
    ],
)
def test_studies_that_cannot_work_are_one_line(override, message):
    with pytest.raises(ConfigError, match=message):
        stage("alignment_study", *FEW, override)


def test_what_is_missing_is_named():
    with pytest.raises(ConfigError, match="condition=none: there is no such condition; there are one, two"):
        stage("train_condition", *FEW, "alignment.condition=none")
    with pytest.raises(ConfigError, match="condition is missing"):
        stage("train_condition", *FEW, "alignment.condition=null")
    with pytest.raises(DataError, match="no such file"):
        stage("alignment_texts", *FEW, "+alignment.files.notes=[nothing.txt]")
