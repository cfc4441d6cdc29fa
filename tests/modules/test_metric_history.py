import pytest
import torch

from ntp.modules.metric_history import MetricHistory


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
