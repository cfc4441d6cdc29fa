import math

import pytest

from ntp.modules.gfn_batch import failure_metrics
from ntp.modules.rollout import Group, Origin, Rollout
from ntp.types import Span, Status, Theorem

THEOREM = Theorem("t", "f", "", Span(0, 1), Span(0, 0))


def attempt(tactic: str, status: Status, log_ref: float) -> Rollout:
    tokens = (tuple(map(ord, tactic)),)
    return Rollout(("s",), (tactic,), tokens, status, Origin.ON_POLICY, ((),), (log_ref,))


def group(*attempts: Rollout) -> Group:
    return Group(THEOREM, "s", attempts)


def test_a_proof_that_was_found_twice_counts_once_in_the_bound_of_failures():
    # Proofs a and b of prior .25 and .04, log R = 0.5 log prior; failures have at most exp(-2) of the rest.
    a = attempt("a", Status.PROVED, math.log(0.25))
    b = attempt("b", Status.PROVED, math.log(0.04))
    stuck = attempt("c", Status.STUCK, math.log(0.5))
    log_reward = [math.log(0.5), math.log(0.5), math.log(0.2), math.log(0.5) - 2]
    metrics = failure_metrics([group(a, a, b, stuck)], log_reward, bound=-2.0)
    failures = math.exp(-2) * (1 - 0.25 - 0.04)
    assert metrics == {"train/failure_mass_bound": pytest.approx(failures / (failures + 0.5 + 0.2))}


def test_the_bound_of_failures_is_a_mean_over_solved_theorems():
    sure = group(attempt("a", Status.PROVED, 0.0))
    unsolved = group(attempt("c", Status.STUCK, -1.0))
    even = group(attempt("a", Status.PROVED, math.log(0.5)))
    metrics = failure_metrics([sure, unsolved, even], [0.0, -3.0, math.log(0.5)], bound=0.0)
    assert metrics == {"train/failure_mass_bound": pytest.approx((0 + 0.5) / 2)}
    assert failure_metrics([unsolved], [-3.0], bound=0.0) == {}
