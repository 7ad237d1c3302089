"""`GraphCRF`: labels of nodes that speak to each other, on a learned graph."""

from __future__ import annotations

import networkx as nx
import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import whole_number
from scge_pyg.nn.fixed.fingerprint import Fingerprinted, fingerprint_of
from scge_pyg.zoo.markov.factors import Factor

__all__ = ["GraphCRF"]

_PAIRWISE = ("potts", "full", "truncated")
_METHODS = ("mean_field", "messages")


class GraphCRF(Fingerprinted):
    r"""A conditional random field whose edges are those of a shared graph.

    .. math::
        P(y \mid x) = \frac{1}{Z(x)} \exp\Bigl( \sum_i u_i(x)_{y_i} + \sum_{\{i, j\}} w_{ij} M_{y_i y_j} \Bigr)

    with scores u of any network on nodes and :math:`w_{ij}` the graph's weights. M is learned: ``"potts"``,
    :math:`\beta\,[a = b]`; ``"truncated"``, :math:`-\beta \min(|a - b|, t)` for ordered labels; ``"full"``, any
    symmetric matrix. It starts at zero, where labels are independent.

    Marginals are those of mean fields, node by node of one colour (the bound rises at each step), or of loopy messages,
    exact on trees; exact ones of small graphs are ``JunctionTree(crf.factors(unary))``'s.

    Args:
        num_classes: K.
        graph: The graph; an edge counts once, with the mean weight of its two directions.
        pairwise: ``"potts"``, ``"full"`` or ``"truncated"``.
        truncation: t.
        method: Of :meth:`forward`: ``"mean_field"`` or ``"messages"``.
        steps: Sweeps over the nodes, or rounds of messages.

    Shapes:
        - **input:** ``unary`` :math:`(B, N, K)` or :math:`(N, K)`; ``y`` :math:`(B, N)` or :math:`(N)`
        - **output:** marginals, as ``unary``

    Cost: O(B steps (N K + E K^2)).

    Source: Koller, Friedman (2009), sections 4.6, 11.3, 11.5; note 003, section 20.2.

    Example:
        >>> crf = GraphCRF(3, SharedGraph.from_grid((4, 5)))
        >>> unary = torch.randn(2, 20, 3)
        >>> torch.allclose(crf(unary), unary.softmax(-1))
        True
    """

    edge: Tensor
    weight: Tensor

    def __init__(
        self,
        num_classes: int,
        graph: SharedGraph,
        pairwise: str = "potts",
        *,
        truncation: int = 2,
        method: str = "mean_field",
        steps: int = 20,
    ) -> None:
        super().__init__()
        self.num_classes = whole_number("GraphCRF", "num_classes", num_classes, 2)
        self.truncation = whole_number("GraphCRF", "truncation", truncation, 1)
        self.steps = whole_number("GraphCRF", "steps", steps, 1)
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"GraphCRF: graph must be a SharedGraph, got {type(graph).__name__}")
        if pairwise not in _PAIRWISE or method not in _METHODS:
            raise ValueError(
                f"GraphCRF: pairwise must be one of {', '.join(_PAIRWISE)} and method one of {', '.join(_METHODS)}, "
                f"got {pairwise!r} and {method!r}"
            )
        self.pairwise, self.method, self.num_nodes = pairwise, method, graph.num_nodes
        both = graph.edge_index.cpu()
        low, high = both.min(0).values, both.max(0).values
        joined = low != high
        key, place, count = (low * graph.num_nodes + high)[joined].unique(return_inverse=True, return_counts=True)
        weight = torch.zeros(len(key)).index_add(0, place, graph.edge_weight.detach().cpu().float()[joined]) / count
        self.register_table("edge", torch.stack([key // graph.num_nodes, key % graph.num_nodes]))
        self.register_table("weight", weight.to(torch.get_default_dtype()))
        self.colours = _colours(self.edge, graph.num_nodes)
        free = self.num_classes * (self.num_classes + 1) // 2 if pairwise == "full" else 1
        self.coupling = torch.nn.Parameter(torch.zeros(free))
        self.fingerprint = fingerprint_of(self.edge, self.weight)

    def reset_parameters(self) -> None:
        """Labels are independent again."""
        torch.nn.init.zeros_(self.coupling)

    def matrix(self) -> Tensor:
        """M ``[K, K]``, symmetric."""
        label = torch.arange(self.num_classes, device=self.coupling.device)
        if self.pairwise == "potts":
            return self.coupling * torch.eye(self.num_classes, device=label.device, dtype=self.coupling.dtype)
        if self.pairwise == "truncated":
            return -self.coupling * (label[:, None] - label).abs().clamp_max(self.truncation).to(self.coupling)
        row, column = torch.triu_indices(self.num_classes, self.num_classes, device=label.device)
        upper = self.coupling.new_zeros(self.num_classes, self.num_classes).index_put((row, column), self.coupling)
        return upper + upper.triu(1).T

    def score(self, unary: Tensor, y: Tensor) -> Tensor:
        """The exponent, without Z ``[B]`` or ``[]``."""
        unary, y = self._checked(unary), self._labels(y)
        own = unary.gather(-1, y[..., None]).squeeze(-1).sum(-1)
        a, b = y[..., self.edge[0]], y[..., self.edge[1]]
        return own + (self.weight * self.matrix()[a, b]).sum(-1)

    def pseudo_log_likelihood(self, unary: Tensor, y: Tensor) -> Tensor:
        r""":math:`\log p(y_i \mid y_{N(i)}, x)` of each node, as ``y``: a loss without Z."""
        unary, y = self._checked(unary), self._labels(y)
        heard = self._heard(F.one_hot(y, self.num_classes).to(unary))
        return (unary + heard).log_softmax(-1).gather(-1, y[..., None]).squeeze(-1)

    def bound(self, unary: Tensor, q: Tensor) -> Tensor:
        r""":math:`E_q[\text{score}] + H(q)`, at most :math:`\log Z` ``[B]`` or ``[]``, of independent labels q."""
        pairs = torch.einsum("...ea,ab,...eb->...e", q[..., self.edge[0], :], self.matrix(), q[..., self.edge[1], :])
        return (
            (self._checked(unary) * q).sum((-1, -2))
            + (self.weight * pairs).sum(-1)
            + torch.special.entr(q).sum((-1, -2))
        )

    def mean_field(self, unary: Tensor, known: Tensor | None = None) -> Tensor:
        """Independent labels nearest in KL ``[..., N, K]``, from scores alone, a colour of nodes at a time.

        Args:
            unary: Scores.
            known: Labels that are known, -1 elsewhere, as ``y``.
        """
        unary = self._clamped(self._checked(unary), known)
        q = unary.softmax(-1)
        for _ in range(self.steps):
            for colour in self.colours:
                heard = self._heard(q)
                q = q.index_copy(-2, colour, (unary + heard).index_select(-2, colour).softmax(-1))
        return q

    def messages(self, unary: Tensor, known: Tensor | None = None) -> Tensor:
        """Beliefs ``[..., N, K]`` after rounds of sum-product messages along all edges at once, damped by a half."""
        unary = self._clamped(self._checked(unary), known)
        source, target = torch.cat([self.edge, self.edge.flip(0)], 1)
        edges = self.edge.shape[1]
        factor = torch.cat([self.weight, self.weight])[:, None, None] * self.matrix()
        told = unary.new_zeros(*unary.shape[:-2], 2 * edges, self.num_classes)
        for _ in range(self.steps):
            belief = unary.index_add(-2, target, told)
            without = belief[..., source, :] - told.roll(edges, -2)
            new = torch.logsumexp(without[..., :, None] + factor, -2).log_softmax(-1)
            told = torch.logaddexp(told.log_softmax(-1), new)
        return unary.index_add(-2, target, told).softmax(-1)

    def forward(self, unary: Tensor, known: Tensor | None = None) -> Tensor:
        """Marginals ``[..., N, K]`` by ``method``."""
        return self.mean_field(unary, known) if self.method == "mean_field" else self.messages(unary, known)

    def factors(self, unary: Tensor) -> list[Factor]:
        """Tables for :class:`~scge_pyg.zoo.markov.JunctionTree`, each divided by its largest entry."""
        unary = self._checked(unary)
        tables = [Factor((i,), (one - one.amax(-1, keepdim=True)).exp()) for i, one in enumerate(unary.unbind(-2))]
        matrix = self.matrix()
        pairs = zip(*self.edge.tolist(), self.weight, strict=True)
        return tables + [Factor((a, b), (weight * (matrix - matrix.max())).exp()) for a, b, weight in pairs]

    def _heard(self, q: Tensor) -> Tensor:
        """What neighbours say: sums over edges of w q M ``[..., N, K]``."""
        told = q @ self.matrix()
        a, b = self.edge
        weight = self.weight[:, None]
        heard = torch.zeros_like(told).index_add(-2, b, weight * told[..., a, :])
        return heard.index_add(-2, a, weight * told[..., b, :])

    def _clamped(self, unary: Tensor, known: Tensor | None) -> Tensor:
        if known is None:
            return unary
        fits = known.shape == unary.shape[:-1] and not known.is_floating_point()
        if not fits or not bool(((known >= -1) & (known < self.num_classes)).all()):
            raise ValueError(
                f"GraphCRF: known must be integers {list(unary.shape[:-1])} from -1 (unknown) to "
                f"{self.num_classes - 1}, got {known.dtype} {list(known.shape)}"
            )
        wrong = torch.arange(self.num_classes, device=known.device) != known[..., None]
        return unary.masked_fill(wrong & (known >= 0)[..., None], -1e9)

    def _checked(self, unary: Tensor) -> Tensor:
        if unary.dim() < 2 or unary.shape[-2:] != (self.num_nodes, self.num_classes):
            raise ValueError(
                f"GraphCRF: unary must be [..., {self.num_nodes}, {self.num_classes}], got {list(unary.shape)}"
            )
        return unary

    def _labels(self, y: Tensor) -> Tensor:
        fits = y.dim() >= 1 and y.shape[-1] == self.num_nodes and not y.is_floating_point()
        if not fits or not bool(((y >= 0) & (y < self.num_classes)).all()):
            raise ValueError(
                f"GraphCRF: y must be integers [..., {self.num_nodes}] from 0 to {self.num_classes - 1}, got {y.dtype} "
                f"{list(y.shape)}"
            )
        return y

    def extra_repr(self) -> str:
        return f"{self.num_classes}, nodes={self.num_nodes}, pairwise={self.pairwise!r}, method={self.method!r}"


def _colours(edge: Tensor, nodes: int) -> list[Tensor]:
    """Sets of nodes without edges among them."""
    graph = nx.Graph()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from(edge.T.tolist())
    colour = nx.greedy_color(graph)
    number = torch.tensor([colour[i] for i in range(nodes)])
    return [(number == one).nonzero().squeeze(1) for one in range(int(number.max()) + 1)]
