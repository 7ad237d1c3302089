"""What a file of a `SharedGraph` holds: tensors by name and a JSON header. Version 2 is written, 1 is read too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from scge_pyg.graph.fit import Fit
from scge_pyg.graph.lattice import Lattice

if TYPE_CHECKING:
    from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["pack", "unpack"]

_VERSION = 2
_TENSORS = ("pos", "edge_index", "edge_weight", "live", "confidence", "sign", "lag")
_LATTICE = ("shape", "periodic", "origin", "stride")
_FIT: dict[str, Callable[[Any], Any]] = {
    "coupling": str,
    "gain": float,
    "ceiling": float,
    "chance": float,
    "ratio": float,
    "error": float,
    "verdict": str,
    "columns": int,
    "gain_by_columns": lambda gains: tuple(map(float, gains)),
    "num_samples": int,
    "effective_samples": float,
    "seconds": lambda stages: {str(stage): float(time) for stage, time in dict(stages).items()},
}


def _cells(number: int) -> str:
    """Name of the cells of a lattice."""
    return f"cell_{number}" if number else "cell"


def pack(graph: SharedGraph) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a graph."""
    tensors = {name: getattr(graph, name) for name in _TENSORS}
    header: dict[str, Any] = {"version": _VERSION, "dim": graph.dim, "part_dim": graph.part_dim, "names": graph.names}
    lattices = [{key: getattr(lattice, key) for key in _LATTICE} for lattice in graph.lattices]
    header |= {"lattice": lattices[0] if lattices else None, "other_lattices": lattices[1:]}
    tensors |= {_cells(number): lattice.cell for number, lattice in enumerate(graph.lattices)}
    if graph.fit is not None:
        tensors["node_gain"] = graph.fit.node_gain
    header["fit"] = None if graph.fit is None else {key: cast(getattr(graph.fit, key)) for key, cast in _FIT.items()}
    return tensors, header


def unpack(tensors: dict[str, Tensor], header: dict[str, Any]) -> dict[str, Any]:
    """Arguments of :class:`SharedGraph` from the content of a file.

    Version 1 stored the parts, which follow from the edges, and had no names, signs, lags, dimensions of parts or fit.
    Without ``other_lattices`` a header of version 2 has none.

    Raises:
        KeyError, TypeError or ValueError: If something is missing or is not what it should be.
    """
    version = header["version"]
    if version > _VERSION:
        raise ValueError(f"version {version} is newer than this package reads ({_VERSION})")
    options: dict[str, Any] = {**tensors, "dim": header["dim"]}
    if header["lattice"] is not None:
        options["lattice"] = Lattice(options.pop(_cells(0)), **header["lattice"])
    if version < _VERSION:
        del options["component"]
        return options
    missing = [name for name in _TENSORS if name not in tensors]
    if missing:
        raise ValueError(f"no {', '.join(missing)}")
    options |= {"part_dim": header["part_dim"], "names": header["names"]}
    others = enumerate(header.get("other_lattices", ()), 1)
    options["other_lattices"] = [Lattice(options.pop(_cells(number)), **other) for number, other in others]
    if header["fit"] is not None:
        numbers = {key: cast(header["fit"][key]) for key, cast in _FIT.items()}
        options["fit"] = Fit(**numbers, node_gain=options.pop("node_gain"))
    return options
