"""Strings as a tensor, so that they can be kept beside the numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable

import torch
from torch import Tensor

__all__ = ["packed", "unpacked"]


def packed(strings: Iterable[str]) -> Tensor:
    """Strings as bytes ``[B]`` uint8.

    Example:
        >>> unpacked(packed(["Łódź", ""]))
        ('Łódź', '')
    """
    return torch.frombuffer(bytearray(json.dumps(list(strings)).encode()), dtype=torch.uint8)


def unpacked(kept: Tensor) -> tuple[str, ...]:
    """The strings of :func:`packed`."""
    return tuple(json.loads(kept.numpy().tobytes()))
