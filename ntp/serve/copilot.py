"""What a server shares among its clients: documents, suggestions, and how it calls itself."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from ntp.serve.sessions import Sessions
from ntp.serve.suggestions import Suggester


@dataclass(frozen=True)
class Copilot:
    """A running copilot, without a protocol.

    Attributes:
        sessions: The documents that are open.
        suggester: Finds suggestions in them.
        prover: `coq` or `lean`.
        model: What the server calls its model.
        header: Text that is put before a goal which a client sends without its file.
    """

    sessions: Sessions
    suggester: Suggester
    prover: str = "coq"
    model: str = "ntp"
    _: KW_ONLY
    header: str

    @property
    def is_calibrated(self) -> bool:
        """Whether probabilities are calibrated; without, suggestions have none."""
        return self.suggester.calibrator is not None
