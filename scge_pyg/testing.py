"""Assertions about layers and models on node sets, for any ``torch.nn.Module``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["assert_batch_equals_loop", "assert_gradients_reach_all", "assert_permutation_equivariant"]


def assert_batch_equals_loop(module: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """A batch ``[B, N, C]`` gives what its samples give one at a time.

    Raises:
        AssertionError: With the largest difference.

    Example:
        >>> assert_batch_equals_loop(torch.nn.Linear(3, 4), torch.randn(2, 5, 3))
    """
    loop = torch.cat([module(sample.unsqueeze(0)) for sample in x])
    torch.testing.assert_close(module(x), loop, msg=lambda text: f"the batch differs from a loop over it\n{text}")


def assert_gradients_reach_all(module: torch.nn.Module, x: Tensor) -> None:
    """Every parameter, and the input, gets a finite gradient that is not zero throughout.

    Raises:
        AssertionError: Names the parameters without one.

    Example:
        >>> assert_gradients_reach_all(torch.nn.Linear(3, 4), torch.randn(2, 5, 3))
    """
    leaf = x.detach().clone().requires_grad_()
    y = module(leaf)
    names, parameters = zip(*module.named_parameters(), strict=True)
    upstream = torch.randn(y.shape, dtype=y.dtype, device=y.device)
    grads = torch.autograd.grad(y, (leaf, *parameters), upstream, allow_unused=True)
    missed = [
        name
        for name, grad in zip(("the input", *names), grads, strict=True)
        if grad is None or not bool(grad.isfinite().all()) or not bool(grad.any())
    ]
    if missed:
        raise AssertionError(f"no finite, nonzero gradient reaches {', '.join(missed)}")


def assert_permutation_equivariant(
    build: Callable[[Tensor], Callable[[Tensor], Tensor]], x: Tensor, generator: torch.Generator | None = None
) -> None:
    """Shuffling the nodes shuffles the result and changes nothing else.

    Args:
        build: Gives the module for the nodes in a given order ``[N]``; each time with the same parameters.
        x: Input ``[B, N, C]``.
        generator: Of the order. Default: seed 0.

    Raises:
        AssertionError: With the largest difference.

    Example:
        >>> linear = torch.nn.Linear(3, 4)
        >>> assert_permutation_equivariant(lambda order: linear, torch.randn(2, 5, 3))
    """
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    order = torch.randperm(x.shape[1], generator=generator)
    expected = build(torch.arange(x.shape[1]))(x)[:, order]
    torch.testing.assert_close(
        build(order)(x[:, order]), expected, msg=lambda text: f"the result depends on the node order\n{text}"
    )
