import io
import random

import numpy as np
import torch

from ntp.modules.checkpoint_state import restore_rng_state, rng_state


def draw() -> tuple[float, float, float, float]:
    return random.random(), random.gauss(0, 1), float(np.random.standard_normal()), float(torch.rand(()))


def test_generators_go_on_where_they_were_after_a_safe_load():
    draw()
    file = io.BytesIO()
    torch.save(rng_state(), file)
    expected = [draw() for _ in range(3)]
    file.seek(0)
    restore_rng_state(torch.load(file, weights_only=True))
    assert [draw() for _ in range(3)] == expected
