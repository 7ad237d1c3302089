"""Measures of collapse against closed forms and loops."""

import math

import pytest
import torch

from scge_pyg.models.cgae import most_alike, usage_entropy


def test_entropy_is_that_of_the_shares() -> None:
    kind = torch.tensor([[0, 0, 0], [1, 2, -1]])
    shares = [3 / 5, 1 / 5, 1 / 5]
    assert usage_entropy(kind, 4) == pytest.approx(-sum(p * math.log(p) for p in shares))
    assert usage_entropy(torch.arange(7), 7) == pytest.approx(math.log(7))
    assert usage_entropy(torch.zeros(5, dtype=torch.long), 3) == 0
    assert usage_entropy(torch.full((2, 2), -1), 3) == 0


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 3, 2)])
def test_likeness_is_the_best_over_all_shifts(shape: tuple[int, ...]) -> None:
    w = torch.randn(3, 2, *shape, generator=torch.Generator().manual_seed(115), dtype=torch.double)
    found = most_alike(w)
    for a in range(3):
        for b in range(3):
            if a == b:
                assert found[a, b] == 0
                continue
            best = -math.inf
            for shift in torch.cartesian_prod(*(torch.arange(1 - n, n) for n in (*shape, 1))).tolist():
                here = [slice(max(s, 0), n + min(s, 0)) for s, n in zip(shift, shape, strict=False)]
                there = [slice(max(-s, 0), n + min(-s, 0)) for s, n in zip(shift, shape, strict=False)]
                best = max(best, float((w[a][(slice(None), *here)] * w[b][(slice(None), *there)]).sum()))
            assert float(found[a, b]) == pytest.approx(best / float(w[a].norm() * w[b].norm()))


def test_a_prototype_of_zeros_is_like_none() -> None:
    w = torch.stack([torch.zeros(1, 3, 3), torch.ones(1, 3, 3)])
    assert most_alike(w).tolist() == [[0.0, 0.0], [0.0, 0.0]]
