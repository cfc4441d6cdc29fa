"""The standard library of every Coq that is here: the same files, extracted and proved again."""

import pytest

from ntp.data.coq.extract import extract
from ntp.data.dataset import Dataset
from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.project import standard_library
from ntp.sandbox.limits import Limits

pytestmark = pytest.mark.coq

# Of Rocq's own library and of the packaged one.
FILES = ["Init/Logic.v", "Init/Peano.v", "Bool/Bool.v", "Logic/ConstructiveEpsilon.v", "Logic/Decidable.v"]


@pytest.fixture(scope="module")
def extracted(installation, tmp_path_factory):
    project = standard_library(installation)
    directory = tmp_path_factory.mktemp("versions")
    return project, extract(project, directory, FILES, num_workers=2), Dataset.load(directory)


def test_every_file_replays(extracted):
    _, summary, _ = extracted
    assert summary.failures == () and summary.num_files == len(FILES)
    assert summary.num_theorems > 200 and summary.num_steps > 350


def test_names_are_those_of_the_version(extracted):
    project, _, dataset = extracted
    modules = {record.theorem.file: record.module for record in dataset.iter_theorems()}
    libraries = project.prover.libraries
    assert modules["Init/Logic.v"] == f"{libraries[0].name}.Init.Logic"
    assert modules["Logic/Decidable.v"] == f"{libraries[-1].name}.Logic.Decidable"


def test_premises_are_found_in_the_files_that_state_them(extracted):
    project, _, dataset = extracted
    used = {
        (premise.full_name, premise.file)
        for record in dataset.iter_theorems()
        for step in record.steps
        for premise in step.premises
    }
    own = project.prover.libraries[0].name
    assert (f"{own}.Init.Logic.all", "Init/Logic.v") in used


def test_recorded_proofs_are_accepted_again(extracted):
    project, _, dataset = extracted
    env = CoqEnv(project, limits=Limits(memory_mb=2048))
    chosen = [record for record in dataset.iter_theorems() if record.theorem.file == "Bool/Bool.v"][-5:]
    try:
        for record in chosen:
            verdict = env.check_proof(record.theorem, [step.tactic for step in record.steps])
            assert verdict.accepted, (record.theorem.id, verdict.reason)
    finally:
        env.close()
