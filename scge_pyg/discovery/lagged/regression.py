"""Regression of each node on its own past and that of its neighbours, all nodes at once, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.discovery.coupling.candidate_regression import RIDGES, best_ridge
from scge_pyg.discovery.lagged.recordings import Blocks

__all__ = ["Neighbors", "chosen_ridge", "coefficients", "gains", "in_groups", "moments"]

_PROBED = 32  # nodes whose predictions choose the ridge
_LARGEST = 10**-0.5  # ridge: above, blocks share their regression, and independent noise was called directed too often
_VALUES = 2**23  # of moments, or of one block's regressors, that are held at once
_LEAST = 1e-9  # squared error of a standardised signal that is predicted exactly


class Neighbors(NamedTuple):
    """Some nodes and their sources.

    Attributes:
        node: ``[n]``.
        table: The node itself and its K sources, ``[n, 1 + K]``; N where there are fewer.
        edge: Edge of each source, ``[n, K]``; -1 where there are fewer.
    """

    node: Tensor
    table: Tensor
    edge: Tensor


def in_groups(edge_index: Tensor, num_nodes: int, lags: int, series: Blocks) -> Iterator[Neighbors]:
    """Nodes with sources, grouped by their number, so many at a time that moments and regressors fit into memory."""
    degree = torch.bincount(edge_index[1], minlength=num_nodes)
    by_target = edge_index[1].argsort(stable=True)
    first = degree.cumsum(0) - degree
    nodes = degree.argsort(stable=True)
    nodes = nodes[degree[nodes] > 0]
    longest = len(series.block) // series.num_blocks + 1
    while len(nodes):
        size = lags * (1 + int(degree[nodes[-1]])) + 1
        count = max(1, _VALUES // max(series.num_blocks * size**2, longest * size))
        some, nodes = nodes[-count:], nodes[:-count]
        slot = torch.arange(int(degree[some[-1]]))
        there = slot < degree[some, None]
        edge = by_target[(first[some, None] + slot).clamp_max(len(by_target) - 1)].where(there, torch.tensor(-1))
        source = edge_index[0][edge].where(there, torch.tensor(num_nodes))
        yield Neighbors(some, torch.cat([some[:, None], source], 1), edge)


def moments(series: Blocks, near: Neighbors, lags: int, *, reverse: bool) -> tuple[Tensor, Tensor]:
    """Sums of products of regressors and target in each block, ``[B, n, D + 1, D + 1]``, and its steps ``[B]``.

    Regressors are in the order of ``near.table``, the lags of one node side by side, D = (1 + K) lags; the target
    comes last. With ``reverse``, time runs backwards: the future takes the place of the past.

    Cost: :math:`O(n T D^2)`.
    """
    score = torch.nn.functional.pad(series.score, (0, 1))  # column N: no source
    step = series.steps(lags, reverse=reverse)
    count = torch.bincount(series.block[step], minlength=series.num_blocks)
    lag = torch.arange(1, lags + 1) * (1 if reverse else -1)
    result = []
    for some in step.split(count.tolist()):
        past = score[some[:, None] + lag][:, :, near.table]
        past = past.permute(2, 0, 3, 1).flatten(2)
        both = torch.cat([past, score[some][:, near.node].T[:, :, None]], 2).double()
        result.append(both.mT @ both)
    return torch.stack(result), count


def gains(moment: Tensor, count: Tensor, ridge: float, lags: int) -> Tensor:
    r"""Held-out gain of each source in each block ``[B, n, K]``, in nats.

    .. math::
        w = (G + \lambda T I)^{-1} b,\qquad w^{(-j)} = w - C_{\cdot j} C_{jj}^{-1} w_j,\qquad C = (G + \lambda T I)^{-1}

    with the sums :math:`G, b` of all other blocks: :math:`w^{(-j)}` is the ridge regression without source j, so that
    one inverse a node and block serves all sources.

    Cost: :math:`O(B n D^3)`.
    """
    ridged, cross = _system(*_others(moment, count), ridge)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(ridged))
    weight = (inverse @ cross).squeeze(3)
    blocks, nodes, size = weight.shape
    columns = inverse.view(blocks, nodes, size, -1, lags)[:, :, :, 1:]
    own = columns.unflatten(2, (-1, lags))[:, :, 1:]
    own = own.diagonal(dim1=2, dim2=4).permute(0, 1, 4, 2, 3)
    part = torch.linalg.solve(own, weight.unflatten(2, (-1, lags))[:, :, 1:])
    without = weight[:, :, None] - torch.einsum("bndkp,bnkp->bnkd", columns, part)
    return (_error(moment, without, count) / _error(moment, weight[:, :, None], count)).log() / 2


def coefficients(moment: Tensor, count: Tensor, ridge: float, lags: int) -> Tensor:
    """Coefficients of each source over all blocks ``[n, K, lags]``, of standardised signals."""
    weight = torch.linalg.solve(*_system(moment.sum(0), count.sum(), ridge))
    return weight.squeeze(2).unflatten(1, (-1, lags))[:, 1:]


def chosen_ridge(series: Blocks, edge_index: Tensor, num_nodes: int, lags: int) -> float:
    """The ridge on standardised regressors under which blocks predict 32 nodes of each other best, at most 0.3."""
    targets = edge_index[1].unique()
    probed = targets[torch.linspace(0, len(targets) - 1, min(_PROBED, len(targets))).long()]
    some = edge_index[:, torch.isin(edge_index[1], probed)]
    known = [moments(series, near, lags, reverse=False) for near in in_groups(some, num_nodes, lags, series)]

    def score(ridge: float) -> float:
        return -sum(float(_log_error(*one, ridge).sum()) for one in known)

    return min(float(RIDGES[best_ridge(score)[0]]), _LARGEST)


def _others(moment: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """For each block, the sums ``[B, n, D + 1, D + 1]`` and steps ``[B, 1]`` of all others."""
    return moment.sum(0) - moment, (count.sum() - count)[:, None]


def _system(moment: Tensor, count: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """The matrix ``[..., D, D]`` and the right-hand side ``[..., D, 1]`` of ridge regressions."""
    size = moment.shape[-1] - 1
    eye = torch.eye(size, dtype=moment.dtype)
    return moment[..., :size, :size] + ridge * count[..., None, None] * eye, moment[..., :size, size:]


def _log_error(moment: Tensor, count: Tensor, ridge: float) -> Tensor:
    """Logarithm of the mean squared error on each block of what the others predict ``[B, n]``."""
    ridged, cross = _system(*_others(moment, count), ridge)
    weight = torch.cholesky_solve(cross, torch.linalg.cholesky(ridged))
    return _error(moment, weight.mT, count).log().squeeze(2)


def _error(moment: Tensor, weight: Tensor, count: Tensor) -> Tensor:
    """Mean squared error ``[B, n, K]`` of weights ``[B, n, K, D]`` on each block."""
    size = weight.shape[-1]
    product, own = moment[:, :, :size, :size], moment[:, :, :size, size]
    square = moment[:, :, None, size, size]
    error = square - 2 * torch.einsum("bnkd,bnd->bnk", weight, own) + ((weight @ product) * weight).sum(3)
    return (error / count[:, None, None]).clamp_min(_LEAST)
