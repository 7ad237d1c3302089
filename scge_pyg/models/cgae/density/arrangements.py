"""All ways of laying the parts of an image on the slots of a tree: their sum, and samples."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

__all__ = ["Arrangements", "Sums"]


class Sums(NamedTuple):
    """What :meth:`Arrangements.sums` leaves for :meth:`Arrangements.sample`.

    Attributes:
        total: The sum over all arrangements ``[B]``.
        stages: Of each slot the sums below it, before its children were reached and after each, ``[B, rows]``.
        messages: From each slot to its parent ``[B, rows]``.
        size: Number of slots at and below each.
    """

    total: Tensor
    stages: dict[int, list[Tensor]]
    messages: dict[int, Tensor]
    size: list[int]


class Arrangements:
    r"""Sum over the H! bijections of H parts to the H slots of a rooted tree.

    .. math::
        Z = \sum_{\sigma \in S_H} \phi(\sigma_r) \prod_{v \neq r} \psi_v(\sigma_{u(v)}, \sigma_v)

    with r the root, u(v) the parent of slot v and :math:`\sigma_v` the part that lies on it. Factors that do not look
    at the parent make this a permanent, so no polynomial sum is to be had; but a tree divides it. With
    :math:`F_v(x, S)` the sum over the bijections of the parts S to the slots at and below v that lay x on v, the
    children divide :math:`S \setminus x` among them:

    .. math::
        F_v(x, S) = \sum_{S_1 \sqcup \dots \sqcup S_m = S \setminus x} \; \prod_{c=1}^{m} G_c(x, S_c), \qquad
        G_c(x, T) = \sum_{y \in T} \psi_c(x, y) F_c(y, T)

    All terms are positive, so nothing cancels. Cost of an image and an edge: :math:`O(2^H H^2)` where one end is a
    single slot (paths, stars), at most :math:`O(3^H H)`: some thousand products for H = 8.

    Args:
        parent: Of each slot, -1 for the root.

    Example:
        >>> import torch
        >>> path = Arrangements((-1, 0, 1))
        >>> ones = torch.ones(1, 3, dtype=torch.float64)
        >>> path.sums(ones, torch.ones(1, 3, 3, 3, dtype=torch.float64)).total
        tensor([6.], dtype=torch.float64)
    """

    def __init__(self, parent: tuple[int, ...]) -> None:
        self.parent = parent
        self.root = parent.index(-1)
        self.children = [[v for v, u in enumerate(parent) if u == w] for w in range(len(parent))]
        self.order = [self.root]  # parents before their children
        for v in self.order:
            self.order.extend(self.children[v])

    def sums(self, root: Tensor, edge: Tensor) -> Sums:
        """The sum, and the sums below each slot.

        Args:
            root: Factor of each part on the root, positive, ``[B, H]`` float64.
            edge: Factor of the part on a slot's parent and the part on the slot, positive, ``[B, H, H, H]`` float64:
                slot, parent's part, own part. What stands at the root is not read.
        """
        count = len(self.parent)
        stages: dict[int, list[Tensor]] = {}
        messages: dict[int, Tensor] = {}
        size = [1] * count
        for v in reversed(self.order):
            stages[v] = [torch.ones_like(root)]
            for c in self.children[v]:
                below, factor = _contract(count, size[c])
                messages[c] = _dot(stages[c][-1], below, edge[:, c].flatten(1), factor)
                own, handed = _merge(count, size[v], size[c])
                stages[v].append(_dot(stages[v][-1], own, messages[c], handed))
                size[v] += size[c]
        return Sums((root * stages[self.root][-1]).sum(1), stages, messages, size)

    def sample(self, root: Tensor, edge: Tensor, sums: Sums, generator: torch.Generator) -> Tensor:
        """Arrangements drawn in proportion to their terms in the sum: the part on each slot ``[B, H]``."""
        count = len(self.parent)
        row = {self.root: _draw(root * sums.stages[self.root][-1], generator)}
        part = row[self.root].unsqueeze(1).repeat(1, count)
        for v in self.order:
            held, current = sums.size[v], row[v]
            for c, before in zip(reversed(self.children[v]), reversed(sums.stages[v][:-1]), strict=True):
                held -= sums.size[c]
                own, handed = (table[current] for table in _merge(count, held, sums.size[c]))
                split = _draw(before.gather(1, own) * sums.messages[c].gather(1, handed), generator).unsqueeze(1)
                current, given = own.gather(1, split)[:, 0], handed.gather(1, split)[:, 0]
                below, factor = (table[given] for table in _contract(count, sums.size[c]))
                weight = sums.stages[c][-1].gather(1, below) * edge[:, c].flatten(1).gather(1, factor)
                chosen = _draw(weight, generator).unsqueeze(1)
                row[c], part[:, c] = below.gather(1, chosen)[:, 0], factor.gather(1, chosen)[:, 0] % count
        return part


def _dot(a: Tensor, at: Tensor, b: Tensor, bt: Tensor) -> Tensor:
    """``sum_t a[:, at[:, t]] * b[:, bt[:, t]]``."""
    return torch.from_numpy(_products(a.numpy(), at.numpy(), b.numpy(), bt.numpy()))


@njit(cache=True)
def _products(a: np.ndarray, at: np.ndarray, b: np.ndarray, bt: np.ndarray) -> np.ndarray:
    out = np.empty((len(a), len(at)))
    for sample in range(len(a)):
        left, right = a[sample], b[sample]
        for row in range(len(at)):
            summed = 0.0
            for t in range(at.shape[1]):
                summed += left[at[row, t]] * right[bt[row, t]]
            out[sample, row] = summed
    return out


def _draw(weight: Tensor, generator: torch.Generator) -> Tensor:
    """A column of each row, in proportion to its weights."""
    summed = weight.cumsum(1)
    point = torch.rand(len(weight), 1, generator=generator, dtype=weight.dtype) * summed[:, -1:]
    return (summed <= point).sum(1).clamp_max(weight.shape[1] - 1)


@cache
def _inside(count: int, size: int) -> dict[tuple[int, frozenset[int]], int]:
    """Row of each (part, set of that size that holds it)."""
    pairs = [(x, frozenset(s)) for s in combinations(range(count), size) for x in s]
    return {pair: row for row, pair in enumerate(pairs)}


@cache
def _outside(count: int, size: int) -> dict[tuple[int, frozenset[int]], int]:
    """Row of each (part, set of that size that lacks it)."""
    sets = [frozenset(s) for s in combinations(range(count), size)]
    return {pair: row for row, pair in enumerate((x, s) for s in sets for x in range(count) if x not in s)}


@cache
def _contract(count: int, size: int) -> tuple[Tensor, Tensor]:
    """Of each row of a child's message: the rows of its sums and its factors, for each part that may lie on it."""
    inside = _inside(count, size)
    below = [[inside[y, s] for y in sorted(s)] for _, s in _outside(count, size)]
    factor = [[x * count + y for y in sorted(s)] for x, s in _outside(count, size)]
    return torch.tensor(below), torch.tensor(factor)


@cache
def _merge(count: int, size: int, more: int) -> tuple[Tensor, Tensor]:
    """Of each row of a slot's sums: the rows of the sums so far and of the child's message, for each division."""
    inside, outside = _inside(count, size), _outside(count, more)
    own, handed = [], []
    for x, s in _inside(count, size + more):
        given = [frozenset(t) for t in combinations(sorted(s - {x}), more)]
        own.append([inside[x, s - t] for t in given])
        handed.append([outside[x, t] for t in given])
    return torch.tensor(own), torch.tensor(handed)
