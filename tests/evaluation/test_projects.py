"""Tables of projects and of repairs, by hand-made cases with known numbers."""

import pytest

from ntp.evaluation.projects import flat_projects, joined, outcome_rows, pair_rows, project_rows
from ntp.evaluation.proof_log import ProofLog, RepairLog, ScriptLog, Tally, flat_log, repair_rows, tallies
from ntp.evaluation.results import Proof, TheoremResult


def result(theorem, method, outcome):
    proofs = (Proof(("auto.",), ("s",), 0.0, 0, True, minimal=("auto",)),) if outcome == "proved" else ()
    return TheoremResult(theorem, "A.v", "", method, False, outcome, (), proofs, 1, 1, 1.0)


def group(method, outcomes):
    return [result(f"t{i}", method, outcome) for i, outcome in enumerate(outcomes)]


PROJECTS = {
    "p": {"a": group("a", ["proved"] * 6 + ["crashed"] * 2), "b": group("b", ["failed"] * 8)},
    "q": {"a": group("a", ["timeout", "proved"]), "b": group("b", ["proved", "init_error"])},
}


def test_every_theorem_asked_for_is_in_a_denominator():
    header, rows = project_rows(PROJECTS)
    assert header == ["project", "theorems", "a", "b"]
    assert rows == [
        ["p", "8", "6 (75.0%)", "0 (0.0%)"],
        ["q", "2", "1 (50.0%)", "1 (50.0%)"],
        ["all", "10", "7 (70.0%)", "1 (10.0%)"],
    ]
    header, rows = outcome_rows(PROJECTS)
    for row in rows:
        assert sum(map(int, row[3:])) == int(row[2])
    assert rows[0][:2] == ["p", "a"] and rows[0][header.index("crashed")] == "2"
    assert [r.theorem for r in joined(PROJECTS)["b"]][-2:] == ["q:t0", "q:t1"]
    assert flat_projects(PROJECTS, 0, 50)["q/a/solved_rate"] == 0.5


def test_pairs_have_an_exact_test_and_holms_correction():
    header, rows = pair_rows(PROJECTS, seed=0, num_resamples=50)
    (row,) = rows
    assert row[0] == "a / b" and row[1].startswith("+60.0% [")
    assert row[2:4] == ["7", "1"]
    # Two-sided sign test of 7 against 1: 2 * (1 + 8) / 2**8.
    assert float(row[4]) == pytest.approx(18 / 256, rel=1e-2) and row[5] == row[4]
    assert header[-1] == "p, Holm"


def script(origin, proved, *repairs):
    return ScriptLog(origin, (), "", "", "", proved, "", repairs, 10, 5, 0.25, 1.0, 2.0)


def test_repairs_are_counted_by_class():
    good = RepairLog("bullets", "e", "-", "+", 2, True, True, 0.1)
    poor = RepairLog("bullets", "e", "-", "", 7, False, False, 0.1)
    logs = [
        ProofLog("t0", "A.v", True, 1.0, (script("sample", True, good), script("second_try", True))),
        ProofLog("t1", "A.v", False, 1.0, (script("sample", False, poor), script("second_try", False))),
    ]
    assert tallies(logs) == {"bullets": Tally(2, 1, 1), "second_try": Tally(2, 1, 1)}
    assert repair_rows({"m": logs})[1][0] == ["m", "bullets", "2", "1", "1", "50.0%"]
    flat = flat_log("m", logs)
    assert flat["m/num_tokens"] == 20 and flat["m/cost"] == 1.0 and flat["m/repair/bullets/tried"] == 2
