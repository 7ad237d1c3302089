"""The particle code of an image: a few parts, each with a place, a prototype and a linear code."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["Code", "State"]


class Code(NamedTuple):
    """B images as H parts each; a part that isn't used has ``k`` = -1, ``i`` = ``j`` = 0 and ``b`` = 0.

    Args:
        i: Row of each part's place, ``[B, H]`` int64, in places: pixels, or fractions of them with ``subpixel``. On a
            graph without a lattice, the node, and ``j`` is 0.
        j: Column of it, ``[B, H]`` int64.
        k: Prototype, ``[B, H]`` int64.
        b: Linear code, ``[B, H, num_linear]``.
        energy: That of the code as an explanation of the image it was read from, ``[B]``, in nats.
    """

    i: Tensor
    j: Tensor
    k: Tensor
    b: Tensor
    energy: Tensor


class State(NamedTuple):
    """The same inside of inference: ``place = i * columns + j``; :class:`Code` is what is handed out."""

    place: Tensor
    kind: Tensor
    b: Tensor

    def of(self, rows: Tensor | slice) -> State:
        """The states of some images."""
        return State(self.place[rows], self.kind[rows], self.b[rows])
