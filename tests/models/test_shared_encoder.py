import pytest
import torch
from torch import nn

from ntp.models.shared_encoder import shared_encoder_attention


@pytest.mark.parametrize("num_rows", [1, 5])
def test_shared_keys_are_the_copied_ones(num_rows):
    generator = torch.Generator().manual_seed(0)
    num_inputs, num_heads, length, width, dim = 3, 2, 4, 6, 8
    query = torch.randn(num_inputs * num_rows, num_heads, length, dim, generator=generator)
    key, value = (torch.randn(num_inputs, num_heads, width, dim, generator=generator) for _ in range(2))
    mask = torch.ones(num_inputs, 1, 1, width, dtype=torch.bool)
    mask[1, ..., 4:] = mask[2, ..., 1:] = False
    layer = nn.Module()
    layer.is_causal = False
    out, _ = shared_encoder_attention(layer, query, key, value, mask, scaling=1.0)

    copied = [x.repeat_interleave(num_rows, 0) for x in (key, value, mask)]
    scores = query @ copied[0].transpose(-1, -2)
    weights = scores.masked_fill(~copied[2], -torch.inf).softmax(-1)
    torch.testing.assert_close(out, (weights @ copied[1]).transpose(1, 2), atol=1e-5, rtol=1e-5)
