import io

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ntp.errors import CheckpointError
from ntp.modules.weight_average import WeightAverage


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values))


def run(average: WeightAverage, weight: nn.Parameter, values) -> None:
    for value in values:
        weight.data.fill_(value)
        average.update()


def test_by_definition():
    weight = parameter(4.0)
    average = WeightAverage([weight], decay=0.15)
    expected = 4.0
    for n, value in enumerate((1.0, 2.0, -3.0)):
        decay = min(0.15, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    run(average, weight, (1.0, 2.0, -3.0))
    with average.applied():
        assert_close(weight.detach(), torch.tensor([expected]))
    assert weight.item() == -3.0


def test_without_decay_it_is_the_last_weights():
    weight = parameter(4.0)
    average = WeightAverage([weight], decay=0.0)
    run(average, weight, (1.0, 7.0))
    with average.applied():
        assert weight.item() == 7.0


def test_weights_come_back_after_an_error():
    weight = parameter(4.0)
    average = WeightAverage([weight], decay=0.9)
    run(average, weight, (1.0,))
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert weight.item() == 1.0


def test_it_continues_from_its_state():
    weight, other = parameter(4.0, 5.0), parameter(0.0, 0.0)
    whole, first = WeightAverage([weight], 0.9), WeightAverage([other], 0.9)
    run(whole, weight, (1.0, 2.0))
    file = io.BytesIO()
    torch.save(whole.state_dict(), file)
    file.seek(0)
    first.load_state_dict(torch.load(file, weights_only=True))
    for average, tensor in ((whole, weight), (first, other)):
        run(average, tensor, (5.0, 6.0))
    with whole.applied(), first.applied():
        assert torch.equal(weight, other)


def test_a_state_of_other_parameters_is_refused():
    state = WeightAverage([parameter(1.0, 2.0)], 0.9).state_dict()
    with pytest.raises(CheckpointError, match="another model"):
        WeightAverage([parameter(1.0)], 0.9).load_state_dict(state)
