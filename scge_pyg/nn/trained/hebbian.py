"""`HebbianLoss`: what fires together is wired together, as a loss on node embeddings."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph.neighbors import safe_norm
from scge_pyg.nn.trained.all_ranks import of_all_ranks
from scge_pyg.nn.trained.lessons import Lessons
from scge_pyg.nn.trained.node_embedding import NodeEmbedding
from scge_pyg.nn.trained.straight_walks import Pairs
from scge_pyg.nn.trained.streaming_coupling import StreamingCoupling

__all__ = ["HebbianLoss"]

_SMOOTH = 0.01  # square of the error, in spacings, below which the absolute error turns quadratic
_STILL = 0.5  # spacings that half of the places move between two refreshes, at most, before they have a say
_SETTLED = 0.1  # median error of far pairs, as a share of their distance, below which places have a say
_LATEST = 0.1  # share of the latest error in its running mean
_APART = math.sqrt(2.0)  # nodes that are no partners keep at least a cell's diagonal apart


class HebbianLoss(torch.nn.Module):
    r"""Fire together, wire together: a loss that draws the embeddings of coupled nodes together and keeps others apart.

    Gradients of a task reach an embedding only through attention among present neighbours and never say that two nodes
    which fire together should be linked. This loss does. It follows the activations of any layer, inputs or hidden
    ones, by streaming statistics (:class:`StreamingCoupling`, without gradient), and is a function of the embedding
    alone:

    .. math::
        \mathcal{L} = D(F) + D(C) + \kappa \Bigl( D(W) + \frac{\gamma}{|R|} \sum_{(i, j) \in R}
            \max(0, \sqrt 2 - \lVert e_i - e_j \rVert) \Bigr), \qquad
        D(P) = \frac{1}{|P|} \sum_{(i, j, \ell) \in P} \sqrt{(\lVert e_i - e_j \rVert - \ell)^2 + \varepsilon}

    * :math:`F` and :math:`W` are far and near pairs of nodes and the distance :math:`\ell` that walks over coupled
      partners cover (:class:`StraightWalks`; 1 for partners), drawn anew in each step: legs up to ``reach`` steps and
      up to two. The absolute error shrugs off pairs that a wrong partner misled. Far pairs unfold, near ones settle
      who is nearest. :math:`C` are far pairs whose distance two ways round agree on.
    * Where partners form no grid, no way is straight: far pairs are then shortest ways from random landmarks
      (:class:`Geodesics`), near ones the partners at the distances that their correlations say, and there is no C.
    * :math:`R` are random pairs that are no partners: the spreading term.
    * :math:`\kappa = 1 / (1 + \bar D^2)`, with a running median :math:`\bar D` of the errors in C, or F: nearness
      counts as far as the whole is in place, or else nodes could not pass each other.
    * Once places are nearly still and the median error of far pairs is below a tenth of their distance, places have a
      say in who is partner of whom (:func:`scge_pyg.nn.trained.partners.revised_partners`).

    Embeddings move by the optimiser's steps only. A step costs :math:`O(N (w \log r + q))` for walks and random pairs;
    every ``every`` steps the coupling is refreshed. No N x N matrix is kept: the state is :math:`O(N (R + m^2))`.

    **Several processes.** Under ``torch.distributed`` each step gathers the activations of all ranks, in the order of
    ranks, so that all keep the same statistics, and draws the same pairs on all: W ranks with B / W samples each learn
    what one with these B samples learns, to the bit where the mean of W equal gradients is exact, as for 2, 4 or 8.

    **Training.** Places are measured in node spacings, so they have far to go from a random start: give the embedding
    a parameter group of its own with a large learning rate that falls to zero (Adam, 0.5, one cycle over one to two
    thousand steps), whatever the network's rate is. More dimensions than the geometry has make a start easier to
    unroll, and shorter walks suffice; two are enough for a sheet. In evaluation mode neither
    statistics nor pairs change, so the loss repeats itself.

    Args:
        embedding: The table that learns.
        candidates: Candidate partners m of a node, 24 to 64.
        memory: Columns R of the sketch of all signals (:class:`StreamingCoupling`).
        every: Steps between refreshes of the coupling.
        walks: Long and short walks w from each node in each step.
        reach: Longest leg r of a walk. Default: the side of a square sheet, :math:`\lceil\sqrt N\rceil`, doubled while
            walks get longer and close no less often.
        spread: Weight :math:`\gamma` of the spreading term.
        negatives: Random pairs q a node in each step.
        seed: Seed of walks and random pairs.
        process_group: Processes that learn together where ``torch.distributed`` runs. Default: all of them.

    Shapes:
        - **input:** activations :math:`[B, N, C]` or :math:`[B, N]`, C the same in every step
        - **output:** a scalar; zero until the statistics suffice for a first estimate

    Raises:
        TypeError: If ``embedding`` is no :class:`NodeEmbedding` or an input no floating-point tensor.
        ValueError: If a number is out of range, fewer than three nodes are live, or an input has another shape, NaN or
            infinite values.

    Example:
        >>> import torch
        >>> field = torch.randn(2048, 30, generator=torch.Generator().manual_seed(0)).cumsum(1)  # a chain of nodes
        >>> embedding = NodeEmbedding(30, 2)
        >>> hebbian = HebbianLoss(embedding, every=20)
        >>> optimizer = torch.optim.Adam(embedding.parameters(), lr=0.3)        # and the network's, at its own rate
        >>> for batch in field.split(16):
        ...     loss = hebbian(batch)                                           # + the loss of a task
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     optimizer.step()
        >>> bool(hebbian.error < 1)                                             # in node spacings
        True
    """

    step: Tensor
    since: Tensor
    error: Tensor
    astray: Tensor
    before: Tensor
    wiring: Tensor

    def __init__(
        self,
        embedding: NodeEmbedding,
        *,
        candidates: int = 24,
        memory: int = 1024,
        every: int = 50,
        walks: int = 2,
        reach: int | None = None,
        spread: float = 1.0,
        negatives: int = 8,
        seed: int = 0,
        process_group: Any = None,
    ) -> None:
        super().__init__()
        if not isinstance(embedding, NodeEmbedding):
            raise TypeError(f"HebbianLoss: embedding must be a NodeEmbedding, got {type(embedding).__name__}")
        live = embedding.weight.shape[0]
        if live < 3:
            raise ValueError(f"HebbianLoss: embedding must have at least 3 live nodes, got {live}")
        sizes = {"candidates": candidates, "memory": memory, "every": every, "walks": walks}
        sizes |= {} if reach is None else {"reach": reach}
        for name, value in (*sizes.items(), ("negatives", negatives)):
            least = {"memory": 16, "negatives": 0}.get(name, 1)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"HebbianLoss: {name} must be an integer of at least {least}, got {value!r}")
        if not 0 <= spread < math.inf:
            raise ValueError(f"HebbianLoss: spread must be a finite number of at least 0, got {spread!r}")
        self.embedding = embedding
        self.process_group = process_group
        self.every, self.walks, self.reach = every, walks, reach
        self.spread, self.negatives, self.seed = spread, negatives, seed
        self.coupling = StreamingCoupling(live, candidates, memory, seed).to(embedding.weight)
        self.register_buffer("step", torch.tensor(0))
        self.register_buffer("since", torch.tensor(0))
        self.register_buffer("error", torch.tensor(torch.inf))
        self.register_buffer("astray", torch.tensor(torch.inf))
        self.register_buffer("before", embedding.weight.detach().clone())
        self.register_buffer("wiring", torch.full_like(self.coupling.partner, -1))
        self.to(embedding.weight)
        self._lessons: Lessons | None = None
        self.register_load_state_dict_post_hook(_forget_lessons)

    def forward(self, x: Tensor) -> Tensor:
        """The loss after taking in activations ``x`` (in training mode; in evaluation mode ``x`` changes nothing)."""
        if self.training:
            x = of_all_ranks(lambda: self._checked(x), self.embedding.weight.device, self.process_group)
        else:
            x = self._checked(x)
        with torch.autocast(x.device.type, enabled=False):
            return self._loss(x)

    def _loss(self, x: Tensor) -> Tensor:
        if self.training:
            self.step += 1
            self.since += 1
            self.coupling.update(x)
            first = int(self.coupling.refreshes) == 0 and self.coupling.filled == self.coupling.memory
            if first or int(self.since) >= self.every:
                self._refresh()
        place = self.embedding.weight
        if int(self.coupling.refreshes) == 0:
            return place.sum() * 0.0
        generator = torch.Generator(place.device).manual_seed(self.seed * 1_000_003 + int(self.step))
        if self._lessons is None or self._lessons.device != place.device:
            coupling = self.coupling
            seed = self.seed + int(coupling.refreshes)
            self._lessons = Lessons(self.wiring, coupling.length, coupling.regular, self.walks, self.reach, seed)
        far, near, closed = self._lessons.draw(generator)
        loss, error = _misfit(place, far)
        astray = error / far.length.mean().to(error) if far.length.numel() else error
        if closed is not None:
            exact, error = _misfit(place, closed)
            loss = loss + exact
        if self.training:
            for running, latest in ((self.error, error), (self.astray, astray)):
                running.copy_(torch.where(running.isinf(), latest, running.lerp(latest, _LATEST)))
        settled = 1 / (1 + self.error.square())
        close = _misfit(place, near)[0] + self.spread * self._spreading(place, generator)
        return loss + settled * close

    def _refresh(self) -> None:
        """New statistics, and partners that places agree with once these are settled."""
        coupling = self.coupling
        coupling.refresh()
        place = self.embedding.weight.detach()
        still = float((place - self.before).norm(dim=1).median()) < _STILL
        agreed = coupling.regular and still and float(self.astray) < _SETTLED
        self.wiring.copy_(coupling.revised(place) if agreed else coupling.partner)
        self.before.copy_(place)
        self.since.zero_()
        self._lessons = None

    def _spreading(self, place: Tensor, generator: torch.Generator) -> Tensor:
        node = torch.arange(len(place), device=place.device).repeat(self.negatives)
        other = torch.randint(len(place), node.shape, generator=generator, device=place.device)
        unrelated = (node != other) & ~(self.wiring[node] == other.unsqueeze(1)).any(1)
        gap = (_APART - safe_norm(place[node] - place[other])).clamp_min(0)
        return (gap * unrelated).sum() / max(1, node.numel())

    def _checked(self, x: Tensor) -> Tensor:
        """Activations of the live nodes ``[B, L, C]``."""
        if not isinstance(x, Tensor) or not x.is_floating_point():
            got = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise TypeError(f"HebbianLoss: x must be a floating-point tensor, got {got}; convert it with .float()")
        num_nodes = self.embedding.num_nodes
        if x.dim() not in (2, 3) or x.shape[1] != num_nodes:
            raise ValueError(
                f"HebbianLoss: x must be [B, {num_nodes}] or [B, {num_nodes}, C], the activations of the "
                f"embedding's {num_nodes} nodes, got {list(x.shape)}"
            )
        x = x.detach()[:, self.embedding.live]
        if not bool(torch.isfinite(x).all()):
            raise ValueError("HebbianLoss: x has NaN or infinite values; look for the layer that produced them")
        return x.unsqueeze(-1) if x.dim() == 2 else x

    def edge_index(self) -> Tensor:
        """Partners as the statistics see them now, ``[2, E]``, both directions, sorted."""
        node, slot = (self.wiring >= 0).nonzero(as_tuple=True)
        pairs = torch.stack([node, self.wiring[node, slot]])
        pairs = pairs[:, (pairs[0] * self.coupling.num_nodes + pairs[1]).argsort()]
        return self.embedding.live.nonzero().squeeze(1)[pairs]

    def extra_repr(self) -> str:
        return f"every={self.every}, walks={self.walks}, reach={self.reach}, spread={self.spread}"


def _misfit(place: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Mean and median absolute error of the distances between places."""
    error = safe_norm(place[pairs.start] - place[pairs.end]) - pairs.length.to(place.dtype)
    error = (error.square() + _SMOOTH).sqrt()
    middle = error.detach().median() if error.numel() else error.new_zeros(())
    return error.sum() / max(1, error.numel()), middle


def _forget_lessons(module: HebbianLoss, _: object) -> None:
    """Lessons are drawn on partners, and a loaded state has others."""
    module._lessons = None
