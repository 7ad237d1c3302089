"""Fingerprints of the geometry under a layer, so that its weights don't land on another graph unnoticed."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph import Lattice, SharedGraph
from scge_pyg.graph.real import real
from scge_pyg.nn.fixed.tables import Tabled

__all__ = ["Fingerprinted", "described", "fingerprint_of"]

_KEY = "_extra_state"
_PER_UNIT = 1000  # coordinates and weights count to a thousandth


@real
def fingerprint_of(*parts: Tensor | Sequence[float]) -> tuple[int, ...]:
    """Sixteen bytes that identify tensors up to device, dtype and differences far below a thousandth.

    Args:
        parts: Integers, booleans, or floats, which are rounded to 1e-3; NaN counts as 0.

    Example:
        >>> fingerprint_of(torch.tensor([1.0, 2.0])) == fingerprint_of(torch.tensor([1.0, 2.0001], dtype=torch.float64))
        True
        >>> fingerprint_of(torch.tensor([1, 2])) == fingerprint_of(torch.tensor([2, 1]))
        False
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        values = torch.as_tensor(part).detach().cpu()
        if values.is_floating_point():
            # by way of float32, so that a graph and its copy in double precision round alike
            values = (values.float().double().nan_to_num() * _PER_UNIT).round()
        digest.update(f"{list(values.shape)}".encode())
        digest.update(values.long().contiguous().numpy().astype("<i8").tobytes())
    return tuple(digest.digest())


def described(graph: SharedGraph, origin: Lattice | None = None) -> tuple[Tensor | Sequence[float], ...]:
    """What of a graph decides which sources a kernel meets, as parts of a fingerprint.

    Args:
        graph: The graph.
        origin: Where cells decide: the lattice whose origin the graph's own is measured from. Default: places decide.
    """
    if origin is None or graph.lattice is None:
        stride = () if graph.lattice is None else graph.lattice.stride
        return graph.live, torch.where(graph.live.unsqueeze(1), graph.pos.detach(), 0.0), stride
    lattice = graph.lattice
    shift = [mine - other for mine, other in zip(lattice.origin, origin.origin, strict=True)]
    return graph.live, lattice.cell, lattice.shape, lattice.periodic, lattice.stride, shift


class Fingerprinted(Tabled):
    """A layer whose ``state_dict`` says which geometry its weights belong to.

    The fingerprint is PyTorch's extra state of the module, an int64 tensor of 16 bytes. It is compared on loading, also
    with ``strict=False``, and never changes: neither ``.half()`` nor an average over models touches it. Layers without
    a fixed geometry have none. :func:`scge_pyg.nn.transfer` loads weights onto another graph on purpose.

    Raises:
        RuntimeError: From ``load_state_dict``, if the state belongs to another geometry.
    """

    fingerprint: tuple[int, ...] | None = None
    entries_of_graph: tuple[str, ...] = ("_extra_state",)  # what of the state belongs to the geometry

    def get_extra_state(self) -> Tensor:
        """The fingerprint ``[16]``, empty without one."""
        return torch.tensor(self.fingerprint or (), dtype=torch.long, device="cpu")

    def set_extra_state(self, state: Any) -> None:
        """Keeps the layer's own fingerprint: a state with another one is not loaded."""

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.fingerprint is None:
            del destination[prefix + _KEY]

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: Any, strict: bool, missing: list[str], *rest: Any
    ) -> None:
        stored = state_dict.get(prefix + _KEY)
        name = f"{type(self).__name__}{f' {prefix[:-1]!r}' if prefix else ''}"
        if self.fingerprint is not None and stored is not None and not self._matches(stored):
            raise RuntimeError(
                f"{name}: the state was saved from a layer on another graph, whose nodes or places are not those of "
                f"this one; build the layer on the graph that it was trained on (SharedGraph.save keeps it beside the "
                f"weights), or take the weights over on purpose with scge_pyg.nn.transfer(state, layer)"
            )
        if self.fingerprint is not None and stored is None and any(key.startswith(prefix) for key in state_dict):
            warnings.warn(
                f"{name}: the state has no fingerprint of the graph that it was saved on (older files have none), so "
                f"nothing tells whether it is this one; save it anew, or say that it fits with "
                f"scge_pyg.nn.transfer(state, layer)",
                UserWarning,
                stacklevel=2,
            )
        super()._load_from_state_dict(state_dict, prefix, metadata, strict, missing, *rest)
        if prefix + _KEY in missing:
            missing.remove(prefix + _KEY)

    def _matches(self, stored: Any) -> bool:
        if not isinstance(stored, Tensor) or stored.shape != (len(self.fingerprint or ()),):
            return False
        # averages of states come as floats
        return tuple(round(value) for value in stored.tolist()) == self.fingerprint
