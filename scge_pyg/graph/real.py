"""Geometry is real, also where parameters are not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

__all__ = ["real"]

P = ParamSpec("P")
T = TypeVar("T")


def real(function: Callable[P, T]) -> Callable[P, T]:
    """Lets a function make its tensors on the CPU where ``torch.device("meta")`` is in force.

    Example:
        >>> with torch.device("meta"):
        ...     real(torch.arange)(3)
        tensor([0, 1, 2])
    """

    @functools.wraps(function)
    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        if not torch.empty(0).is_meta:
            return function(*args, **kwargs)
        with torch.device("cpu"):
            return function(*args, **kwargs)

    return made
