"""Aggregations that want messages sorted by target, for operators that run on edges in any order."""

from __future__ import annotations

from typing import Any

import torch
from torch_geometric.nn import aggr

__all__ = ["sort_before_aggregation"]

_ANY_ORDER = (
    aggr.SumAggregation, aggr.MeanAggregation, aggr.MaxAggregation, aggr.MinAggregation, aggr.MulAggregation,
    aggr.VarAggregation, aggr.StdAggregation, aggr.SoftmaxAggregation, aggr.PowerMeanAggregation,
    aggr.QuantileAggregation, aggr.MultiAggregation, aggr.DegreeScalerAggregation,
)  # fmt: skip


def sort_before_aggregation(conv: torch.nn.Module) -> None:
    """Let aggregations such as ``"lstm"``, which read a sequence, get the messages of each target side by side.

    The messages themselves stay in the order of the edges, so masks and hooks on them do too.
    """
    for module in conv.modules():
        sorts = isinstance(module, aggr.Aggregation) and not isinstance(module, _ANY_ORDER)
        if sorts and _by_target not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_by_target, with_kwargs=True)


def _by_target(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any] | None:
    index = kwargs.get("index")
    if index is None:
        return None
    order = index.argsort(stable=True)
    (x,) = args
    return (x.index_select(kwargs.get("dim", -2), order),), {**kwargs, "index": index[order]}
