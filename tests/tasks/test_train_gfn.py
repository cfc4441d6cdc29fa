from omegaconf import OmegaConf

from ntp.data.records import StepRecord, TheoremRecord
from ntp.evaluation.results import Proof, TheoremOutcome, TheoremResult
from ntp.jsonl import dump_record
from ntp.tasks.methods import one_shot_theorems
from ntp.tasks.train_gfn import _known_proofs
from ntp.types import Goal, Span, Theorem

OPTIONS = OmegaConf.create({"human_proofs": True})


def record(name, *tactics):
    theorem = Theorem(name, "f.v", "", Span(0, 1), Span(1, 2))
    goal = Goal((), "P")
    steps = tuple(StepRecord(tactic, Span(0, 1), goal, 0, None, 0, ()) for tactic in tactics)
    return TheoremRecord(theorem, "coq", "f", "Lemma", "Qed", steps)


def result(theorem, method, *proofs):
    outcome = TheoremOutcome.PROVED if any(p.verified for p in proofs) else TheoremOutcome.FAILED
    return TheoremResult(theorem, "f.v", "", method, False, outcome, (), proofs, 1, 1, 0.0)


def proof(*tactics, verified=True, minimal=()):
    return Proof(tactics, (), 0.0, 0, verified, minimal=minimal)


def written(directory, *results):
    directory.mkdir()
    for each in results:
        with (directory / f"results-{each.method}.jsonl").open("a") as stream:
            stream.write(dump_record(each) + "\n")
    return directory


def test_replay_begins_with_recorded_proofs_and_with_the_minimal_ones_of_a_search(tmp_path):
    records = [record("a", "intros.", "auto."), record("b")]
    searched = written(
        tmp_path / "searched",
        result(
            "b",
            "policy_best_first",
            proof("auto.", "easy.", minimal=("easy.",)),
            proof("cheat.", verified=False),
        ),
        result("elsewhere", "policy_best_first", proof("easy.", minimal=("easy.",))),
    )
    known = _known_proofs(OPTIONS, records, {"searched": searched})
    assert [(t.id, list(tactics)) for t, tactics in known] == [("a", ["intros.", "auto."]), ("b", ["easy."])]
    assert [t.id for t, _ in _known_proofs(OPTIONS, records, {})] == ["a"]


def test_theorems_that_a_one_shot_tactic_proves(tmp_path):
    directory = written(
        tmp_path / "floor",
        result("a", "one_shot", proof("easy.", minimal=("easy.",))),
        result("b", "one_shot", proof("easy.", verified=False)),
        result("c", "one_shot"),
    )
    assert one_shot_theorems(directory) == {"a"}
