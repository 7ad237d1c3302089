"""`fit_embedding`: a layer's trainable places start where discovery puts the nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch

from scge_pyg.discovery.discover import discover
from scge_pyg.graph.shared_graph import SharedGraph
from scge_pyg.nn.layer.scge_conv import SCGEConv
from scge_pyg.nn.trained.node_embedding import NodeEmbedding

__all__ = ["fit_embedding"]


def fit_embedding(layer: torch.nn.Module, loader: Any, **options: Any) -> SharedGraph:
    r"""Warm-start a layer's :class:`NodeEmbedding` with the geometry of the samples of a loader.

    :func:`scge_pyg.discover` finds coordinates ``pos [N, d]`` from the samples; the table takes them over in place,

    .. math::
        e_i \leftarrow (\mathrm{pos}_i, \epsilon_i), \qquad \epsilon_i \in \mathbb{R}^{D - d} \text{ small and random,}

    so that optimisers, and layers that share the table, keep their reference to it; the layers look for new candidates.
    Nodes that have no coordinates,
    because they are constant in these samples, stay where they are.

    Args:
        layer: A module that holds exactly one :class:`NodeEmbedding` over the N nodes of the samples, which several
            of its layers may share. Tables over other node counts are left alone.
        loader: Samples as ``discover`` takes them: a tensor or array ``[S, N]`` or ``[S, N, C]``, or an iterable of
            such batches, of tuples whose first item is one, or of PyG Batches. It is read once.
        options: Keyword arguments of ``discover``, such as ``dim``, ``snap`` or ``seed``.

    Shapes:
        - **samples:** :math:`[S, N]` or :math:`[S, N, C]`
        - **the table's weight:** :math:`[L, D]`, L of the N nodes being live in it

    Returns:
        The graph that was discovered.

    Raises:
        TypeError: If ``layer`` is no module, or the loader nothing that ``discover`` takes.
        ValueError: If the layer holds no such table or several, or the geometry has more axes than the table.

    Example:
        >>> import torch
        >>> from scge_pyg import SCGEConv
        >>> walk = torch.randn(500, 40, generator=torch.Generator().manual_seed(0)).cumsum(1)
        >>> conv = SCGEConv(1, 8, num_nodes=40, embedding_dim=2, k=3)
        >>> graph = fit_embedding(conv, walk.split(100))
        >>> graph.num_nodes, graph.pos.shape[1]
        (40, 1)
    """
    if not isinstance(layer, torch.nn.Module):
        raise TypeError(f"fit_embedding: layer must be a torch.nn.Module, got {type(layer).__name__}")
    found = {name: module for name, module in layer.named_modules() if isinstance(module, NodeEmbedding)}
    if 1 not in Counter(table.num_nodes for table in found.values()).values():
        raise ValueError(_not_one(layer, found, "one node count"))
    graph = discover(loader, **options)
    fitting = [table for table in found.values() if table.num_nodes == graph.num_nodes]
    if len(fitting) != 1:
        raise ValueError(_not_one(layer, found, f"the {graph.num_nodes} nodes of the samples"))
    embedding = fitting[0]
    axes = graph.pos.shape[1]
    if axes > embedding.dim:
        raise ValueError(
            f"fit_embedding: the samples' geometry has {axes} axes and the table {embedding} only {embedding.dim}; "
            f"build it with embedding_dim={axes}, or pass dim={embedding.dim} to look for a flatter geometry"
        )
    places = NodeEmbedding.from_graph(graph, embedding.dim)().detach()
    with torch.no_grad():
        live = embedding.live.cpu()
        known = graph.live.cpu()[live].to(embedding.weight.device)
        embedding.weight[known] = places[graph.live.cpu() & live].to(embedding.weight)
    for module in layer.modules():
        if isinstance(module, SCGEConv) and embedding in (module.source, module.target):
            module.refresh()
    return graph


def _not_one(layer: torch.nn.Module, found: dict[str, NodeEmbedding], over: str) -> str:
    tables = ", ".join(f"{name or 'itself'}: {table}" for name, table in found.items()) or "none"
    return (
        f"fit_embedding: {type(layer).__name__} must hold exactly one NodeEmbedding over {over}, found {tables}; "
        f"pass the layer, or the table itself, that should learn these places"
    )
