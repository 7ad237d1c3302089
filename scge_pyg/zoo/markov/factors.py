"""Factors of discrete variables: tables, their products by einsum, and what evidence leaves of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Factor", "checked_factors", "reduced", "sum_product"]


class Factor(NamedTuple):
    """A non-negative function of some variables.

    Attributes:
        variables: Their numbers, one for each of the last axes of ``table``.
        table: ``[..., K_1, ..., K_m]``; leading axes are samples.
    """

    variables: tuple[int, ...]
    table: Tensor


def checked_factors(where: str, factors: Sequence[Any]) -> tuple[list[Factor], dict[int, int]]:
    """Factors, and how many states each variable has."""
    found: list[Factor] = []
    states: dict[int, int] = {}
    for number, one in enumerate(factors):
        variables, table = one
        factor = Factor(tuple(int(v) for v in variables), torch.as_tensor(table))
        names = f"factor {number} of variables {list(factor.variables)}"
        if len(set(factor.variables)) != len(factor.variables) or not factor.variables:
            raise ValueError(f"{where}: factors must name each of their variables once, got {names}")
        if factor.table.dim() < len(factor.variables) or not factor.table.is_floating_point():
            raise ValueError(
                f"{where}: factors must be float tables with one axis a variable, got {names} with "
                f"{factor.table.dtype} {list(factor.table.shape)}"
            )
        if not bool((torch.isfinite(factor.table) & (factor.table >= 0)).all()):
            raise ValueError(f"{where}: factors must be finite and at least 0, got {names} with other values")
        for variable, size in zip(factor.variables, factor.table.shape[-len(factor.variables) :], strict=True):
            if states.setdefault(variable, size) != size:
                raise ValueError(
                    f"{where}: factors must agree on the states of a variable, got {states[variable]} and {size} for "
                    f"variable {variable}"
                )
        found.append(factor)
    if not found:
        raise ValueError(f"{where}: factors must hold at least one, got none")
    return found, states


def reduced(factor: Factor, evidence: Mapping[int, int]) -> Factor:
    """The factor where some variables are known: 0 in all other states, so that every axis stays.

    Example:
        >>> reduced(Factor((3,), torch.tensor([0.2, 0.8])), {3: 1}).table
        tensor([0.0000, 0.8000])
    """
    table = factor.table
    for axis, variable in enumerate(factor.variables, -len(factor.variables)):
        if variable in evidence:
            size = table.shape[axis]
            known = torch.arange(size, device=table.device) == evidence[variable]
            table = table * known.to(table.dtype).view(-1, *[1] * (-axis - 1))
    return Factor(factor.variables, table)


def sum_product(factors: Sequence[Factor], keep: Sequence[int]) -> Tensor:
    r""":math:`\sum_{x \notin \text{keep}} \prod_f f(x_f)` by einsum, axes in the order of ``keep``.

    Example:
        >>> a, b = Factor((0, 1), torch.ones(2, 3)), Factor((1,), torch.tensor([1.0, 2.0, 3.0]))
        >>> sum_product([a, b], [0])
        tensor([6., 6.])
    """
    letter: dict[int, int] = {}
    for factor in factors:
        for variable in factor.variables:
            letter.setdefault(variable, len(letter))
    operands: list[Any] = []
    for factor in factors:
        operands += [factor.table, [..., *(letter[v] for v in factor.variables)]]
    found: Tensor = torch.einsum(*operands, [..., *(letter[v] for v in keep)])
    return found
