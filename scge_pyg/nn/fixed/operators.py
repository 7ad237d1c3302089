"""What a PyG operator takes, and how wide its parameters are."""

from __future__ import annotations

import inspect

import torch
from torch_geometric.nn import Sequential
from torch_geometric.nn.conv import CGConv, GENConv, GINEConv, NNConv

__all__ = ["arguments_of", "dtype_of", "edge_widths"]


def arguments_of(conv: torch.nn.Module) -> dict[str, inspect.Parameter]:
    """What ``forward`` takes; layers that hand ``**kwargs`` on to their ``conv`` take what that one takes too."""
    if isinstance(conv, Sequential):  # its forward may be (*args, **kwargs)
        by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return {name: inspect.Parameter(name, by_name) for name in conv.signature.param_dict}
    taken = dict(inspect.signature(conv.forward).parameters)
    inner = getattr(conv, "conv", None)
    if isinstance(inner, torch.nn.Module) and any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        return {**arguments_of(inner), **taken}
    return taken


def dtype_of(conv: torch.nn.Module) -> torch.dtype:
    """The dtype of the operator's parameters, which the geometry follows."""
    return next((p.dtype for p in conv.parameters() if p.is_floating_point()), torch.get_default_dtype())


def edge_widths(conv: torch.nn.Module) -> set[int]:
    """Widths of the edge features that the operators in ``conv`` were built for; empty if they take none."""
    widths: set[int | None] = set()
    for module in conv.modules():
        widths.add(getattr(module, "edge_dim", None))
        widths.add(getattr(module, "in_edge_channels", None))  # GeneralConv
        if isinstance(module, CGConv):
            widths.add(module.dim)
        elif isinstance(module, GENConv) and hasattr(module, "lin_edge"):
            widths.add(module.lin_edge.in_channels)
        elif isinstance(module, (GINEConv, NNConv)):
            first = module.nn[0] if isinstance(module.nn, torch.nn.Sequential) else module.nn
            if isinstance(module, GINEConv) and module.lin is not None:
                first = module.lin
            widths.add(getattr(first, "in_channels", getattr(first, "in_features", None)))
    return {width for width in widths if width}
