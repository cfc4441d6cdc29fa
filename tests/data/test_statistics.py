import pytest

from ntp.data.dataset import Dataset
from ntp.data.lean.import_benchmark import import_leandojo
from ntp.data.recorded_splits import load_recorded_split
from ntp.data.records import StepRecord, TheoremRecord
from ntp.data.statistics import dataset_statistics, flat, has_jumps, repeated_statements, tactic_head
from ntp.types import Goal, Span, Theorem

SPAN = Span(0, 0)
A, B = Goal((), "A"), Goal((), "B")


def proof(*steps):
    """A proof from (before, goals before, after, goals after)."""
    made = tuple(
        StepRecord("t", SPAN, before, num - 1, after, left, ()) for before, num, after, left in steps
    )
    return TheoremRecord(Theorem("T", "T.lean", "", SPAN, SPAN), "lean", "T", "theorem", "", made)


@pytest.mark.parametrize(
    ("steps", "jumps"),
    [
        ([], False),
        ([(A, 1, None, 0)], False),
        ([(A, 1, B, 2), (B, 2, None, 0)], False),
        ([(A, 1, B, 2), (B, 1, None, 0)], True),
        ([(A, 1, None, 0), (B, 1, None, 0)], True),
    ],
)
def test_jumps(steps, jumps):
    assert has_jumps(proof(*steps)) == jumps


@pytest.mark.parametrize(
    ("tactic", "head"),
    [
        ("simp only [foo, bar]", "simp"),
        ("exact?", "exact?"),
        ("auto.", "auto"),
        ("· rw [h]", "rw"),
        ("all_goals norm_num", "all_goals"),
        ("2: intros.", "intros"),
        ("Nat.induction n", "Nat.induction"),
        ("{ x }", "{"),
        ("", ""),
    ],
)
def test_heads(tactic, head):
    assert tactic_head(tactic) == head


def test_a_small_benchmark(benchmark_parts, write_benchmark, tmp_path):
    parts = benchmark_parts()
    # The validation split's theorem gets the proof, and with it the first goal, of one of the training split.
    parts["random/val.json"][0]["traced_tactics"] = parts["random/train.json"][1]["traced_tactics"]
    del parts["corpus.jsonl"][2]
    import_leandojo(write_benchmark(tmp_path / "benchmark", parts), tmp_path / "data")
    dataset = Dataset.load(tmp_path / "data")
    split = load_recorded_split(dataset, "random")
    parts = dataset_statistics(dataset, split)
    assert set(parts) == {"all", "train", "val", "test"}
    numbers = flat(parts)
    wanted = {
        "all/num_theorems": 4,
        "train/num_theorems": 2,
        "train/num_files": 1,
        "train/num_theorems_without_tactics": 0,
        "train/num_proofs_not_closed": 1,
        "train/num_proofs_with_jumps": 1,
        "train/num_tactics": 3,
        "train/num_premises_used": 2,
        "train/num_premises_unlocated": 1,
        "train/share_tactics_with_premises": 2 / 3,
        "train/median_tactics_per_proof": 1.5,
        "train/median_tactic": 10,
        "all/num_tactics": 6,
        "all/num_distinct_pairs": 4,
        "test/p90_state": len("x : ℕ\n⊢ P"),
    }
    assert {name: numbers[name] for name in wanted} == wanted
    assert parts["all"].heads == {"constructor": 2, "exact": 3, "rw": 1}
    assert repeated_statements(dataset, split) == {"val": 1, "test": 0}


@pytest.mark.coq
def test_coq(small_extraction):
    from ntp.data.splits import load_or_make_split

    dataset, summary = small_extraction
    split = load_or_make_split(dataset, "random", 0, 0.0, 0.3)
    parts = dataset_statistics(dataset, split)
    assert parts["all"].counts["num_theorems"] == summary.num_theorems
    assert parts["all"].counts["num_tactics"] == summary.num_steps
    assert parts["all"].counts["num_premises_unlocated"] == 0
    assert parts["train"].counts["num_theorems"] == len(split.train)
    assert parts["all"].heads["split"] == 3
