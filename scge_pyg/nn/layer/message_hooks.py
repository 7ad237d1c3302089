"""PyG's hooks and masks on messages, for a layer that needs no messages unless somebody looks at them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle
from torch_geometric.explain import AttentionExplainer
from torch_geometric.nn.conv import MessagePassing

from scge_pyg.nn.fixed.heard import Heard
from scge_pyg.nn.fixed.tap_product import Wiring

__all__ = ["MessageHooks"]

_CALLED = ("propagate", "message", "aggregate")


class MessageHooks(MessagePassing):
    """Takes the way of messages while a hook is registered or an explainer is at work.

    Hooks of ``propagate``, ``message`` and ``aggregate`` are called with PyG's arguments in the order of
    ``layer.edge_index``: ``x_j [B, E, C]``, ``phi [E, P]`` and ``alpha [E, 1]``, or ``[E, B * H]`` where content makes
    it the sample's, so that ``AttentionExplainer`` takes its mean (or maximum) over heads and samples. A layer whose
    weights are all 1 has no attention for it, like PyG's own layers without. There is no ``edge_update`` and no
    ``message_and_aggregate``, so hooks on these are refused.

    An explainer's mask has one value for each edge of ``layer.edge_index``, which all samples share.
    """

    heads: int
    num_sources: int
    num_targets: int
    edge_order: Tensor | None
    propagate: Callable[..., Tensor]
    _heard: Callable[..., Heard | Wiring]

    def __setattr__(self, name: str, value: Any) -> None:
        """An explainer's mask is no parameter of the layer: PyG would leave it among them, and take no tensor after."""
        if name == "_edge_mask":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    @property
    def watched(self) -> bool:
        """Whether messages have to be made."""
        hooks = (getattr(self, f"_{name}_forward{when}_hooks") for name in _CALLED for when in ("_pre", ""))
        return bool(self.explain) or any(hooks)

    def register_message_forward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook`` with what each message is made of, and the messages."""
        attention = any(getattr(self.product, name, None) is not None for name in ("estimator", "content"))
        if not attention and getattr(hook, "__module__", None) == AttentionExplainer.__module__:
            return RemovableHandle(OrderedDict())
        handle: RemovableHandle = super().register_message_forward_hook(hook)
        return handle

    def _refused(self, kind: str) -> Any:
        name = type(self).__name__
        raise ValueError(
            f"{name}: a hook on {kind} would never be called, the layer has no such step; use "
            f"register_message_forward_hook for what each edge carries, register_propagate_forward_hook for their sum, "
            f"register_forward_hook for the output, or layer(x, return_attention_weights=True) for the weights"
        )

    def register_edge_update_forward_pre_hook(self, hook: Callable[..., Any]) -> Any:
        """Refused: there is no ``edge_update``."""
        return self._refused("edge_update")

    def register_edge_update_forward_hook(self, hook: Callable[..., Any]) -> Any:
        """Refused: there is no ``edge_update``."""
        return self._refused("edge_update")

    def register_message_and_aggregate_forward_pre_hook(self, hook: Callable[..., Any]) -> Any:
        """Refused: there is no ``message_and_aggregate``."""
        return self._refused("message_and_aggregate")

    def register_message_and_aggregate_forward_hook(self, hook: Callable[..., Any]) -> Any:
        """Refused: there is no ``message_and_aggregate``."""
        return self._refused("message_and_aggregate")

    def explain_message(self, inputs: Tensor, dim_size: int | None) -> Tensor:
        """Messages times the explainer's mask, one value for each edge of the layer."""
        edges, mask, loops = inputs.shape[self.node_dim], self._edge_mask, self._loop_mask
        given = edges if mask is None else mask.shape[0]
        # a layer on the edges of the graph lists its loops last, where PyG adds them to a mask of the graph
        extended = self.edge_order is not None and loops is not None and int(loops.sum()) + (dim_size or 0) == edges
        if given != edges and not extended:
            raise ValueError(
                f"{type(self).__name__}: the mask has {given} values, and the layer hears along {edges} edges; "
                f"explain the layer on its own wiring, explainer(x, layer.edge_index)"
            )
        masked: Tensor = super().explain_message(inputs, dim_size)
        return masked

    @property
    def edge_index(self) -> Tensor:
        """The wiring of the layer ``[2, E]``: from each source to the targets that hear it.

        An estimator that draws its neighbours draws anew in training mode; in evaluation mode it takes the best.
        """
        with torch.no_grad():
            return self._wiring(self._heard(None, None, None))[0]

    def _wiring(self, heard: Heard | Wiring) -> Wiring:
        """The edges, those of a graph as it lists them."""
        wiring = heard if isinstance(heard, Wiring) else heard.wiring()
        if self.edge_order is None:
            return wiring
        order, phi = self.edge_order, wiring.phi
        alpha = wiring.alpha[order] if wiring.alpha.dim() == 1 else wiring.alpha[:, order]
        return Wiring(wiring.edge_index[:, order], alpha, None if phi is None else phi[order])

    def _propagated(self, x: Tensor, heard: Heard | Wiring, weight: Tensor) -> Tensor:
        """The same map by PyG's ``propagate``: slower, but open to explanation and to subclasses."""
        edge_index, alpha, phi = self._wiring(heard)
        # edges first, as explainers read them
        alpha = alpha.unsqueeze(1) if alpha.dim() == 1 else alpha.transpose(0, 1).flatten(1)
        size = (self.num_sources, self.num_targets)
        phi = x.new_ones(edge_index.shape[1], 1) if phi is None else phi.to(x.dtype)
        y = self.propagate(edge_index, x=(x, None), alpha=alpha.to(x.dtype), phi=phi, weight=weight, size=size)
        return y.unflatten(2, (self.heads, -1))

    def message(self, x_j: Tensor, alpha: Tensor, phi: Tensor, weight: Tensor) -> Tensor:
        """What each edge carries ``[B, E, H * F]``: nothing where its weight is 0, whatever ``x_j [B, E, C]`` is."""
        taps = torch.einsum("ep,bec->bepc", phi, x_j)
        alpha = alpha.unflatten(1, (-1, self.heads)).transpose(0, 1).unsqueeze(-1)
        heard = (alpha != 0) & (phi != 0).any(1).view(-1, 1, 1) | alpha.isnan()
        return torch.where(heard, torch.einsum("bepc,pchf->behf", taps, weight) * alpha, 0.0).flatten(2)
