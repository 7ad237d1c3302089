"""PyG's hooks and masks on messages, for a layer that needs no messages unless somebody looks at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch_geometric.nn.conv import MessagePassing

__all__ = ["MessageHooks"]

_CALLED = ("propagate", "message", "aggregate")


class MessageHooks(MessagePassing):
    """Takes the way of messages while a hook is registered or an explainer is at work.

    Hooks of ``propagate``, ``message`` and ``aggregate`` are called with PyG's arguments in the order of
    ``layer.edge_index``: ``x_j [B, E, C]``, ``phi [E, P]`` and ``alpha [E, 1]``, or ``[E, B * H]`` where content makes
    it the sample's, so that ``AttentionExplainer`` takes its mean (or maximum) over heads and samples. There is no
    ``edge_update`` and no ``message_and_aggregate``, so hooks on these are refused.

    An explainer's mask has one value for each edge of ``layer.edge_index``, which all samples share.
    """

    edge_order: Tensor | None
    propagate: Callable[..., Tensor]

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
