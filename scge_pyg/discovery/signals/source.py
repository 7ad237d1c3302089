"""A source: samples of which blocks can be read, before any of them is converted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch import Tensor

__all__ = ["Source"]


class Source(NamedTuple):
    """Samples ``[S, N]`` or ``[S, N, C]`` that are read in blocks.

    Attributes:
        shape: Shape of all samples together.
        rows: Samples ``first`` to ``last - 1``, of any real dtype.
        names: Names of the nodes, where the input has some.
        numbered: Whether nodes were placed by ``node_id``, so that further batches may bring further nodes.
        notes: What was left out on the way, a sentence each.
    """

    shape: tuple[int, ...]
    rows: Callable[[int, int], Tensor | np.ndarray]
    names: tuple[str, ...] | None = None
    numbered: bool = False
    notes: tuple[str, ...] = ()
