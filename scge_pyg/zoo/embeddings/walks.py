"""Random walks on a shared graph: `Node2VecWalks`, first order where p = q = 1."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.nn.fixed.tables import Tabled

__all__ = ["Node2VecWalks"]

_PAIRS = 4_000_000  # of an edge and one that goes on from it, looked at together
_TRIES = 64  # at most at once


class Node2VecWalks(Tabled):
    r"""Walks whose next step looks back at the one before.

    From t by way of v the next node x is drawn with probability proportional to

    .. math::
        w_{vx} \cdot \begin{cases} 1 / p & x = t \\ 1 & x \text{ is a neighbour of } t \\ 1 / q & \text{otherwise}
            \end{cases}

    Whether to go back is decided first, by the total of what leads on, one number an edge. Then x is drawn by
    :math:`w_{vx}` alone among the others and kept with the probability of its case over that of the likelier one; those
    not kept are drawn again. Where all that leads on is of one case, nothing is. No table of pairs of edges is made, so
    memory is O(E).

    A walk from a node without neighbours stays there. Walks start once at every node, ``num_walks`` times over.

    Args:
        graph: The graph; its edge weights count, and may differ between the two directions of an edge.
        p: A large p doesn't go back.
        q: A large q stays near, a small one goes far.

    Raises:
        ValueError: If an edge has no edge back.

    Cost: O(walks * length * log E / a) time, a the share of draws that are kept, between min(q, 1 / q) and 1; once,
    time for all pairs of an edge and one that goes on from it.

    Source: Grover, Leskovec, node2vec, KDD 2016; note 003, section 24; rejection as in Yang and others, KnightKing,
    SOSP 2019.

    Example:
        >>> walks = Node2VecWalks(SharedGraph.from_grid((4, 5)), p=4.0, q=0.5)
        >>> walks(length=10, num_walks=2, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([40, 11])
    """

    def __init__(self, graph: SharedGraph, p: float = 1.0, q: float = 1.0) -> None:
        super().__init__()
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"Node2VecWalks: graph must be a SharedGraph, got {type(graph).__name__}")
        self.p, self.q = positive_number("Node2VecWalks", "p", p), positive_number("Node2VecWalks", "q", q)
        self.num_nodes = nodes = graph.num_nodes
        kept = (graph.edge_weight > 0) & (graph.edge_index[0] != graph.edge_index[1])
        edges, weight = graph.edge_index[:, kept], graph.edge_weight.detach()[kept].double()
        key, order = (edges[0] * nodes + edges[1]).sort()
        source, target = edges[:, order]
        back = torch.searchsorted(key, target * nodes + source).clamp_max(max(len(key) - 1, 0))
        if not torch.equal(key[back], target * nodes + source):
            raise ValueError("Node2VecWalks: graph must have an edge back for every edge, as an undirected graph has")
        pointer = torch.zeros(nodes + 1, dtype=torch.long, device=key.device)
        pointer[1:] = torch.bincount(source, minlength=nodes).cumsum(0)
        self.register_table("key", key)
        self.register_table("target", target)
        self.register_table("pointer", pointer)
        self.register_table("back", back)
        weight = weight[order]
        share = weight / torch.zeros(nodes, dtype=weight.dtype, device=key.device).index_add(0, source, weight)[source]
        running = share.cumsum(0)
        first = torch.cat([running.new_zeros(1), running])[pointer]
        even = bool((weight == weight[:1]).all())
        self.register_table("upto", None if even else source + (running - first[source]).clamp(0, 1))
        self.register_table("share", share)
        if not self.p == self.q == 1:
            self._look_back(share)

    key: Tensor  # source * N + target of each edge, increasing
    target: Tensor
    pointer: Tensor  # where the edges of each node begin
    back: Tensor  # the other direction of each edge
    upto: Tensor | None  # node plus share of its weight up to and with each edge; none where weights are even
    share: Tensor  # of the weight of its source
    returns: Tensor  # probability to go back from the edge's target
    scale: Tensor  # from what is left of a random number to the edges that lead on
    least: Tensor | None  # probability with which the less likely case is kept; none where there is one case

    def _look_back(self, share: Tensor) -> None:
        """What each edge needs to know of the edges that go on from it."""
        degree = self.pointer.diff()
        count = degree[self.target]
        near = torch.zeros_like(share)
        step = max(1, _PAIRS // max(1, int(count.max()))) if len(count) else 1
        for some in torch.arange(len(count), device=count.device).split(step):
            pair = torch.repeat_interleave(some, count[some])
            place = torch.arange(len(pair), device=pair.device)
            begin = count[some].cumsum(0) - count[some]
            onward = self.pointer[self.target[pair]] + place - begin[pair - some[0]]
            joined = self._joined(self.key[pair] // self.num_nodes, self.target[onward])
            near.index_add_(0, pair, share[onward] * joined)
        rest = (1 - share[self.back]).clamp_min(0)
        far = torch.where(count > 1, (rest - near).clamp_min(0), 0.0)
        total = share[self.back] / self.p + near + far / self.q
        returns = share[self.back] / self.p / total
        self.register_table("returns", returns)
        wide = count - 1 if self.upto is None else rest
        self.register_table("scale", torch.where(count > 1, wide / (1 - returns), 0.0))
        both = (near > 1e-9) & (far > 1e-9)
        self.register_table("least", torch.where(both, min(self.q, 1 / self.q), 1.0) if bool(both.any()) else None)

    def forward(
        self, length: int, num_walks: int = 1, *, nodes: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Walks ``[num_walks * N, length + 1]``, the start first, from all nodes or from ``nodes``.

        Args:
            length: Steps of a walk.
            num_walks: Walks from each node.
            nodes: Where to start. Default: every node.
            generator: Of the draws.
        """
        length = whole_number("Node2VecWalks", "length", length, 0)
        num_walks = whole_number("Node2VecWalks", "num_walks", num_walks, 1)
        start = torch.arange(self.num_nodes, device=self.pointer.device) if nodes is None else nodes
        if start.dim() != 1 or start.is_floating_point() or (
            len(start) and not 0 <= int(start.min()) <= int(start.max()) < self.num_nodes
        ):  # fmt: skip
            raise ValueError(
                f"Node2VecWalks: nodes must be int64 [M] in 0..{self.num_nodes - 1}, got {start.dtype} "
                f"{list(start.shape)}"
            )
        start = start.repeat(num_walks)
        walks = start.repeat(length + 1, 1)  # step by step, so that each is written in one piece
        moves = self.pointer.diff()[start] > 0
        if length and bool(moves.any()):
            every = bool(moves.all())
            for step, node in enumerate(self._steps(start if every else start[moves], length, generator), 1):
                if every:
                    walks[step] = node
                else:
                    walks[step, moves] = node
        return walks.T

    def _steps(self, here: Tensor, length: int, generator: torch.Generator | None) -> Iterator[Tensor]:
        edge = here
        for step in range(length):
            if step == 0 or self.p == self.q == 1:
                edge = self._drawn(here, _uniform(here, generator))
            else:
                edge = self._onward(edge, here, generator)
            here = self.target[edge]
            yield here

    def _drawn(self, node: Tensor, chance: Tensor) -> Tensor:
        """The edge of each node at a share ``chance`` of its weight."""
        if self.upto is not None:
            return torch.searchsorted(self.upto, node + chance, right=True).clamp_max_(self.pointer[node + 1] - 1)
        low = self.pointer[node]
        return low + (chance * (self.pointer[node + 1] - low)).long()

    def _onward(self, edge: Tensor, node: Tensor, generator: torch.Generator | None) -> Tensor:
        """The edge after each edge, which ends in ``node``."""
        chance, returns, back = _uniform(edge, generator), self.returns[edge], self.back[edge]
        goes_back = chance < returns
        found = torch.where(goes_back, back, self._other(node, back, (chance - returns) * self.scale[edge]))
        if self.least is None:
            return found
        left = self._refused(edge, found, generator)
        left = left[~goes_back[left]]
        while len(left):
            tries = max(1, min(_TRIES, _TRIES * 32 // len(left)))  # the last few get several at once
            again = left.repeat_interleave(tries)
            tried, returns = edge[again], self.returns[edge[again]]
            moved = _uniform(again, generator) * (1 - returns) * self.scale[tried]
            drawn = self._other(node[again], back[again], moved)
            kept = torch.ones(len(again), dtype=torch.bool, device=edge.device)
            kept[self._refused(tried, drawn, generator)] = False
            kept = kept.view(-1, tries)
            first = kept.int().argmax(1, keepdim=True)
            found[left] = drawn.view(-1, tries).gather(1, first).squeeze(1)
            left = left[~kept.any(1)]
        return found

    def _other(self, node: Tensor, back: Tensor, moved: Tensor) -> Tensor:
        """An edge of each node that isn't ``back``, at a place among the others."""
        if self.upto is None:
            drawn = self.pointer[node] + moved.long()
            return drawn + (drawn >= back)
        end = self.upto[back] - node
        width = self.share[back]
        return self._drawn(node, torch.where(moved >= end - width, moved + width, moved).clamp_(0, 1))

    def _refused(self, edge: Tensor, onward: Tensor, generator: torch.Generator | None) -> Tensor:
        """Which of the edges that were drawn to go on from ``edge`` aren't kept."""
        assert self.least is not None
        unsure = (_uniform(edge, generator) >= self.least[edge]).nonzero().squeeze(1)
        near = self._joined(self.key[edge[unsure]] // self.num_nodes, self.target[onward[unsure]])
        return unsure[near if self.q < 1 else ~near]

    def _joined(self, source: Tensor, target: Tensor) -> Tensor:
        """Whether there is an edge."""
        wanted = source * self.num_nodes + target
        return self.key[torch.searchsorted(self.key, wanted).clamp_max(len(self.key) - 1)] == wanted

    def extra_repr(self) -> str:
        return f"nodes={self.num_nodes}, edges={len(self.target)}, p={self.p:g}, q={self.q:g}"


def _uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(len(like), generator=generator, device=like.device, dtype=torch.double)
