import math

import pytest
import torch

from ntp.modules.learner import MetricHistory, learning_rate_schedule

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
