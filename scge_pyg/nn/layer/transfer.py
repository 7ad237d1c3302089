"""`transfer`: weights that were trained on one graph, on purpose on another."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, TypeVar

import torch

from scge_pyg.nn.fixed.fingerprint import Fingerprinted
from scge_pyg.nn.layer.scge_conv import SCGEConv

__all__ = ["transfer"]

Layer = TypeVar("Layer", bound=torch.nn.Module)


def transfer(state: Mapping[str, Any], layer: Layer) -> Layer:
    r"""Load weights into a layer, or a model, that stands on another graph than they were trained on.

    ``layer.load_state_dict(state)`` refuses such a state, because the same weights mean another function on other
    places. Here the weights :math:`\mathbf{W}_p` of every tap are taken over and the geometry stays the layer's own, as
    for a kernel that moves to images of another size. (Trained places that have become a grid move onto it with
    :func:`scge_pyg.nn.settle`.) What has one row for each node or edge, such as gates and trained
    edge weights, needs as many of them.

    Args:
        state: The ``state_dict`` of a layer of the same kind, with or without fingerprints.
        layer: The layer or model to fill; it is changed in place.

    Returns:
        ``layer``.

    Raises:
        TypeError: If ``state`` is no mapping or ``layer`` no module.
        RuntimeError: If names or sizes of the weights don't fit, as from ``load_state_dict``.

    Example:
        >>> from scge_pyg import SCGEConv, SharedGraph
        >>> trained = SCGEConv(1, 4, SharedGraph.from_grid((8, 8)))
        >>> larger = transfer(trained.state_dict(), SCGEConv(1, 4, SharedGraph.from_grid((16, 16))))
        >>> bool((larger.weight == trained.weight).all())
        True
    """
    if not isinstance(state, Mapping) or not isinstance(layer, torch.nn.Module):
        raise TypeError(
            f"transfer: takes a state_dict and the layer to fill, got {type(state).__name__} and {type(layer).__name__}"
        )
    filled: OrderedDict[str, Any] = OrderedDict(state)
    metadata = getattr(state, "_metadata", None)
    if metadata is not None:
        filled._metadata = metadata  # type: ignore[attr-defined]
    standing = [
        (f"{name}." if name else "", module)
        for name, module in layer.named_modules(remove_duplicate=False)
        if isinstance(module, Fingerprinted)
    ]
    for prefix, module in standing:
        filled.pop(f"{prefix}_extra_state", None)
        if module.fingerprint is not None:
            own = module.state_dict(prefix=prefix)
            filled.update({prefix + entry: own[prefix + entry] for entry in module.entries_of_graph})
    layer.load_state_dict(filled)
    for _, module in standing:
        if isinstance(module, SCGEConv) and module.fingerprint is not None:
            module.refresh()
    return layer
