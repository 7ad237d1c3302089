"""What of a layer follows from its geometry: tables that move with the module and are never empty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch._dynamo
from torch import Tensor

__all__ = ["Tabled", "parameter_from"]


class Tabled(torch.nn.Module):
    """A module with tables: constants of its geometry, such as edges, offsets or which nodes are active.

    They follow the module to devices and to other float types as buffers do. But they are real under
    ``torch.device("meta")``, ``to_empty`` keeps what they hold, and neither ``state_dict`` nor
    ``torch.func.stack_module_state`` has them, since all copies of a layer share them.

    Example:
        >>> module = Tabled()
        >>> module.register_table("order", torch.tensor([2, 0, 1]))
        >>> module.to_empty(device="cpu").order
        tensor([2, 0, 1])
        >>> module.to("meta").order.device, list(module.buffers())
        (device(type='cpu'), [])
    """

    _tables: tuple[str, ...] = ()

    def register_table(self, name: str, table: Tensor | None) -> None:
        """Hold a table as an attribute."""
        setattr(self, name, None if table is None else _static(table.detach()))
        self._tables = (*self._tables, name)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        tables = {name: getattr(self, name) for name in self._tables}
        result = super()._apply(fn, recurse)
        for name, table in tables.items():
            setattr(self, name, None if table is None else _moved(table, fn))
        return result


def _moved(table: Tensor, fn: Callable[[Tensor], Tensor]) -> Tensor:
    """Where ``fn`` would take the table, with its values."""
    like = fn(table.new_empty(0))
    device = table.device if like.is_meta else like.device
    return _static(table.to(device, like.dtype if table.is_floating_point() else table.dtype))


def _static(table: Tensor) -> Tensor:
    """A table whose shape the compiler takes for granted, as that of a buffer, when batches come in many sizes."""
    torch._dynamo.mark_static(table)
    return table


def parameter_from(start: Tensor) -> torch.nn.Parameter:
    """A parameter with the values of ``start``; on the meta device, without values, where layers are built there."""
    meta = torch.empty(0).is_meta
    return torch.nn.Parameter(torch.empty_like(start, device="meta") if meta else start.clone())
