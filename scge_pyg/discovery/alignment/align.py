"""`align`: which node of one camera is which node of another, from what each has recorded."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.alignment.candidates import Candidate, candidates
from scge_pyg.discovery.alignment.closed_curves import tie
from scge_pyg.graph.checks import check_same_names
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["Alignment", "align"]

_BLOCKS = 16
_TOLD = 4  # ways left open that are described
_SURE = 3.0  # standard errors
_CLIP = 10.0  # deviations beyond which a value says nothing more of the shape of a distribution


@dataclass(frozen=True, eq=False)
class Alignment:
    """What :func:`align` found.

    Attributes:
        partner: The node of b that each node of a is ``[N_a]`` int64, -1 for none: where it is at least 0,
            ``x_b[:, partner]`` has the order of a.
        score: Mean correlation of what was compared, at the most 1.
        axes: The map ``[d, d]`` from axes of a to axes of b.
        open: Other ways that the recordings don't rule out, as maps from axes to axes, the likeliest first.
        partners: The same as nodes of b, one row for each of ``open``.
        scores: Their scores.
    """

    partner: Tensor
    score: float
    axes: Tensor
    open: tuple[Tensor, ...]
    partners: tuple[Tensor, ...]
    scores: tuple[float, ...]

    def describe(self) -> str:
        """In words: the score, and what is left open."""
        matched = int((self.partner >= 0).sum())
        head = f"{matched} of {len(self.partner)} nodes have a partner, score {self.score:.3f}"
        if not self.open:
            return f"{head}; no other way fits as well"
        named = [
            f"{_named(axes @ self.axes.T)} ({score:.3f})" for axes, score in zip(self.open, self.scores, strict=True)
        ]
        more = f" and {len(named) - _TOLD} more" if len(named) > _TOLD else ""
        return f"{head}; not ruled out by these samples: {', '.join(named[:_TOLD])}{more}"


def align(graph_a: SharedGraph, graph_b: SharedGraph, x_a: Any, x_b: Any) -> Alignment:
    r"""Lay two geometries of the same kind of scene on each other: two cameras, two caps, each shuffled by itself.

    A geometry is known up to its symmetries. What tells these apart are statistics of each node and of neighbours that
    no gain and no offset changes: skewness, kurtosis, and the correlation along each edge. Candidates are all
    symmetries of the grid, both directions of a chain, turns of a ring (and of a chain whose ends the recordings tie,
    which is then bent to one) or a plane map, and for maps of three and more columns (a sphere, a volume) those turns
    that optimal transport proposes (:mod:`.transport`; extra ``align``, at most 4,096 nodes). Taken is the one with the
    highest mean correlation between the statistics of a and those of b.
    Samples are cut into 16 blocks on each side: what the best one does not beat by three standard errors of a jackknife
    over the blocks is listed as open, as left and right of photographs often are.

    Cost: :math:`O(S (N + R E))` for R candidates and E edges; a ring has :math:`R \le 4 N`.

    Args:
        graph_a: A geometry, ``discover(x_a)``.
        graph_b: Another of the same dimension.
        x_a: Samples ``[S_a, N_a]`` or ``[S_a, N_a, C]``, of which the mean over channels counts.
        x_b: Samples ``[S_b, N_b]`` of the other, not the same moments.

    Raises:
        ImportError: If maps have three or more columns and POT isn't installed.
        TypeError: If a graph is no :class:`SharedGraph`.
        ValueError: If geometries can't be laid on each other, or samples are of another number of nodes,
            fewer than 64 or not finite.

    Warns:
        UserWarning: If no way agrees with the recordings beyond chance, or the two ends of a chain that is no lattice
            go together in them, as where a gap in a ring was taken for its ends.

    Example:
        >>> import torch
        >>> x = torch.randn(4000, 30, generator=torch.Generator().manual_seed(0)).cumsum(1)
        >>> x[:, 25:] = x[:, 25:].exp().clamp(max=100)  # one end is unlike the other
        >>> graph = SharedGraph.from_grid((30,))
        >>> align(graph, graph, x[:2000], 3 * x[2000:].flip(1)).partner[:4].tolist()
        [29, 28, 27, 26]
    """
    for name, graph in (("graph_a", graph_a), ("graph_b", graph_b)):
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"align: {name} must be a SharedGraph, got {type(graph).__name__}; use discover(x)")
    samples_a, samples_b = _samples(x_a, graph_a, "x_a"), _samples(x_b, graph_b, "x_b")
    blocks_a, blocks_b = _blocks(samples_a), _blocks(samples_b)
    gaps = _gap(graph_a, blocks_a), _gap(graph_b, blocks_b)
    shape_a, shape_b = (_shapes(one).mean(0) for one in (blocks_a, blocks_b))
    ways = candidates(graph_a, graph_b, shape_a, shape_b, gaps)
    _warn_of_gaps(graph_a, graph_b, gaps)
    edges = graph_a.edge_index[:, graph_a.edge_index[0] < graph_a.edge_index[1]].cpu()
    pairs, of_way = _mapped(edges, ways, graph_b.num_nodes)
    a, b = _statistics(samples_a, edges), _statistics(samples_b, pairs)

    def scores(own: Tensor, other: Tensor) -> Tensor:
        return _scores(own, other, ways, of_way, pairs.shape[1])

    mean = scores(a.mean(0), b.mean(0))
    best = int(mean.argmax())
    left_out = [
        scores((a.sum(0) - own) / (_BLOCKS - 1), (b.sum(0) - other) / (_BLOCKS - 1))
        for own, other in zip(a, b, strict=True)
    ]
    lead = torch.stack(left_out)
    of_best = lead[:, best]
    lead = lead[:, best : best + 1] - lead
    error = _error(lead)
    if not float(mean[best]) > _SURE * float(_error(of_best)):
        warnings.warn(
            f"align: the recordings hardly agree on any way to lay one geometry on the other (best score "
            f"{float(mean[best]):.3f}, no more than {_SURE:g} standard errors above 0); are x_a and x_b of the same "
            f"kind of scene?",
            UserWarning,
            stacklevel=2,
        )
    others = [
        way
        for way in mean.argsort(descending=True).tolist()
        if way != best and float(mean[best] - mean[way]) <= _SURE * float(error[way])
    ]
    return Alignment(
        ways[best].partner,
        float(mean[best]),
        ways[best].axes,
        tuple(ways[way].axes for way in others),
        tuple(ways[way].partner for way in others),
        tuple(float(mean[way]) for way in others),
    )


def _gap(graph: SharedGraph, blocks: Tensor) -> float | None:
    """How far the ends of a chain are from each other if the recordings tie them."""
    is_chain = graph.dim == graph.pos.shape[1] == 1 and graph.lattice is None
    return tie(graph, blocks) if is_chain else None


def _warn_of_gaps(graph_a: SharedGraph, graph_b: SharedGraph, gaps: tuple[float | None, float | None]) -> None:
    names = [name for name, gap in zip(("graph_a", "graph_b"), gaps, strict=True) if gap is not None]
    if not names:
        return
    closed = all(graph.pos.shape[1] == 2 or gap for graph, gap in zip((graph_a, graph_b), gaps, strict=True))
    done = (
        "they are laid on as closed curves, any node on any"
        if closed
        else "the other one is open, so that chains are laid on each other; if it closes as well, partners are wrong"
    )
    warnings.warn(
        f"align: the two ends of {' and of '.join(names)} go together in the recordings, as on a closed curve with a "
        f"gap; {done}",
        UserWarning,
        stacklevel=3,
    )


def _samples(x: Any, graph: SharedGraph, name: str) -> Tensor:
    names = [str(one) for one in getattr(x, "columns", ())] or None
    check_same_names("align", name, names, name.replace("x_", "graph_"), graph.names)
    if x.is_complex() if isinstance(x, Tensor) else np.iscomplexobj(x):
        raise ValueError(f"align: {name} must be real, got complex values; pass their magnitude")
    values = x.detach().cpu() if isinstance(x, Tensor) else torch.from_numpy(np.asarray(x, dtype=float))
    values = values.double().mean(2) if values.dim() == 3 else values.double()
    if values.dim() != 2 or values.shape[1] != graph.num_nodes:
        raise ValueError(f"align: {name} must be [S, {graph.num_nodes}], got {list(values.shape)}")
    if len(values) < 4 * _BLOCKS:
        raise ValueError(f"align: {name} must have at least {4 * _BLOCKS} samples, got {len(values)}")
    if not bool(values[:, graph.live.cpu()].isfinite().all()):
        raise ValueError(f"align: {name} holds NaN or infinite values; leave out those samples or fill the gaps")
    return values.nan_to_num()


def _error(left_out: Tensor) -> Tensor:
    """Standard error by the jackknife, from values with one block left out each."""
    return ((_BLOCKS - 1) ** 2 / _BLOCKS * left_out.var(0)).sqrt()


def _mapped(edges: Tensor, ways: list[Candidate], num_nodes: int) -> tuple[Tensor, list[Tensor]]:
    """All pairs of b that some way lays an edge of a on ``[2, U]``, and for each way which one ``[E]``, -1 for none."""
    keys = []
    for way in ways:
        ends = way.partner[edges].sort(0).values
        keys.append(torch.where((ends >= 0).all(0) & (ends[0] != ends[1]), ends[0] * num_nodes + ends[1], -1))
    pairs, place = torch.unique(torch.stack(keys), return_inverse=True)
    none = int((pairs < 0).sum())
    pairs = pairs[none:]
    return torch.stack([pairs // num_nodes, pairs % num_nodes]), list(place - none)


def _statistics(x: Tensor, pairs: Tensor) -> Tensor:
    """Skewness and kurtosis of each node and the correlation of each pair, block by block ``[16, 2 N + U]``."""
    blocks = _blocks(x)
    alike = torch.stack([(one[:, pairs[0]] * one[:, pairs[1]]).mean(0) for one in blocks])
    return torch.cat([_shapes(blocks).transpose(1, 2).flatten(1), alike], 1)


def _shapes(blocks: Tensor) -> Tensor:
    """Skewness and kurtosis of each node, block by block ``[16, N, 2]``."""
    return torch.stack([blocks.pow(3).mean(1), blocks.pow(4).mean(1)], 2)


def _blocks(x: Tensor) -> Tensor:
    """Standardised samples, cut into blocks ``[16, s, N]``."""
    offset = x - x.mean(0)
    scale = offset.square().mean(0).sqrt()
    z = torch.where(scale > 1e-6 * scale.mean(), offset / scale.clamp_min(1e-30), 0.0).clamp(-_CLIP, _CLIP)
    return z[: len(z) // _BLOCKS * _BLOCKS].view(_BLOCKS, -1, z.shape[1])


def _scores(a: Tensor, b: Tensor, ways: list[Candidate], of_way: list[Tensor], num_pairs: int) -> Tensor:
    """Mean correlation of skewness, of kurtosis, and of correlations along edges, for each way ``[R]``."""
    nodes = len(ways[0].partner), (len(b) - num_pairs) // 2
    shapes_a, shapes_b = (one[: 2 * count].view(2, -1) for one, count in zip((a, b), nodes, strict=True))
    pairs_a, pairs_b = (one[2 * count :] for one, count in zip((a, b), nodes, strict=True))
    scores = []
    for way, place in zip(ways, of_way, strict=True):
        paired, kept = way.partner >= 0, place >= 0
        values = [
            _correlation(one[paired], two[way.partner[paired]]) for one, two in zip(shapes_a, shapes_b, strict=True)
        ]
        values.append(_correlation(pairs_a[kept], pairs_b[place[kept]]))
        scores.append(torch.stack(values).mean())
    return torch.stack(scores)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Correlation, 0 where one is constant."""
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    scale = (a.square().sum() * b.square().sum()).sqrt()
    return torch.where(scale > 0, (a * b).sum() / scale.clamp_min(1e-300), 0.0)


def _named(axes: Tensor) -> str:
    """A map from axes to axes in words."""
    size = len(axes)
    order = axes.abs().argmax(1).tolist()
    if not torch.allclose(axes.abs().sum(1), torch.ones(size), atol=1e-3):
        side = "turned" if float(torch.linalg.det(axes)) > 0 else "mirrored and turned"
        return f"{side} by {torch.rad2deg(torch.atan2(axes[1, 0], axes[0, 0])).round().int()} degrees"
    flipped = [str(axis) for axis in range(size) if float(axes[axis, order[axis]]) < 0]
    words = ["axes exchanged"] if order != list(range(size)) else []
    words += [f"axis {' and '.join(flipped)} mirrored"] if flipped else []
    return ", ".join(words) or "moved along what closes"
