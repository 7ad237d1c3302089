"""`NodeCalibration`: one gain, offset, sign and delay for each sensor, found or learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import lsqr
from torch import Tensor

from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["NodeCalibration"]


class NodeCalibration(torch.nn.Module):
    r"""Undo what sensors do to a common signal: :math:`x_i(t) = s_i g_i \, u_i(t - \tau_i) + b_i`.

    .. math::
        u_i(t) = s_i \frac{x_i(t + \tau_i) - b_i}{g_i}

    Gains and delays are relative: those of a part have the median 1 and 0. Signs are known up to one flip of each part.
    Delays may be fractions, between two steps the signal is interpolated, so that gradients reach them. The steps at
    both ends that some sensor doesn't reach are cut off.

    Missing values are NaN: what is read off one, with a weight other than 0, is NaN, nothing else is, and no gradient
    is. An infinite value is taken for a missing one here; :meth:`from_graph` refuses it, as :func:`discover` does.

    Cost: :math:`O(T N C)`.

    Args:
        num_nodes: Number of sensors N.
        max_delay: Largest delay in steps, either way: so many steps are cut off at each end.

    Shapes:
        - **input:** :math:`(T, N)` or :math:`(T, N, C)`, time first
        - **output:** :math:`(T - 2D, N)` or :math:`(T - 2D, N, C)` with D = ``max_delay``

    Raises:
        TypeError: If an input holds no floats.
        ValueError: If a size is out of range, an input has another number of nodes or is too short.

    Example:
        >>> import torch
        >>> calibration = NodeCalibration(3, max_delay=1)
        >>> with torch.no_grad():
        ...     _ = calibration.delay.copy_(torch.tensor([0.0, 1.0, -1.0]))
        ...     _ = calibration.log_gain.copy_(torch.tensor([1.0, 2.0, 4.0]).log())
        >>> u = torch.arange(6.0)
        >>> x = torch.stack([u, 2 * u.roll(1), 4 * u.roll(-1)], 1)
        >>> calibration(x)[:, 1].tolist() == calibration(x)[:, 2].tolist() == [1.0, 2.0, 3.0, 4.0]
        True
    """

    sign: Tensor

    def __init__(self, num_nodes: int, max_delay: int = 0) -> None:
        super().__init__()
        for name, value, least in (("num_nodes", num_nodes, 1), ("max_delay", max_delay, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"NodeCalibration: {name} must be an integer of at least {least}, got {value!r}")
        self.num_nodes, self.max_delay = num_nodes, max_delay
        self.log_gain = torch.nn.Parameter(torch.zeros(num_nodes))
        self.offset = torch.nn.Parameter(torch.zeros(num_nodes))
        self.delay = torch.nn.Parameter(torch.zeros(num_nodes))
        self.register_buffer("sign", torch.ones(num_nodes))

    @property
    def gain(self) -> Tensor:
        """Gains :math:`g_i > 0` ``[N]``."""
        return self.log_gain.exp()

    @classmethod
    def from_graph(cls, graph: SharedGraph, x: Any) -> NodeCalibration:
        """What a graph and the samples it was discovered from tell: the start of learning, or all there is.

        Signs are those of ``graph.sign``; delays differ along edges as ``graph.lag`` says, in least squares, as whole
        steps. Gains are deviations over the median one of the part, which takes sensors to be equally strong; offsets
        are means. Nodes that aren't live keep gain 1 and delay 0.

        Args:
            graph: ``discover(x)``.
            x: Samples ``[T, N]`` or ``[T, N, C]``; NaN is missing.

        Raises:
            TypeError: If ``graph`` is no :class:`SharedGraph`.
            ValueError: If ``x`` has another shape or infinite values, or a node that is live in the graph has no value
                or never varies.
        """
        if not isinstance(graph, SharedGraph):
            raise TypeError(
                f"NodeCalibration.from_graph: graph must be a SharedGraph, got {type(graph).__name__}; use discover(x)"
            )
        values = np.asarray(x.detach().cpu() if isinstance(x, Tensor) else x, dtype=float)
        if values.ndim not in (2, 3) or values.shape[1] != graph.num_nodes or not len(values):
            raise ValueError(
                f"NodeCalibration.from_graph: x must be [T, {graph.num_nodes}] or [T, {graph.num_nodes}, C], got "
                f"{list(values.shape)}"
            )
        if infinite := int(np.isinf(values).sum()):
            raise ValueError(
                f"NodeCalibration.from_graph: x has infinite values in {infinite} of {values.size} places; if they are "
                f"missing, make them NaN, numpy.where(numpy.isinf(x), numpy.nan, x)"
            )
        live, part = graph.live.numpy(force=True), graph.component.numpy(force=True)
        rows = np.moveaxis(values, 1, 0).reshape(graph.num_nodes, -1)[live]
        if not (seen := ~np.isnan(rows).all(1)).all():
            node = int(np.flatnonzero(live)[~seen][0])
            raise ValueError(
                f"NodeCalibration.from_graph: node {node} is live in graph, but all of its values in x are missing; "
                f"pass the samples that the graph was discovered from"
            )
        gain, offset, delay = np.ones(graph.num_nodes), np.zeros(graph.num_nodes), _delays(graph)
        gain[live], offset[live] = np.nanstd(rows, axis=1), np.nanmean(rows, axis=1)
        if not (gain[live] > 0).all():
            node = int(np.flatnonzero(live)[gain[live] <= 0][0])
            raise ValueError(f"NodeCalibration.from_graph: node {node} is live in graph, but constant in x")
        for own in (part == number for number in np.unique(part[live])):
            gain[own & live] /= np.median(gain[own & live])
            delay[own & live] -= np.round(np.median(delay[own & live]))
        found = cls(graph.num_nodes, int(np.abs(delay).max()))
        with torch.no_grad():
            found.log_gain.copy_(torch.from_numpy(gain).log())
            found.offset.copy_(torch.from_numpy(offset))
            found.delay.copy_(torch.from_numpy(delay))
            found.sign.copy_(graph.sign)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Signals ``[T - 2D, N]`` or ``[T - 2D, N, C]`` as equal sensors without delay would have them."""
        if not x.is_floating_point():
            raise TypeError(f"NodeCalibration: x must hold floats, got {x.dtype}; use x.float()")
        steps = len(x) - 2 * self.max_delay if x.dim() else 0
        if x.dim() not in (2, 3) or x.shape[1] != self.num_nodes or steps < 1:
            raise ValueError(
                f"NodeCalibration: x must be [T, {self.num_nodes}] or [T, {self.num_nodes}, C] with more than "
                f"{2 * self.max_delay} steps, got {list(x.shape)}"
            )
        shape = (1, -1) + (1,) * (x.dim() - 2)
        delay = self.delay.clamp(-self.max_delay, self.max_delay)
        whole = delay.detach().floor().clamp(max=max(0, self.max_delay - 1))
        first = torch.arange(steps, device=x.device).unsqueeze(1) + (self.max_delay + whole).long()
        node = torch.arange(self.num_nodes, device=x.device)
        there = x.isfinite()
        known = torch.where(there, x, 0.0)
        value, lost = known[first, node], ~there[first, node]
        if self.max_delay:
            share = (delay - whole).view(shape)
            value = value + share * (known[first + 1, node] - value)
            lost = lost & (share != 1) | ~there[first + 1, node] & (share != 0)
        return ((self.sign / self.gain).view(shape) * (value - self.offset.view(shape))).masked_fill(lost, torch.nan)

    def extra_repr(self) -> str:
        return f"num_nodes={self.num_nodes}, max_delay={self.max_delay}"


def _delays(graph: SharedGraph) -> np.ndarray[Any, Any]:
    """Delays ``[N]`` whose differences along edges are their lags, in least squares, as whole steps."""
    source, target = graph.edge_index.numpy(force=True)
    edges = np.arange(len(source))
    one = np.ones(len(edges))
    differences = sp.csr_array(
        (np.r_[one, -one], (np.r_[edges, edges], np.r_[target, source])), (len(edges), graph.num_nodes)
    )
    if not len(edges):
        return np.zeros(graph.num_nodes)
    found: np.ndarray[Any, Any] = lsqr(differences, graph.lag.numpy(force=True).astype(float), atol=1e-10, btol=1e-10)[
        0
    ]
    return np.round(found - found.min())
