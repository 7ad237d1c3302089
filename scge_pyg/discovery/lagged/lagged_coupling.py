"""`lagged_coupling`: how much each node's past tells about its neighbours, and which of two leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import false_discovery_control, t
from torch import Tensor
from torch_geometric.utils import remove_self_loops, to_undirected

from scge_pyg.discovery.lagged.candidates import lagged_partners
from scge_pyg.discovery.lagged.recordings import Blocks, in_blocks, most_lags, read_series
from scge_pyg.discovery.lagged.regression import chosen_ridge, coefficients, gains, in_groups, moments
from scge_pyg.graph.checks import whole_number
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["LaggedCoupling", "lagged_coupling"]

_FEWEST_LAGS, _MOST_LAGS = 4, 16
_ALPHA = 0.05  # share of directed edges that may be so by chance
_ROUNDING = 1e-9  # nats


@dataclass(frozen=True, eq=False)
class LaggedCoupling:
    """A directed weight for each edge, source to target, as PyG's operators take it.

    Attributes:
        edge_index: Both directions of each edge or pair that was looked at, sorted ``[2, E]``.
        edge_weight: What the source's past adds to the prediction of the target, in nats a step, at least 0 ``[E]``.
        error: Its standard error over blocks ``[E]``.
        leads: 1 where the source leads, -1 where it follows, 0 where that can't be told ``[E]`` int64.
        p_value: How often an edge that runs the same way in both directions of time looks as directed ``[E]``.
        lag: Steps after which the source tells most ``[E]`` int64.
        coefficient: Of the source's past, 1 to ``lags`` steps ago, in the units of ``x`` ``[E, lags]``.
        ridge: On the standardised signals.
        names: Names of the nodes, those of ``x`` or of the graph; None where neither has some.
    """

    edge_index: Tensor
    edge_weight: Tensor
    error: Tensor
    leads: Tensor
    p_value: Tensor
    lag: Tensor
    coefficient: Tensor
    ridge: float
    names: tuple[str, ...] | None = None

    def directed(self) -> tuple[Tensor, Tensor]:
        """Edges from leader to follower ``[2, E']`` and their weights ``[E']``; what can't be told is left out."""
        leads = self.leads > 0
        return self.edge_index[:, leads], self.edge_weight[leads]

    def __repr__(self) -> str:
        led = int((self.leads > 0).sum())
        return f"LaggedCoupling(edges={len(self.leads) // 2}, directed={led}, lags={self.coefficient.shape[1]})"


def lagged_coupling(x: Any, graph: SharedGraph | None = None, *, lags: int | None = None) -> LaggedCoupling:
    r"""Directed coupling along the edges of a graph: a ridge vector autoregression, judged by held-out prediction.

    Each node is regressed on its own past and that of its neighbours,

    .. math::
        z_i(t) = \sum_{l = 1}^{L} \Big( a_{il} z_i(t - l) + \sum_{k \in N(i)} a_{ikl} z_k(t - l) \Big) + e_i(t)

    and the weight of an edge is what the source adds to that, given the target's own past and that of the target's
    other neighbours, on blocks of time that the regression hasn't seen:

    .. math::
        F_{j \to i} = \tfrac12 \log \frac{\operatorname{var} e_i \text{ without } j}{\operatorname{var} e_i}

    the conditional causality of Granger (1969) and Geweke (1984), half of it, which for Gaussian signals is the
    transfer entropy in nats. One ridge for all nodes is chosen by the same prediction. A source leads if

    .. math::
        (F_{j \to i} - F_{i \to j}) - (F'_{j \to i} - F'_{i \to j}) > 0

    with :math:`F'` on the series run backwards (Haufe et al., 2013): where one node drives the other, the arrow turns
    round with time; where both are seen through noise of different strength, or share a source without delay, it
    doesn't. The difference is tested over blocks (Student's t; 8 to 20 blocks, as the series allows), and of the edges
    that are called directed 5 % may be so by chance (Benjamini and Hochberg, 1995).

    What isn't joined isn't looked at, and isn't taken off either: a source that reaches one end of an edge earlier than
    the other, and is no neighbour of the later end, looks like a lead. That samples are in time order can't be seen
    from them and is up to the caller: shuffled ones have no directed edges. An index of times or rising numbers, of
    pandas or xarray, is believed: rows out of order are refused, and no past reaches over a step of more than 1.5
    median ones.

    Cost: :math:`O(T \sum_i D_i^2 + B \sum_i D_i^3)` for B blocks, :math:`D_i` = L (1 + neighbours); no N x N matrix.
    Without a graph :math:`O(N^2 T)` for each of 16 lags.

    Args:
        x: Series ``[T, N]`` in time order, or a list of recordings of the same nodes: whatever :func:`discover` takes,
            where each batch is a recording by itself, of one channel and without missing values.
        graph: Its edges are looked at, for instance ``discover(x)``. Default: the pairs of each node and its eight
            strongest partners at any lag, up to 2,048 nodes; what runs far behind often is no neighbour on a map.
        lags: Steps L that are looked back, at least 1. Default: the longest of ``graph.lag``, or that of the nodes'
            strongest partners, but 4 to 16, and no more than the steps allow, 80 a lag.

    Returns:
        Weights of both directions of each edge, and which one leads.

    Raises:
        TypeError: If ``x`` is nothing of the kind or ``graph`` is no SharedGraph.
        ValueError: If ``x`` has other nodes or names than the graph, several channels, missing or infinite values, a
            constant node that is live in the graph, fewer than 80 steps a lag, an index that is out of order, or more
            than 2,048 nodes and no graph.

    Example:
        >>> import torch
        >>> x = torch.randn(2000, 10, generator=torch.Generator().manual_seed(0))
        >>> for step in range(2, 2000):  # each goes on from itself and repeats the one before, two steps later
        ...     x[step] += 0.5 * x[step - 1]
        ...     x[step, 1:] += 0.5 * x[step - 2, :-1]
        >>> coupling = lagged_coupling(x)
        >>> coupling
        LaggedCoupling(edges=40, directed=9, lags=4)
        >>> edge_index, edge_weight = coupling.directed()
        >>> edge_index.tolist()
        [[0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8, 9]]
        >>> coupling.lag[coupling.leads > 0].unique().tolist()
        [2]
    """
    if graph is not None and not isinstance(graph, SharedGraph):
        raise TypeError(
            f"lagged_coupling: graph must be a SharedGraph or None, got {type(graph).__name__}; pass discover(x), or "
            f"SharedGraph.from_edge_index(edge_index, num_nodes) for edges that are known"
        )
    if lags is not None:
        lags = whole_number("lagged_coupling", "lags", lags, 1)
    series = read_series(x, graph)
    if graph is None:
        pairs, longest = lagged_partners(series.score, series.recording)
    else:
        pairs, longest = graph.edge_index.cpu(), int(graph.lag.abs().max()) if graph.lag.numel() else 0
    nodes = len(series.deviation)
    edges = to_undirected(remove_self_loops(pairs)[0], num_nodes=nodes)
    if lags is None:
        lags = max(_FEWEST_LAGS, min(longest, _MOST_LAGS, most_lags(series)))
    cut = in_blocks(series, lags)
    ridge = chosen_ridge(cut, edges, nodes, lags) if edges.numel() else 0.0
    gain, coefficient = _measured(cut, edges, nodes, lags, ridge)
    backward = torch.from_numpy(np.lexsort((edges[0].numpy(), edges[1].numpy())))  # both directions are there, sorted
    net = gain[0] - gain[1]
    net = net - net[:, backward]
    p_value = _p_value(net)
    known = torch.from_numpy(false_discovery_control(p_value)) <= _ALPHA if len(p_value) else p_value <= _ALPHA
    forward = gain[0].mean(0)
    leads = known & (net.mean(0) > 0) & (forward > 0)
    deviation = series.deviation[edges]
    device = edges.device if graph is None else graph.edge_index.device
    return LaggedCoupling(
        edge_index=edges.to(device),
        edge_weight=forward.clamp_min(0).float().to(device),
        error=_standard_error(gain[0]).float().to(device),
        leads=(leads.long() - leads[backward].long()).to(device),
        p_value=p_value.float().to(device),
        lag=1 + coefficient.abs().argmax(1).to(device),
        coefficient=(coefficient * (deviation[1] / deviation[0])[:, None]).float().to(device),
        ridge=ridge,
        names=series.names,
    )


def _measured(series: Blocks, edges: Tensor, num_nodes: int, lags: int, ridge: float) -> tuple[Tensor, Tensor]:
    """Gain of each edge in each block, forwards and backwards in time ``[2, B, E]``, and coefficients ``[E, lags]``."""
    gain = torch.zeros(2, series.num_blocks, edges.shape[1], dtype=torch.float64)
    coefficient = torch.zeros(edges.shape[1], lags, dtype=torch.float64)
    for near in in_groups(edges, num_nodes, lags, series):
        there = near.edge >= 0
        for reverse in (False, True):
            moment, count = moments(series, near, lags, reverse=reverse)
            gain[int(reverse)][:, near.edge[there]] = gains(moment, count, ridge, lags)[:, there]
            if not reverse:
                coefficient[near.edge[there]] = coefficients(moment, count, ridge, lags)[there]
    return gain, coefficient


def _standard_error(values: Tensor) -> Tensor:
    """Of the mean over blocks ``[B, E]``."""
    blocks = len(values)
    return ((values - values.mean(0)).square().sum(0) / (blocks * (blocks - 1))).sqrt()


def _p_value(values: Tensor) -> Tensor:
    """Two-sided, of a mean over blocks ``[B, E]`` that is 0, by Student's t; 1 where all are 0 up to rounding."""
    statistic = values.mean(0).abs() / _standard_error(values).clamp_min(_ROUNDING)
    return torch.from_numpy(np.asarray(2 * t.sf(statistic.numpy(), len(values) - 1)))
