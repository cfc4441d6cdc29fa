import pytest

from ntp.jsonl import read_jsonl, write_jsonl
from ntp.serve.assessment import Assessed, Judged, Place, assess, summarise
from ntp.serve.calibration import FEATURES, Calibration
from ntp.serve.suggestions import Suggester
from tests.serve.conftest import OPTIONS, Scripted

TEXT = "Lemma a (n : nat) : n = 0 -> 0 = n /\\ n = 0.\nProof.\n"


@pytest.mark.coq
def test_a_step_is_assessed_and_its_suggestions_judged(make_buffer, tmp_path):
    place = Place("a", 0, TEXT, TEXT.index("\n"))
    suggester = Suggester(Scripted("intro H.", "assert (0 = 1)."), OPTIONS, seed=0)
    judge = Suggester(None, OPTIONS, seed=0)
    found = assess(place, make_buffer(), suggester, 8, 60, judge, 8, 60)
    assert found.num_accepted >= 1 and found.first_s is not None and not found.error
    assert found.proof == "auto." and len(found.judged) == found.num_accepted - 1
    write_jsonl(tmp_path / "a.jsonl", [found])
    assert list(read_jsonl(tmp_path / "a.jsonl", Assessed)) == [found]


@pytest.mark.coq
def test_a_step_that_cannot_be_reached_counts(make_buffer):
    found = assess(
        Place("a", 0, f"{TEXT}nonsense. ", 0), make_buffer(), Suggester(None, OPTIONS, seed=0), 8, 5
    )
    assert "nonsense" in found.error and found.num_accepted == 0
    assert summarise([found])["unreached_share"] == 1


def test_a_summary_of_known_values():
    zeros = (0.0,) * len(FEATURES)
    half = Calibration(zeros, (1.0,) * len(FEATURES), zeros, 0.0, 2)  # says 1/2 of everything
    judged = tuple(Judged(zeros, i < 3) for i in range(4))
    steps = [
        Assessed("a", 0, 3, 1.0, "auto.", judged),
        Assessed("b", 0, 1, 3.0),
        Assessed("c", 0),
        Assessed("d", 0),
    ]
    found = summarise(steps, half)
    assert found["accepted_share"] == 0.5 and found["proved_share"] == 0.25
    assert found["p50_s"] == 2.0 and found["finished_share"] == 0.75
    assert found["calibration_error"] == pytest.approx(0.25)
