"""A sparse matrix given by rows, built without torch's first warnings about it."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

__all__ = ["sparse_rows"]


def sparse_rows(pointer: Tensor, column: Tensor, value: Tensor, width: int) -> Tensor:
    """The matrix ``[R, width]`` whose row r has ``value [E]`` from ``pointer[r]`` to ``pointer[r + 1] - 1``.

    Example:
        >>> sparse_rows(torch.tensor([0, 1, 1]), torch.tensor([2]), torch.tensor([5.0]), 3).to_dense()
        tensor([[0., 0., 5.],
                [0., 0., 0.]])
    """
    return torch.sparse_csr_tensor(pointer, column, value, (len(pointer) - 1, width), check_invariants=False)


with warnings.catch_warnings(), torch.device("cpu"):  # torch says once that this layout is young
    warnings.simplefilter("ignore")
    sparse_rows(torch.tensor([0, 1]), torch.tensor([0]), torch.tensor([1.0]), 1)
