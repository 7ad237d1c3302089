"""Conditional distributions with fewer numbers than a table: noisy-or, sigmoid, tree and rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["noisy_or", "rule", "sigmoid", "tree"]


def _states(parents: int, like: Tensor) -> Tensor:
    """All states of binary parents ``[2, ..., 2, parents]``."""
    grid = [torch.arange(2, device=like.device, dtype=like.dtype)] * parents
    return torch.stack(torch.meshgrid(*grid, indexing="ij"), -1)


def noisy_or(strength: Tensor, leak: Tensor | float = 0.0) -> Tensor:
    r"""Table ``[2, ..., 2, 2]`` of binary parents and child, each parent able to cause it by itself.

    .. math::
        P(y = 0 \mid x) = (1 - \lambda_0) \prod_{i : x_i = 1} (1 - \lambda_i)

    The first line of the note's (238) has the product over the parents that are 0, a slip.

    Args:
        strength: :math:`\lambda_i` ``[k]`` in [0, 1].
        leak: :math:`\lambda_0`.

    Example:
        >>> noisy_or(torch.tensor([0.5]), 0.2)
        tensor([[0.8000, 0.2000],
                [0.4000, 0.6000]])
    """
    strength = torch.as_tensor(strength)
    leak = torch.as_tensor(leak, dtype=strength.dtype)
    if strength.dim() != 1 or not bool(((strength >= 0) & (strength <= 1)).all() and 0 <= leak <= 1):
        raise ValueError(
            f"noisy_or: strength must be [k] and, as leak, lie in [0, 1], got {strength.tolist()}, {float(leak)}"
        )
    none = (1 - leak) * torch.where(_states(len(strength), strength) > 0, 1 - strength, 1.0).prod(-1)
    return torch.stack([none, 1 - none], -1)


def sigmoid(weight: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    r"""Table ``[2, ..., 2, 2]`` of binary parents and child with :math:`P(y = 1 \mid x) = \sigma(w_0 + w^\top x)`.

    Args:
        weight: w ``[k]``.
        bias: :math:`w_0`.

    Example:
        >>> sigmoid(torch.tensor([0.0]))
        tensor([[0.5000, 0.5000],
                [0.5000, 0.5000]])
    """
    weight = torch.as_tensor(weight)
    if weight.dim() != 1 or not bool(torch.isfinite(weight).all()):
        raise ValueError(f"sigmoid: weight must be finite [k], got {list(weight.shape)}")
    one = (_states(len(weight), weight) @ weight + bias).sigmoid()
    return torch.stack([1 - one, one], -1)


def rule(function: Callable[..., Tensor], states: Sequence[int], child_states: int) -> Tensor:
    r"""Table ``[K_1, ..., K_k, child_states]`` of a child that its parents determine.

    Args:
        function: From one integer tensor a parent, all of one shape, to the child's state.
        states: Of the parents.
        child_states: Of the child.

    Example:
        >>> rule(lambda a, b: a ^ b, (2, 2), 2)[1].tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    grid = torch.meshgrid(*(torch.arange(size) for size in states), indexing="ij")
    child = function(*grid)
    if (
        child.shape != tuple(states)
        or child.is_floating_point()
        or not bool(((child >= 0) & (child < child_states)).all())
    ):
        raise ValueError(
            f"rule: function must give integers from 0 to {child_states - 1} of shape {list(states)}, got "
            f"{child.dtype} {list(child.shape)}"
        )
    return torch.nn.functional.one_hot(child.long(), child_states).to(torch.get_default_dtype())


def tree(split: Any, states: Sequence[int], child_states: int) -> Tensor:
    r"""Table ``[K_1, ..., K_k, child_states]`` of a decision tree with a distribution at each leaf.

    Args:
        split: A leaf, the child's probabilities ``[child_states]``, or ``(parent, [one split for each of its
        states])``. states: Of the parents. child_states: Of the child.

    Example:
        >>> asks_first = (0, [torch.tensor([0.9, 0.1]), (1, [torch.tensor([0.5, 0.5]), torch.tensor([0.0, 1.0])])])
        >>> tree(asks_first, (2, 2), 2)[:, :, 1]
        tensor([[0.1000, 0.1000],
                [0.5000, 1.0000]])
    """
    if isinstance(split, tuple):
        parent, branches = split
        if not 0 <= parent < len(states) or len(branches) != states[parent]:
            raise ValueError(
                f"tree: a split must be (parent, branches) with one branch for each state of one of {len(states)} "
                f"parents, got parent {parent} with {len(branches)} branches"
            )
        tables = [tree(branch, states, child_states) for branch in branches]
        return torch.cat([table.narrow(parent, state, 1) for state, table in enumerate(tables)], parent)
    leaf = torch.as_tensor(split)
    fits = leaf.shape == (child_states,) and bool((leaf >= 0).all())
    if not fits or not torch.isclose(leaf.sum(), torch.ones(()).to(leaf)):
        raise ValueError(f"tree: leaves must be probabilities [{child_states}] that sum to 1, got {split}")
    return leaf.expand(*states, child_states).clone()
