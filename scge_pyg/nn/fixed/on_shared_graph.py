"""`OnSharedGraph`: any PyG operator on one graph that all samples share."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.nn.conv import MessagePassing
from torch_geometric.nn.inits import reset
from torch_geometric.nn.models.basic_gnn import BasicGNN

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.fixed.fingerprint import Fingerprinted, fingerprint_of
from scge_pyg.nn.fixed.operators import arguments_of, dtype_of, edge_widths
from scge_pyg.nn.fixed.sorted_edges import sort_before_aggregation
from scge_pyg.nn.fixed.tables import parameter_from
from scge_pyg.nn.layer.batching import as_batch, as_given
from scge_pyg.nn.layer.inputs import read_input

__all__ = ["OnSharedGraph"]


class OnSharedGraph(Fingerprinted):
    r"""Runs a PyG operator, or a whole PyG model, on the graph of a modality.

    The batch is taken as :math:`B` disjoint copies of the graph,

    .. math::
        \mathbf{Y} = \mathrm{conv}(\mathbf{X}, \{(j + bN,\ i + bN) : (j, i) \in \mathcal{E},\ 0 \le b < B\}),

    so the result equals a loop over the samples for every operator that works node by node, edge by edge, or, like
    ``GraphNorm``, ``GPSConv`` and the poolings, graph by graph. What ``conv.forward`` takes decides what it gets:

    - ``edge_weight``: the graph's weights;
    - ``edge_attr``: ``edge_attr`` as given here. Otherwise the weights as one feature per edge, if the operator, or
      the operators inside a model, were built with ``edge_dim=1``, and nothing if they were built without;
    - ``batch`` and ``batch_size``: the sample of each node, and the number of samples;
    - ``pos``: the graph's coordinates, zero where a node isn't live.

    ``PNAConv`` wants a histogram of degrees when it is built:
    ``PNAConv.get_degree_histogram([graph.to_data()])``.

    The operator gets the edges in the order of ``graph.edge_index``, copy after copy: the masks of PyG's explainers
    follow it. Message hooks belong to the operator, ``layer.conv``. A graph without coordinates (``dim`` 0) will do.

    The graph moves with the module, but is not part of its ``state_dict``; weights that are trained are. The state
    carries a fingerprint of the edges and of what else the operator gets of the graph, and refuses another
    (:func:`scge_pyg.nn.transfer` loads weights on purpose).

    Cost: that of the operator on :math:`B N` nodes and :math:`B E` edges.

    Args:
        conv: The operator; its ``forward`` takes ``x`` first, and ``edge_index``.
        graph: The graph that all samples share.
        edge_attr: Features ``[E, D]`` of the edges in the order of ``graph.edge_index``, for operators built with
            ``edge_dim=D``; for instance the offsets between their ends. Default: the weights, where wanted.
        train_edge_weight: Whether ``edge_weight`` is a parameter, one number per directed edge that all samples
            share, starting at the graph's weights. The operator gets its absolute value. Default: ``False``.

    Attributes:
        edge_weight: ``[E]``, a parameter or a buffer.

    Shapes:
        - **input:** :math:`(B, N, C)`, PyG's flat :math:`(B N, C)`, one sample :math:`(N, C)`, or a PyG ``Data`` or
          ``Batch`` whose samples have all nodes in order; a pair of features for operators that tell source from target
        - **output:** :math:`(B, N, C')`, :math:`(B N, C')` or :math:`(N, C')`; of a model that pools over the nodes
          :math:`(B, C')`

    Raises:
        TypeError: If ``conv`` takes no ``edge_index``, or ``graph`` is no graph.
        ValueError: If ``conv`` caches its graph, wants edge features of another width, takes no weights that could be
            trained, or needs coordinates that the graph hasn't.

    Example:
        >>> import torch
        >>> from torch_geometric.nn import GATConv
        >>> from scge_pyg import OnSharedGraph, SharedGraph
        >>> graph = SharedGraph.from_grid((4, 5))
        >>> layer = OnSharedGraph(GATConv(3, 8), graph)
        >>> layer(torch.randn(2, 20, 3)).shape
        torch.Size([2, 20, 8])
        >>> source, target = graph.edge_index
        >>> offset = graph.pos[source] - graph.pos[target]
        >>> layer = OnSharedGraph(GATConv(3, 8, edge_dim=2), graph, edge_attr=offset)  # attention that knows direction
        >>> layer(torch.randn(2, 20, 3)).shape
        torch.Size([2, 20, 8])
    """

    edge_index: Tensor
    edge_weight: Tensor | torch.nn.Parameter
    edge_attr: Tensor | None
    pos: Tensor
    found_weight: Tensor

    def __init__(
        self,
        conv: torch.nn.Module,
        graph: SharedGraph,
        *,
        edge_attr: Tensor | None = None,
        train_edge_weight: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"OnSharedGraph: graph must be a SharedGraph, got {type(graph).__name__}")
        name = type(conv).__name__
        taken = arguments_of(conv)
        if "edge_index" not in taken:
            raise TypeError(
                f"OnSharedGraph: {name}.forward takes no edge_index, only ({', '.join(taken)}); "
                f"modules that act on each node need no graph and can be used as they are"
            )
        if any(getattr(module, "cached", False) for module in conv.modules()):
            raise ValueError(
                f"OnSharedGraph: {name}(cached=True) keeps the graph of the first batch; "
                f"use cached=False, since batches may differ in size"
            )
        if edge_attr is not None and (edge_attr.dim() != 2 or edge_attr.shape[0] != graph.num_edges):
            raise ValueError(
                f"OnSharedGraph: edge_attr must be [{graph.num_edges}, D], one row for each column of "
                f"graph.edge_index, got {list(edge_attr.shape)}"
            )
        self.conv = conv
        self.num_nodes = graph.num_nodes
        self.train_edge_weight = train_edge_weight
        self._wants: set[str] = {key for key in ("batch", "batch_size", "pos") if key in taken}
        if "edge_weight" in taken and getattr(conv, "supports_edge_weight", True):
            self._wants.add("edge_weight")
        if "edge_attr" in taken and getattr(conv, "supports_edge_attr", True):
            widths = edge_widths(conv)
            width = 1 if edge_attr is None else edge_attr.shape[1]
            # a model of the user's own may widen the features before its operators see them
            others = widths - {width} if isinstance(conv, (MessagePassing, BasicGNN)) else None
            if others:
                given = "the graph has one weight per edge" if edge_attr is None else f"edge_attr has {width} columns"
                raise ValueError(
                    f"OnSharedGraph: {given}, but {name} was built for edge_dim={max(others)}; "
                    f"use edge_dim={width}, or give edge_attr=[{graph.num_edges}, {max(others)}]"
                )
            if widths or edge_attr is not None or taken["edge_attr"].default is inspect.Parameter.empty:
                self._wants.add("edge_attr")
        if edge_attr is not None and "edge_attr" not in self._wants:
            raise ValueError(f"OnSharedGraph: {name} takes no edge_attr; leave it out")
        if train_edge_weight and not (
            "edge_weight" in self._wants or ("edge_attr" in self._wants and edge_attr is None)
        ):
            raise ValueError(
                f"OnSharedGraph: {name} gets no edge weights, so train_edge_weight=True would train nothing; "
                f"use an operator that takes edge_weight, or edge_attr with edge_dim=1"
            )
        if "pos" in self._wants and not graph.pos.shape[1]:
            raise ValueError(
                f"OnSharedGraph: {name} takes coordinates, and {graph} has none (dim 0); use an operator on edges, or "
                f"draw a map anyway with discover(x, dim=2)"
            )
        sort_before_aggregation(conv)
        self.register_table("edge_index", graph.edge_index)
        self.register_table("edge_attr", edge_attr)
        self.register_table("pos", graph.pos.nan_to_num())
        if train_edge_weight:
            # from a weight of exactly zero no gradient would leave
            found = graph.edge_weight.to(dtype_of(conv))
            found = found.clamp_min(torch.finfo(found.dtype).eps)
            self.register_table("found_weight", found)
            self.edge_weight = parameter_from(found)
        else:
            self.register_table("edge_weight", graph.edge_weight)
        self.fingerprint = fingerprint_of((graph.num_nodes,), graph.edge_index, *self._read_of(graph))

    def _read_of(self, graph: SharedGraph) -> list[Tensor]:
        """What the operator gets of the graph besides its edges."""
        read = [self.pos] if "pos" in self._wants else []
        if self.edge_attr is not None:
            return [*read, self.edge_attr]
        weighted = self._wants & {"edge_weight", "edge_attr"} and not self.train_edge_weight
        return [*read, graph.edge_weight] if weighted else read

    @property
    def order(self) -> Tensor:
        """Columns of ``graph.edge_index`` in the order in which the operator gets them ``[E]``: their own."""
        return torch.arange(self.edge_index.shape[1], device=self.edge_index.device)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("register_") and name.removesuffix("_hook") != name:
            raise AttributeError(
                f"OnSharedGraph makes no messages of its own, so it has no {name}; use layer.conv.{name}(hook) of the "
                f"operator, or register_forward_hook for the output"
            )
        return super().__getattr__(name)

    def reset_parameters(self) -> None:
        """Reset the operator, and trained edge weights to those of the graph."""
        reset(self.conv)
        if self.train_edge_weight:
            with torch.no_grad():
                self.edge_weight.copy_(self.found_weight)

    def forward(self, x: Tensor | tuple[Tensor, Tensor] | Data, edge_index: Tensor | None = None, **kwargs: Any) -> Any:
        """Apply the operator to ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``.

        Further keyword arguments reach the operator: tensors whose name starts with ``edge_`` hold the edges of the
        graph ``[E, ...]`` or of all copies ``[B * E, ...]``, others are passed on as they are. Where the operator
        returns a tuple, such as with ``return_attention_weights=True``, the first item comes back in the layout of
        ``x`` and the others as they are, for the disjoint copies.
        """
        where = f"OnSharedGraph({type(self.conv).__name__})"
        if edge_index is not None:
            raise ValueError(
                f"{where}: the layer has a graph of its own and takes no edge_index; call it as layer(x), and use the "
                f"operator itself for edges that change from call to call"
            )
        x, node_id, _ = read_input(x, None, None, self.num_nodes, where)
        if node_id is not None:
            raise ValueError(
                f"{where}: the operator runs on all {self.num_nodes} nodes in their order, and the data have node_id; "
                f"put the features into [B, {self.num_nodes}, C] by node, or use SCGEConv, which takes node_id"
            )
        parts = x if isinstance(x, tuple) else (x,)
        batches = [as_batch(part, self.num_nodes, None, where) for part in parts]
        flat = tuple(batch.flatten(0, 1) for batch in batches)
        copies, nodes = batches[0].shape[0], flat[0].shape[0]
        shift = torch.arange(copies, device=self.edge_index.device) * self.num_nodes
        edge_index = (self.edge_index.unsqueeze(1) + shift.view(1, -1, 1)).flatten(1)
        for key, value in kwargs.items():
            if key.startswith("edge_") and isinstance(value, Tensor):
                kwargs[key] = self._per_edge(value, copies)
        for key in self._wants - kwargs.keys():
            kwargs[key] = self._argument(key, copies, flat[0])
        out = self.conv(flat if isinstance(x, tuple) else flat[0], edge_index=edge_index, **kwargs)
        first, *others = out if isinstance(out, tuple) else (out,)
        if first.shape[0] == nodes:
            first = as_given(first.unflatten(0, (-1, self.num_nodes)), parts[0])
        elif first.shape[0] != copies:
            raise ValueError(
                f"{where}: the result must have one row per node, {nodes}, or per sample, {copies}, "
                f"got {list(first.shape)}"
            )
        return (first, *others) if others else first

    def _argument(self, key: str, copies: int, x: Tensor) -> Tensor | int:
        """What the operator gets under this name for so many copies of the graph."""
        if key == "batch_size":
            return copies
        if key == "batch":
            return torch.arange(copies, device=self.edge_index.device).repeat_interleave(self.num_nodes)
        dtype = x.dtype if x.is_floating_point() else dtype_of(self.conv)
        if key == "pos":
            return self.pos.to(dtype).repeat(copies, 1)
        if key == "edge_attr" and self.edge_attr is not None:
            return self._per_edge(self.edge_attr.to(dtype), copies)
        weight = self.edge_weight.abs() if self.train_edge_weight else self.edge_weight
        weight = self._per_edge(weight.to(dtype), copies)
        return weight if key == "edge_weight" else weight.unsqueeze(1)

    def _per_edge(self, values: Tensor, copies: int) -> Tensor:
        """Values of the graph's edges ``[E, ...]``, or of all copies ``[B * E, ...]``, for all copies."""
        edges = self.edge_index.shape[1]
        if values.shape[:1] not in ((edges,), (copies * edges,)):
            raise ValueError(
                f"OnSharedGraph({type(self.conv).__name__}): values of edges must be [{edges}, ...] for the graph or "
                f"[{copies * edges}, ...] for {copies} samples, got {list(values.shape)}"
            )
        each = values.unflatten(0, (1 if values.shape[0] == edges else copies, edges))
        return each.expand(copies, *each.shape[1:]).flatten(0, 1)

    def extra_repr(self) -> str:
        trained = ", train_edge_weight=True" if self.train_edge_weight else ""
        return f"nodes={self.num_nodes}, edges={self.edge_index.shape[1]}{trained}"
