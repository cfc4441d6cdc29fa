"""Answers to clients that send a state or a text with every request and keep no document open."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ntp.envs.live import NoProofError, ReplayError
from ntp.errors import ConfigError
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import SampleRequest, SamplingParams
from ntp.seeding import derive_seed
from ntp.serve.copilot import Copilot
from ntp.serve.prompts import Prompt, posed
from ntp.serve.suggestions import Suggestion, rank
from ntp.types import Tactic


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        text: A tactic, or a proof from `Proof.` to `Qed.` where the client sent a statement.
        score: Its probability: calibrated if the server is, else the policy's own; 1 for a proof.
        is_checked: Whether the prover accepted it. It cannot be tried if the client sends neither its file
            nor a state that can be posed without it; such clients check it themselves.
    """

    text: str
    score: float
    is_checked: bool


def answers(
    copilot: Copilot, prompt: Prompt, num: int, deadline_s: float | None, cancel: threading.Event
) -> list[Answer]:
    """Answers to a prompt, best first: those that the prover accepted, or else samples as they are."""
    texts = []
    if copilot.prover == "coq":  # the only one whose texts are executed
        texts = [prompt.context, posed(prompt.state, copilot.header) if prompt.state else ""]
    for text in filter(None, texts):
        found = _checked(copilot, text, num, deadline_s, cancel)
        if found is not None:
            wants_proof = not prompt.state and not _has_tactics(text)
            return _answers(found, wants_proof, prompt.prefix)[:num]
    return _samples(copilot, prompt, num) if prompt.state else []


def embedding(copilot: Copilot, text: str) -> list[float]:
    """The policy's representation of a text.

    Raises:
        ConfigError: The server has no policy.
    """
    policy = copilot.suggester.proposer
    if not isinstance(policy, TacticPolicy):
        raise ConfigError("the server has no model, only fixed tactics: it cannot encode texts")
    with copilot.suggester.using_model():
        return policy.state_features([text])[0].tolist()


def _checked(
    copilot: Copilot, text: str, num: int, deadline_s: float | None, cancel: threading.Event
) -> list[Suggestion] | None:
    """Suggestions at the end of a text; None if no proof is open there."""
    session = copilot.sessions.open(text)
    try:
        with copilot.sessions.use(session.id) as buffer:
            position = buffer.position(len(buffer.text))
            return rank(list(copilot.suggester.suggest(buffer, position, num, deadline_s, cancel)))
    except (ReplayError, NoProofError):
        return None
    finally:
        copilot.sessions.close(session.id)


def _answers(found: Sequence[Suggestion], wants_proof: bool, prefix: str) -> list[Answer]:
    if wants_proof:
        proofs = [s for s in found if s.kind == "proof"]
        return [Answer(f"Proof.\n{s.text}\nQed.", 1.0, True) for s in proofs]
    kept = [s for s in found if s.text.startswith(prefix)]
    return [Answer(s.text, _score(s), True) for s in kept]


def _score(suggestion: Suggestion) -> float:
    if suggestion.probability is not None:
        return suggestion.probability
    return math.exp(suggestion.log_prob) if suggestion.source == "policy" else 0.0


def _samples(copilot: Copilot, prompt: Prompt, num: int) -> list[Answer]:
    """Tactics as the policy proposes them, or the fixed ones: for clients that check them."""
    suggester = copilot.suggester
    seeds = (derive_seed(suggester.seed, "generate", prompt.state, i) for i in range(num))
    draws = tuple(SamplingParams(seed, suggester.options.temperature) for seed in seeds)
    (tactics,) = suggester.propose([SampleRequest(prompt.state, draws, exclude=())])
    if not tactics:
        tactics = [Tactic(text) for text in suggester.options.one_shot_tactics]
    return list(_distinct(tactics, prompt.prefix))[:num]


def _distinct(tactics: Sequence[Tactic], prefix: str) -> Iterator[Answer]:
    seen: set[str] = set()
    for tactic in sorted(tactics, key=lambda tactic: -tactic.log_prob):
        if tactic.text not in seen and tactic.text.startswith(prefix):
            seen.add(tactic.text)
            yield Answer(tactic.text, math.exp(tactic.log_prob) if tactic.token_ids else 0.0, False)


def _has_tactics(text: str) -> bool:
    """Whether a text goes on after the statement of its last theorem."""
    return text.rstrip().rsplit(None, 1)[-1] == "Proof." or "Proof." in text.rsplit("Qed.", 1)[-1]
