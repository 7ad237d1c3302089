"""`SCGEConv`: one aggregation function shared by all nodes of a modality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from scge_pyg.nn.fixed.fingerprint import Fingerprinted
from scge_pyg.nn.fixed.neighbor_attention import Heard, NeighborAttention
from scge_pyg.nn.fixed.tap_product import TapProduct, Wiring
from scge_pyg.nn.layer.arguments import NodeSet, check_sizes, resolve_nodes
from scge_pyg.nn.layer.batching import as_batch, as_given, as_present
from scge_pyg.nn.layer.engine import build_engine
from scge_pyg.nn.layer.from_attention import FromAttention
from scge_pyg.nn.layer.from_dense import FromDense
from scge_pyg.nn.layer.inputs import common_dtype, read_input
from scge_pyg.nn.layer.message_hooks import MessageHooks
from scge_pyg.nn.trained.node_embedding import NodeEmbedding

__all__ = ["SCGEConv"]


class SCGEConv(FromDense, FromAttention, MessageHooks, Fingerprinted):
    r"""The convolution of a shared computational graph: the graph is the modality's, one function serves all nodes.

    .. math::
        \mathbf{y}_i = \mathbf{b} + \mathbf{R} \mathbf{x}_i + \sum_{j \in \mathcal{N}(i)} a_{ij}
            \sum_p \phi_p(\mathbf{e}_j - \mathbf{q}_i)\, \mathbf{W}_p^{(i)} \mathbf{x}_j, \qquad
        \mathbf{W}_p^{(i)} = \sum_b g_{ib} \mathbf{W}_{pb}

    where :math:`\mathbf{q}_i` and :math:`\mathbf{e}_j` are the places of target and source nodes, :math:`\phi_p` the
    kernel (see :mod:`scge_pyg.nn.layer.kernel`; on a fixed geometry every tap is a mean, see
    :mod:`scge_pyg.nn.fixed.tap_table`), and :math:`\mathcal{N}(i)` with :math:`a_{ij}`

    * on a fixed geometry the sources inside the kernel's support, with weight 1;
    * for a trainable embedding, or with ``k``, the k nearest sources that ``estimator`` chooses, with the softmax of
      :math:`-|\mathbf{q}_i - \mathbf{e}_j|^2 / \tau`;
    * with ``content``, the softmax of that plus a score of the features: the weights become the sample's.

    So it is a convolution on a lattice (:meth:`from_conv2d`), a locally connected layer with one kernel per node
    (:meth:`from_locally_connected`), a linear layer (:meth:`from_linear`), GAT (:meth:`from_gat`) and self-attention
    (:meth:`from_multihead_attention`, ``k = N`` with ``content="dot"``).

    Nodes that aren't live are never sources; their output is the kernel at the origin of their own value, plus bias.
    A fixed geometry moves with the module but is not part of its ``state_dict``: keep the graph beside it with
    :meth:`SharedGraph.save`. The state carries its fingerprint, so that weights don't land on another graph unnoticed
    (:func:`scge_pyg.nn.transfer` takes them there on purpose). Embeddings and candidates are part of it.

    PyG's explainers take ``layer.edge_index``, and its hooks on ``message``, ``aggregate`` and ``propagate`` are
    called: the layer then makes every message, as slow as any other operator.

    Candidates of a trainable layer are searched anew every ``refresh_every`` training calls; inside a compiled graph
    they stand still, and :meth:`refresh` is to be called between steps.

    Cost: on a fixed geometry :math:`O(N\,P\,B\,C\,(C' + S))` time with P taps, batch size B and S sources per tap (1
    on a lattice, about :math:`2^d` between its points), and memory for input, output and one gathered tap; otherwise
    see :class:`scge_pyg.nn.fixed.neighbor_attention.NeighborAttention`.

    Args:
        in_channels: Channels of each source node.
        out_channels: Channels of each target node (of each head, if ``concat``).
        nodes: A :class:`SharedGraph` (fixed), a :class:`NodeEmbedding` (trainable, may be shared by layers), or a pair
            (source, target) of node sets in one frame: ``(graph, coarse)`` gives a strided layer, ``(coarse, graph)``
            a transposed one.
        num_nodes: Number of nodes of a fresh :class:`NodeEmbedding`, instead of ``nodes``.
        embedding_dim: Its dimension. Default: 2.
        k: Neighbours a node. Default: the kernel's support on a fixed geometry, else as many as taps.
        kernel: ``"points"``, ``"mlp"``, or ``None`` for 1 everywhere (one weight matrix, pure attention).
        kernel_size: Taps along each axis, one number or one per axis. Default: 3.
        dilation: Distance of neighbouring taps in units of node spacing, likewise. Default: 1.
        train_points: Whether the kernel points are parameters.
        num_bases: Kernels that each node mixes by its own gates, readable at ``gate [N, num_bases]``. Default: 1.
        heads: Attention heads; more than 1 need ``content``.
        concat: Concatenate the heads instead of averaging them.
        content: ``None``, ``"gat"``, ``"gatv2"`` or ``"dot"`` (:class:`scge_pyg.nn.layer.content.ContentScore`).
        estimator: Choice of neighbours: ``"topk"``, ``"soft"``, ``"straight_through"``, ``"gumbel"``, ``"reinforce"``
            or a module (:mod:`scge_pyg.nn.trained.estimators`).
        tau: Temperature of the score of places. Default: 1 for neighbours by distance, infinite otherwise.
        neighbors: ``"support"``, ``"nearest"`` or ``"edges"`` (those of the graph). Default: as said above. With
            ``"support"`` a trainable embedding computes what a fixed geometry does, every tap a mean, at its present
            places, and its gradient reaches them through :math:`\phi`.
        self_loops: With ``"edges"``, whether a node hears itself.
        symmetric: Node i hears j if and only if j hears i (square layers, hard choices).
        candidates: Sources a node chooses from. Default: ``4 k``, and all for ``"soft"``; with ``"support"`` of places
            that move, twice as many as a regular support holds.
        refresh_every: Training calls between two searches for candidates.
        root_weight: Whether to add a linear map of the target's own features.
        bias: Whether to add a bias. Default: ``True``.
        **kwargs: Further arguments of :class:`torch_geometric.nn.conv.MessagePassing`.

    Shapes:
        - **input:** :math:`(B, N_s, C)`, PyG's flat :math:`(B N_s, C)`, one sample :math:`(N_s, C)`, rows
          :math:`(M, C)` with ``node_id``, a PyG ``Data`` or ``Batch``, or a pair (source, target) of features
        - **output:** the same layout with the target nodes and :math:`C'` channels

    Raises:
        TypeError: If ``nodes`` is neither a node set nor a pair of them.
        ValueError: If arguments contradict each other, node sets differ in dimension, or the input doesn't fit.

    Example:
        >>> import torch
        >>> from scge_pyg import SCGEConv, SharedGraph
        >>> graph = SharedGraph.from_grid((4, 5))
        >>> conv = SCGEConv(3, 8, graph)
        >>> conv
        SCGEConv(3, 8, nodes=20, taps=9)
        >>> conv(torch.randn(2, 20, 3)).shape
        torch.Size([2, 20, 8])
        >>> coarse, _ = graph.coarsen(stride=2)
        >>> SCGEConv(3, 8, (graph, coarse))(torch.randn(2, 20, 3)).shape
        torch.Size([2, 6, 8])
        >>> learned = SCGEConv(3, 8, num_nodes=1024, embedding_dim=2, k=9, content="dot", heads=2)
        >>> learned
        SCGEConv(3, 8, nodes=1024, taps=9, k=9, content='dot', heads=2)
        >>> y, (edge_index, alpha) = learned(torch.randn(2, 1024, 3), return_attention_weights=True)
        >>> y.shape, edge_index.shape, alpha.shape
        (torch.Size([2, 1024, 16]), torch.Size([2, 9216]), torch.Size([2, 9216, 2]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        nodes: NodeSet | tuple[NodeSet, NodeSet] | None = None,
        *,
        num_nodes: int | None = None,
        embedding_dim: int = 2,
        k: int | None = None,
        kernel: str | None = "points",
        kernel_size: int | Sequence[int] = 3,
        dilation: int | Sequence[int] = 1,
        train_points: bool = False,
        num_bases: int = 1,
        heads: int = 1,
        concat: bool = True,
        content: str | None = None,
        estimator: str | torch.nn.Module = "topk",
        tau: float | None = None,
        neighbors: str | None = None,
        self_loops: bool = True,
        symmetric: bool = False,
        candidates: int | None = None,
        refresh_every: int = 10,
        root_weight: bool = False,
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"aggr": "add", "node_dim": -2, **kwargs})
        sizes = {"in_channels": in_channels, "out_channels": out_channels, "num_bases": num_bases, "heads": heads}
        check_sizes(sizes | {"refresh_every": refresh_every}, content)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.heads, self.concat, self.num_bases = heads, concat, num_bases
        self.refresh_every, self._calls = refresh_every, 0
        source, target = resolve_nodes(nodes, num_nodes, embedding_dim)
        self._nodes, self._fresh = (source, target), nodes is None
        self.num_sources, self.num_targets, self._square = source.num_nodes, target.num_nodes, source is target
        engine = build_engine(
            source,
            target,
            in_channels=in_channels,
            head_channels=out_channels,
            k=k,
            kernel=kernel,
            kernel_size=kernel_size,
            dilation=dilation,
            train_points=train_points,
            heads=heads,
            content=content,
            estimator=estimator,
            tau=tau,
            neighbors=neighbors,
            self_loops=self_loops,
            symmetric=symmetric,
            candidates=candidates,
        )
        self.product, self.kernel_size, self.dilation = engine.product, engine.kernel_size, engine.dilation
        self.gain, self.fingerprint = engine.gain, engine.fingerprint
        self.register_table("edge_order", engine.edge_order)
        if self.fingerprint is not None and getattr(self.product, "table", None) is not None:
            self.entries_of_graph = (*self.entries_of_graph, "product.table.index", "product.table.valid")
        width = out_channels * heads if concat else out_channels
        self.weight = torch.nn.Parameter(torch.empty(self.product.taps, in_channels, num_bases * heads * out_channels))
        self.gate = torch.nn.Parameter(torch.empty(target.num_nodes, num_bases)) if num_bases > 1 else None
        self.root = torch.nn.Parameter(torch.empty(in_channels, width)) if root_weight else None
        self.bias = torch.nn.Parameter(torch.empty(width)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights so that outputs vary as those of ``torch.nn.Conv2d``.

        An embedding that the layer made itself returns to its start; one that it was given belongs to the modality and
        stays.
        """
        super().reset_parameters()
        bound = self.gain / math.sqrt(self.in_channels * self.product.taps)
        torch.nn.init.uniform_(self.weight, -bound, bound)
        if self.gate is not None:
            torch.nn.init.constant_(self.gate, self.num_bases**-0.5)
        if self.root is not None:
            torch.nn.init.uniform_(self.root, -(self.in_channels**-0.5), self.in_channels**-0.5)
        if self.bias is not None:
            torch.nn.init.uniform_(self.bias, -bound, bound)
        if isinstance(self.product, NeighborAttention):
            self.product.reset_parameters()
            if self._fresh and isinstance(self.source, NodeEmbedding):
                self.source.reset_parameters()
            self.refresh()

    def refresh(self) -> None:
        """Search the candidates anew, after the places of a trainable embedding have moved.

        Nothing is searched while places have no values, under ``torch.device("meta")``.
        """
        if any(isinstance(nodes, NodeEmbedding) and nodes.weight.is_meta for nodes in self._nodes):
            return
        if isinstance(self.product, NeighborAttention):
            hears, speaks = (nodes.live for nodes in (self.target, self.source))
            self.product.refresh(hears, speaks)

    @property
    def source(self) -> NodeSet:
        """Node set of the input."""
        return self._nodes[0]

    @property
    def target(self) -> NodeSet:
        """Node set of the output."""
        return self._nodes[1]

    @property
    def trainable(self) -> bool:
        """Whether the places of a node set are trained."""
        return isinstance(self.source, NodeEmbedding) or isinstance(self.target, NodeEmbedding)

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor] | Data,
        node_id: Tensor | None = None,
        batch: Tensor | None = None,
        *,
        return_attention_weights: bool = False,
    ) -> Any:
        """Apply the layer.

        Args:
            x: Features in one of the layouts named above.
            node_id: Node of each row of a flat ``x``: samples may hold some of the nodes only, in any order. Nodes that
                a sample lacks are not heard, and have no row in the result.
            batch: With ``node_id``, the sample of each row.
            return_attention_weights: Also return ``(edge_index [2, E], alpha)``, with ``alpha [E]``, or ``[B, E, H]``
                where content makes it the sample's.
        """
        x, node_id, batch = read_input(x, node_id, batch, self.num_sources, "SCGEConv")
        given, other = x if isinstance(x, tuple) else (x, None)
        present = row = None
        if node_id is None:
            dense = as_batch(given, self.num_sources, self.in_channels, "SCGEConv")
        else:
            dense, present, row = as_present(given, node_id, batch, self.num_sources, "SCGEConv")
            dense = as_batch(dense, self.num_sources, self.in_channels, "SCGEConv")
        target = self._target_features(dense, other)
        dtype = common_dtype(dense, self.weight, "SCGEConv")
        dense, weight = dense.to(dtype), self.weight.to(dtype)
        target, root, bias = (None if one is None else one.to(dtype) for one in (target, self.root, self.bias))
        watched = self.watched
        fixed = self._fixed(present) if not watched else None
        plain_bias = bias if self.gate is None and fixed is not None else None
        heard = None
        if fixed is not None:
            y = fixed(dense, weight, plain_bias)
        else:
            heard = self._heard(dense, target, present)
            apply = self._propagated if watched else self.product
            y = apply(dense, heard, self._matrices(weight)).flatten(2)
        y = self._merged(y)
        if root is not None:
            assert target is not None
            y = y + target @ root
        if bias is not None and plain_bias is None:
            y = y + bias
        if row is not None and self._square:
            y = y.flatten(0, 1)[row]
        elif row is None:
            y = as_given(y, given)
        if not return_attention_weights:
            return y
        edge_index, alpha, _ = self._wiring(self._heard(dense, target, present) if heard is None else heard)
        return y, (edge_index, alpha)

    def _target_features(self, x: Tensor, other: Tensor | None) -> Tensor | None:
        """Features of the targets, where content or root weight ask for them."""
        needed = self.root is not None or getattr(self.product, "content", None) is not None
        if other is not None:
            return as_batch(other, self.num_targets, self.in_channels, "SCGEConv")
        if not needed or self._square:
            return x
        raise ValueError(
            "SCGEConv: a pair of node sets with content or root_weight needs a pair (x_source, x_target) of features"
        )

    def _fixed(self, present: Tensor | None) -> TapProduct | None:
        """The product of places that don't move: those of a graph, or of frozen tables."""
        if isinstance(self.product, TapProduct):
            return self.product
        return self.product.tabulated() if present is None else None

    def _matrices(self, weight: Tensor) -> Tensor:
        """Weights ``[P, C, H, bases * F]``."""
        split = weight.unflatten(2, (self.num_bases, self.heads, self.out_channels))
        return split.transpose(2, 3).flatten(3)

    def _merged(self, y: Tensor) -> Tensor:
        """Mix the bases of ``[B, N, H * bases * F]`` by the gates and concatenate or average the heads."""
        if self.gate is not None:
            split = y.unflatten(2, (self.heads, self.num_bases, self.out_channels))
            y = torch.einsum("bnhgf,ng->bnhf", split, self.gate.to(y.dtype)).flatten(2)
        if self.heads > 1 and not self.concat:
            y = y.unflatten(2, (self.heads, self.out_channels)).mean(2)
        return y

    def _heard(self, x: Tensor | None, target: Tensor | None, present: Tensor | None) -> Heard | Wiring:
        """Whom each target hears. Training calls of a trainable layer look for new candidates now and then."""
        if isinstance(self.product, TapProduct):
            return self.product.wiring()
        if self.training and self.trainable and x is not None and not torch.compiler.is_compiling():
            if self._calls and self._calls % self.refresh_every == 0:
                self.refresh()
            self._calls += 1
        return self.product.heard(x, target, present)

    def __repr__(self) -> str:
        source, target = self.num_sources, self.num_targets
        nodes = f"{source}" if self._square else f"{source}->{target}"
        notes = {
            "k": getattr(getattr(self.product, "estimator", None), "k", None),
            "bases": self.num_bases if self.num_bases > 1 else None,
            "content": getattr(getattr(self.product, "content", None), "kind", None),
            "heads": self.heads if self.heads > 1 else None,
        }
        shown = "".join(f", {name}={value!r}" for name, value in notes.items() if value is not None)
        return (
            f"{self.__class__.__name__}({self.in_channels}, {self.out_channels}, nodes={nodes}, "
            f"taps={self.product.taps}{shown})"
        )
