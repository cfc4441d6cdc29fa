"""How different low-rank heads are from one another (Zhai et al. 2023, UP-RLHF: by the nuclear norm)."""

from __future__ import annotations

import torch
from torch import Tensor

_EPSILON = 1e-8  # keeps the gradient finite at heads that have not moved yet


def head_diversity(a_KRD: Tensor, b_KOR: Tensor) -> Tensor:
    """Nuclear norm of the K updates B_k A_k, each flattened and scaled to length 1, over K; a scalar.

    It is 1 where all updates are orthogonal, and 1 / sqrt(K) where they are one up to a factor. No update is
    ever formed: <B_k A_k, B_l A_l> = tr(B_k^T B_l A_l A_k^T) needs products of rank R only, and the norm is
    the sum of square roots of the eigenvalues of these.

    Args:
        a_KRD: The heads' inner weights in one layer.
        b_KOR: Their outer weights.
    """
    inner_KLRS = torch.einsum("krd,lsd->klrs", a_KRD, a_KRD)
    outer_KLRS = torch.einsum("kor,los->klrs", b_KOR, b_KOR)
    gram_KL = (inner_KLRS * outer_KLRS).sum((2, 3))
    length_K = (gram_KL.diagonal() + _EPSILON).sqrt()
    cosine_KL = gram_KL / (length_K[:, None] * length_K)
    eigenvalues_K = torch.linalg.eigvalsh(cosine_KL)
    return (eigenvalues_K.clamp(min=0) + _EPSILON).sqrt().sum() / len(a_KRD)
