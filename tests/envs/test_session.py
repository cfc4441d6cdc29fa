"""What sessions of all provers share."""

import pytest

from ntp.envs.session import ROOT, SearchSession
from ntp.sandbox.deaths import ProcessDiedError
from ntp.types import Crashed, Exceeded, Goal, ProofState, Span, Theorem


class Deadly(SearchSession):
    """Its prover dies of every tactic."""

    def __init__(self, death: ProcessDiedError) -> None:
        super().__init__(Theorem("deadly", "A.v", "", Span(0, 0), Span(0, 0)), str, lambda: 0.0)
        self.root = ProofState(ROOT, Goal((), "True"))
        self.num_deaths, self._death = 0, death

    def _restore(self, handle: int) -> bool:
        return True

    def _execute(self, handle: int, text: str):
        self.num_deaths += 1
        raise self._death

    def _stop(self) -> None:
        pass


@pytest.mark.parametrize(
    ("death", "outcome"),
    [
        (ProcessDiedError("killed", killed=True), Crashed("killed")),
        (ProcessDiedError("ended"), Crashed("ended")),
        (ProcessDiedError("full", limit="memory"), Exceeded("memory", "full")),
    ],
    ids=str,
)
def test_a_tactic_that_its_prover_dies_of_is_tried_twice(death, outcome):
    session = Deadly(death)
    assert session.step(session.root, "bomb") == outcome
    assert session.num_deaths == 2
