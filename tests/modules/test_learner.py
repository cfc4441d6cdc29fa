import math

import pytest
import torch

from ntp.modules.learner import learning_rate_schedule

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
