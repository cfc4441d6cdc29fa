"""Results made of plain values; the kernel in these tests is a function, and says so."""

from collections.abc import Callable, Sequence

import pytest

from ntp.evaluation.results import Attempt, Proof, TheoremOutcome, TheoremResult
from ntp.types import Goal, ProofState, Span, Theorem


def make_theorem(name: str = "Demo.add_0", file: str = "Demo.v") -> Theorem:
    return Theorem(name, file, f"Lemma {name} : forall n, n + 0 = n.", Span(0, 10), Span(10, 20))


def make_state(handle: int, conclusion: str) -> ProofState:
    return ProofState(handle, Goal(("n : nat",), conclusion))


def make_result(
    theorem: str,
    method: str = "sft",
    successes: Sequence[bool] = (),
    proofs: Sequence[Proof] = (),
    outcome: TheoremOutcome | None = None,
    independent: bool = True,
) -> TheoremResult:
    """A result whose i-th attempt is the proof `t{i}` when `successes[i]`, besides the given proofs."""
    found = tuple(
        Proof((f"t{i}",), (f"s{i}",), -1.0, i, verified=True, irredundant=(f"t{i}",))
        for i, success in enumerate(successes)
        if success
    )
    proofs = (*found, *proofs)
    solved = any(proof.verified for proof in proofs)
    attempts = tuple(
        Attempt(i, (f"t{i}",), "proved" if success else "stuck", -1.0) for i, success in enumerate(successes)
    )
    return TheoremResult(
        theorem=theorem,
        file="Demo.v",
        statement=f"Lemma {theorem} : True.",
        method=method,
        independent=independent,
        outcome=outcome or (TheoremOutcome.PROVED if solved else TheoremOutcome.FAILED),
        attempts=attempts,
        proofs=proofs,
        num_samples=len(attempts),
        num_env_steps=2 * len(attempts),
        wall_s=0.5,
    )


@pytest.fixture
def result_of() -> Callable[..., TheoremResult]:
    return make_result


@pytest.fixture
def theorem_of() -> Callable[..., Theorem]:
    return make_theorem


@pytest.fixture
def state_of() -> Callable[..., ProofState]:
    return make_state
