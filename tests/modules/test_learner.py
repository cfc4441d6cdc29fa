import io
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ntp.errors import CheckpointError
from ntp.modules.learner import MetricHistory, WeightAverage, learning_rate_schedule

RATES = (0.5, 0.02)


def rates(warmup_steps, decay_steps, num_steps):
    """Learning rates of two parameter groups at the first steps of a training run."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in RATES]
    optimizer = torch.optim.SGD(groups)
    schedule = learning_rate_schedule(optimizer, warmup_steps, decay_steps)
    found = []
    for _ in range(num_steps):
        found.append(tuple(group["lr"] for group in optimizer.param_groups))
        optimizer.step()
        schedule.step()
    return found


def scale(step, warmup_steps, decay_steps):
    """The schedule's definition, which recorded training runs depend on."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if decay_steps <= warmup_steps:
        return 1.0
    progress = min(1.0, (step - warmup_steps) / (decay_steps - warmup_steps))
    return 0.1 + (1 - 0.1) * 0.5 * (1 + math.cos(math.pi * progress))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("decay_steps", [0, 1, 7, 8, 9, 40, 400])
@pytest.mark.parametrize("warmup_steps", [0, 1, 2, 7, 50])
def test_every_rate_is_that_of_the_definition_to_the_bit(warmup_steps, decay_steps):
    num_steps = 2 * max(warmup_steps, decay_steps, 5)
    expected = [
        tuple(rate * scale(step, warmup_steps, decay_steps) for rate in RATES) for step in range(num_steps)
    ]
    assert rates(warmup_steps, decay_steps, num_steps) == expected


def test_the_first_step_trains_and_the_rate_stays_at_a_tenth_after_the_cosine():
    found = [first / RATES[0] for first, _ in rates(4, 10, 30)]
    assert found[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert found[10:] == pytest.approx([0.1] * 20)
    assert [first / RATES[0] for first, _ in rates(4, 0, 8)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_a_resumed_schedule_continues_with_the_same_rates():
    def build():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATES[0])
        return optimizer, learning_rate_schedule(optimizer, 3, 9)

    optimizer, schedule = build()
    resumed_optimizer, resumed = build()
    for _ in range(5):
        optimizer.step()
        schedule.step()
    resumed_optimizer.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    for _ in range(6):
        optimizer.step()
        schedule.step()
        resumed_optimizer.step()
        resumed.step()
        assert resumed.get_last_lr() == schedule.get_last_lr()


def test_means_are_over_the_last_fifth_and_of_what_was_logged_there():
    history = MetricHistory()
    for step in range(10):
        history.add("train/loss", torch.tensor(float(step), requires_grad=True), step)
        if step % 2:
            history.add("rollout/success", step / 10, step)
    history.add("train/rare", 3.0, 1)
    history.add("val/nll", 1.0, 9)
    assert history.means(10) == pytest.approx({"train/loss": 8.5, "rollout/success": 0.9, "train/rare": 3.0})
    assert history.means(1)["train/loss"] == pytest.approx(4.5)


def test_state_is_restored(tmp_path):
    history, other = MetricHistory(), MetricHistory()
    history.add("train/loss", torch.tensor(0.1), 0)
    history.add("train/loss", 0.3, 1)
    torch.save(history.state_dict(), tmp_path / "state")
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    other.add("train/loss", 0.5, 2)
    history.add("train/loss", 0.5, 2)
    assert other.means(3) == history.means(3)


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values))


def take_in(average: WeightAverage, weight: nn.Parameter, values) -> None:
    for value in values:
        weight.data.fill_(value)
        average.update()


def test_the_average_of_weights_by_definition():
    weight = parameter(4.0)
    average = WeightAverage([weight], decay=0.15)
    expected = 4.0
    for n, value in enumerate((1.0, 2.0, -3.0)):
        decay = min(0.15, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    take_in(average, weight, (1.0, 2.0, -3.0))
    with average.applied():
        assert_close(weight.detach(), torch.tensor([expected]))
    assert weight.item() == -3.0


def test_without_decay_the_average_is_the_last_weights():
    weight = parameter(4.0)
    average = WeightAverage([weight], decay=0.0)
    take_in(average, weight, (1.0, 7.0))
    with average.applied():
        assert weight.item() == 7.0


def test_weights_come_back_after_an_error():
    weight = parameter(4.0)
    average = WeightAverage([weight], decay=0.9)
    take_in(average, weight, (1.0,))
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert weight.item() == 1.0


def test_the_average_continues_from_its_state():
    weight, other = parameter(4.0, 5.0), parameter(0.0, 0.0)
    whole, first = WeightAverage([weight], 0.9), WeightAverage([other], 0.9)
    take_in(whole, weight, (1.0, 2.0))
    file = io.BytesIO()
    torch.save(whole.state_dict(), file)
    file.seek(0)
    first.load_state_dict(torch.load(file, weights_only=True))
    for average, tensor in ((whole, weight), (first, other)):
        take_in(average, tensor, (5.0, 6.0))
    with whole.applied(), first.applied():
        assert torch.equal(weight, other)


def test_an_average_of_other_parameters_is_refused():
    state = WeightAverage([parameter(1.0, 2.0)], 0.9).state_dict()
    with pytest.raises(CheckpointError, match="another model"):
        WeightAverage([parameter(1.0)], 0.9).load_state_dict(state)
