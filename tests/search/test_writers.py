"""What is read in answers, and what a model is told about a script that failed."""

import pytest

from ntp.search.answers import fenced, script_of
from ntp.search.writers import complaint, goal_of
from ntp.types import Goal, ProofState, Reached, ScriptResult, Tactic, TacticError, Transition, Verdict


@pytest.mark.parametrize(
    ("answer", "script"),
    [
        ("auto.", "auto."),
        ("Sure:\n```coq\nProof.\n  auto.\nQed.\n```\nDone.", "Proof.\n  auto.\nQed."),
        ("```\nauto.\n```", "auto."),
        ("Draft:\n```coq\nlia.\n```\nBetter:\n```coq\nnia.\n```", "nia."),
        ("```coq\nlia.\n```\nRun it with\n```bash\ncoqc A.v\n```", "lia."),
        ("```Coq\nlia.\n```", "lia."),
        ("```coq\nProof.\n  split.", "Proof.\n  split."),
        ("```coq\nLemma a : True.\nProof.\n  exact I.\nQed.\n```", "Proof.\n  exact I.\nQed."),
        ("```coq\nassert (H : Proof_irr). auto.\n```", "assert (H : Proof_irr). auto."),
        ("```lean4\nsimp\n```", "simp"),
        ("", ""),
        ("``````", ""),
    ],
)
def test_the_proof_in_an_answer(answer, script):
    assert script_of(answer) == script


def test_reading_hostile_answers_takes_no_time():
    for answer in ("```" * 50_000, "```coq\n" + "`` " * 50_000, "```coq\n" * 20_000, "Lemma " * 30_000):
        assert isinstance(fenced(answer), str) and isinstance(script_of(answer), str)


@pytest.mark.parametrize(
    "goal",
    [
        Goal((), "True"),
        Goal(("n, m : nat", "H : n = m"), "m = n"),
        Goal(("H : forall x,\n    P x",), "P 0 ->\n  exists y, ⊢ y"),
    ],
)
def test_a_goal_is_read_as_it_was_printed(goal):
    read = goal_of(str(goal))
    assert "\n".join(read.hypotheses) == "\n".join(goal.hypotheses)
    assert read.conclusion == goal.conclusion and str(read) == str(goal)


def test_a_complaint_has_the_error_what_was_accepted_and_the_goals():
    before, after = ProofState(0, Goal((), "A /\\ B")), ProofState(1, Goal((), "A"), ("⊢ B",))
    done = Transition(before, Tactic("split."), Reached(after))
    failed = Transition(after, Tactic("exact b."), TacticError("b is not there"))
    told = complaint(ScriptResult((done, failed), Verdict(False, "'exact b.': b is not there")))
    assert "`exact b.` fails: 'exact b.': b is not there" in told
    assert "Accepted before it:\nsplit." in told and "⊢ A\n\n⊢ B" in told
    told = complaint(ScriptResult((done,), Verdict(False, "goals remain")))
    assert "not accepted: goals remain" in told and "⊢ A\n\n⊢ B" in told
    assert len(complaint(ScriptResult((failed,), Verdict(False, "x" * 10_000)))) < 3000
