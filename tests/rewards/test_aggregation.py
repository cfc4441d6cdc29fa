import pytest
import torch

from ntp.rewards.aggregation import Mean, UncertaintyWeighted, WorstCase, disagreement

# Two tactics: three heads agree on the first and differ about the second.
LOG_ODDS_KN = torch.tensor([[1.0, 4.0], [1.0, 1.0], [1.0, -2.0]])


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        (Mean(), [1.0, 1.0]),
        (WorstCase(), [1.0, -2.0]),
        (UncertaintyWeighted(0.5), [1.0, 1.0 - 0.5 * 6.0]),
        (UncertaintyWeighted(0.0), [1.0, 1.0]),
    ],
)
def test_aggregations_by_hand(aggregation, expected):
    assert aggregation(LOG_ODDS_KN).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("aggregation", [Mean(), WorstCase(), UncertaintyWeighted(3.0)])
def test_one_head_speaks_for_itself(aggregation):
    assert aggregation(LOG_ODDS_KN[:1]).tolist() == [1.0, 4.0]
    assert disagreement(LOG_ODDS_KN[:1]).tolist() == [0.0, 0.0]


def test_disagreement_is_the_deviation_over_heads():
    assert disagreement(LOG_ODDS_KN).tolist() == pytest.approx([0.0, 6.0**0.5])
