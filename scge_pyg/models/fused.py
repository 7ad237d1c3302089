"""A classifier of things that several modalities saw: a network on each geometry, attention across them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch_geometric.nn.module_dict import ModuleDict

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import whole_number
from scge_pyg.models.classifiers import SCGEClassifier
from scge_pyg.models.fused_input import check_classes, check_finite, check_modalities, checked_channels
from scge_pyg.nn.fixed.tables import Tabled
from scge_pyg.nn.layer.batching import as_batch

__all__ = ["FusedClassifier"]


class FusedClassifier(Tabled):
    r"""One :class:`SCGEClassifier` a modality, whose coarse nodes look across at those of the others.

    .. math::
        \mathbf{z} = \sum_m \operatorname{head}_m\Big(\mathbf{h}_m + \sum_{n \ne m} \sum_{j \in n}
            \alpha_{\cdot j} \mathbf{V} \mathbf{h}_{nj}\Big), \qquad
        \alpha_{ij} = \operatorname{softmax}_{j \notin m} \frac{(\mathbf{Q} \mathbf{u}_i)^\top \mathbf{K}
            \mathbf{u}_j}{\sqrt{D}}, \quad \mathbf{u}_i = \operatorname{norm}(\mathbf{h}_i) + \mathbf{p}_i

    over the modalities m that a sample has, with coarse features :math:`\mathbf{h}`, an embedding
    :math:`\mathbf{p}_i` of each coarse node, and heads of width D. Attention starts at zero: an untrained model adds up
    what its towers say, which is all there is to say where modalities tell of the class independently. A sample with
    one modality is classified by its tower alone. What a sample lacks is NaN throughout, what all lack is left out.

    :meth:`loss` is what to train by: alone, the sum lets the modality that learns first keep the others from learning.

    Cost beside the towers: :math:`O(B M^2 C)` for M coarse nodes of all modalities together.

    Args:
        in_channels: Channels of a node, for each modality.
        num_classes: Number of classes.
        graphs: Graph of each modality.
        channels: Output channels of each level of a tower. Default: ``(32, 64, 128)``.
        kernel_size: Taps along each axis. Default: 3.
        heads: Heads of the attention, a divisor of the last of ``channels``. Default: 4.

    Shapes:
        - **input:** by name :math:`(B, N_m, C_m)`, flat :math:`(B N_m, C_m)` as in ``batch.x_dict``, or one sample
        - **output:** logits :math:`(B, \text{classes})`

    Raises:
        TypeError: If ``in_channels``, ``graphs`` or ``x`` is no mapping, or holds something else than said above.
        ValueError: If names disagree, there are fewer than two modalities, a number is out of range, ``heads`` doesn't
            divide the channels, or a modality that is there has NaN or infinite values.

    Example:
        >>> import torch
        >>> graphs = {"image": SharedGraph.from_grid((16, 16)), "sound": SharedGraph.from_grid((64,))}
        >>> model = FusedClassifier({"image": 3, "sound": 1}, 10, graphs, channels=(8, 16))
        >>> x = {"image": torch.randn(2, 256, 3), "sound": torch.randn(2, 64, 1)}
        >>> model(x).shape, model({"sound": x["sound"]}).shape
        (torch.Size([2, 10]), torch.Size([2, 10]))
    """

    modality: Tensor

    def __init__(
        self,
        in_channels: Mapping[str, int],
        num_classes: int,
        graphs: Mapping[str, SharedGraph],
        *,
        channels: Sequence[int] = (32, 64, 128),
        kernel_size: int = 3,
        heads: int = 4,
    ) -> None:
        super().__init__()
        check_modalities(in_channels, graphs)
        in_channels = {
            name: whole_number("FusedClassifier", f"in_channels[{name!r}]", size, 1)
            for name, size in in_channels.items()
        }
        self.num_classes = whole_number("FusedClassifier", "num_classes", num_classes, 1)
        channels = checked_channels(channels)
        width, heads = channels[-1], whole_number("FusedClassifier", "heads", heads, 1)
        if width % heads:
            raise ValueError(f"FusedClassifier: heads must divide the last of channels, {width}, got {heads}")
        self.names, self.heads = tuple(graphs), heads
        self.towers = ModuleDict(
            {
                name: SCGEClassifier(in_channels[name], num_classes, graph, channels=channels, kernel_size=kernel_size)
                for name, graph in graphs.items()
            }
        )
        self.coarse = {name: self.towers[name].body[-1].target for name in self.names}
        self.sizes = [graph.num_nodes for graph in self.coarse.values()]
        self.register_table("modality", torch.arange(len(self.names)).repeat_interleave(torch.tensor(self.sizes)))
        self.norm = torch.nn.LayerNorm(width)
        self.place = torch.nn.Parameter(0.02 * torch.randn(sum(self.sizes), width))
        self.ask, self.offer = torch.nn.Linear(width, width), torch.nn.Linear(width, 2 * width)
        self.out = torch.nn.Linear(width, width, bias=False)
        torch.nn.init.zeros_(self.out.weight)

    def forward(self, x: Mapping[str, Tensor]) -> Tensor:
        """Logits ``[B, classes]``."""
        parts, there = self._parts(x)
        return self._logits(parts + self._heard(parts, there)[0], there).sum(1)

    def loss(self, x: Mapping[str, Tensor], y: Tensor) -> Tensor:
        """Cross entropy of all modalities together, and of each alone over the samples that have it, added up.

        Args:
            x: As for :meth:`forward`.
            y: Classes ``[B]`` int64.
        """
        parts, there = self._parts(x)
        check_classes(y, len(there), self.num_classes)
        total = cross_entropy(self._logits(parts + self._heard(parts, there)[0], there).sum(1), y)
        for alone, own in zip(self._logits(parts, there).unbind(1), there.unbind(1), strict=True):
            if bool(own.any()):
                total = total + cross_entropy(alone[own], y[own])
        return total

    @torch.no_grad()
    def across(self, x: Mapping[str, Tensor], k: int = 4) -> dict[tuple[str, str], tuple[Tensor, Tensor]]:
        """Edges between the nodes of ``self.coarse``, for :func:`scge_pyg.graph.joint`: who looks at whom.

        The weight of an edge is the mean attention over heads, samples and both directions; kept is what is among the
        ``k`` strongest of either end.
        """
        k = whole_number("FusedClassifier.across", "k", k, 1)
        alpha = self._heard(*self._parts(x))[1].mean((0, 1))
        strength = (alpha + alpha.T) / 2
        blocks = [self.modality == number for number in range(len(self.names))]
        edges = {}
        for (a, rows), (b, columns) in combinations(zip(self.names, blocks, strict=True), 2):
            block = strength[rows][:, columns]
            best = torch.zeros_like(block, dtype=torch.bool)
            for axis in (0, 1):
                best.scatter_(axis, block.topk(min(k, block.shape[axis]), axis).indices, True)
            index = best.nonzero().T.contiguous()
            edges[a, b] = index, block[index[0], index[1]]
        return edges

    def _parts(self, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Features of all coarse nodes ``[B, M, D]``, zero where there are none, and what a sample has ``[B, K]``."""
        if not isinstance(x, Mapping):
            raise TypeError(
                f"FusedClassifier: x must be a mapping from some of the modalities {sorted(self.names)} to tensors, "
                f"got {type(x).__name__}"
            )
        if not x or not set(x) <= set(self.names):
            raise ValueError(
                f"FusedClassifier: x must hold some of the modalities {sorted(self.names)}, got {sorted(map(str, x))}"
            )
        given = {
            name: as_batch(part, self.towers[name].num_nodes, self.towers[name].in_channels, f"FusedClassifier: {name}")
            for name, part in x.items()
        }
        first = next(iter(given.values()))
        sizes = {name: len(part) for name, part in given.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"FusedClassifier: modalities must have the same number of samples, got {sizes}")
        parts, there = [], []
        for name, size in zip(self.names, self.sizes, strict=True):
            features = first.new_zeros(len(first), size, self.place.shape[1])
            own = torch.zeros(len(first), dtype=torch.bool, device=first.device)
            if name in given:
                own = ~given[name].isnan().flatten(1).all(1)
                check_finite(given[name], own, name)
                if bool(own.all()):
                    features = self.towers[name].body(given[name])
                elif bool(own.any()):
                    seen = self.towers[name].body(given[name][own])
                    features = features.to(seen.dtype).index_put((own.nonzero().squeeze(1),), seen)
            parts.append(features)
            there.append(own)
        has = torch.stack(there, 1)
        if not bool(has.any(1).all()):
            lost = (~has.any(1)).nonzero().flatten().tolist()
            raise ValueError(f"FusedClassifier: each sample must have a modality, but samples {lost[:5]} have none")
        return torch.cat(parts, 1), has

    def _heard(self, parts: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """What each coarse node hears from other modalities ``[B, M, D]``, and its attention ``[B, heads, M, M]``."""
        u = self.norm(parts) + self.place
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.ask(u), *self.offer(u).chunk(2, dim=-1))
        )
        score = query @ key.transpose(-1, -2) / key.shape[-1] ** 0.5
        other = (self.modality.unsqueeze(1) != self.modality) & there[:, self.modality].unsqueeze(1)
        other = other.unsqueeze(1)
        alpha = score.masked_fill(~other, torch.finfo(score.dtype).min).softmax(-1) * other
        return self.out((alpha @ value).transpose(1, 2).flatten(2)), alpha

    def _logits(self, parts: Tensor, there: Tensor) -> Tensor:
        """What each modality says ``[B, K, classes]``, 0 where a sample lacks it."""
        said = [
            self.towers[name].head(part.flatten(1))
            for name, part in zip(self.names, parts.split(self.sizes, 1), strict=True)
        ]
        return torch.stack(said, 1) * there.unsqueeze(2)
