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
    "factors": int,
}


def _cells(number: int) -> str:
    """Name of the cells of a lattice."""
    return f"cell_{number}" if number else "cell"


def _gains(part: int | None = None) -> str:
    """Name of the gains of the nodes, of all or of one part."""
    return "node_gain" if part is None else f"node_gain_{part}"


def _figures(fit: Fit | None) -> dict[str, Any] | None:
    """A fit but for its gains."""
    return None if fit is None else {key: cast(getattr(fit, key)) for key, cast in _FIT.items()}


def _fit(figures: dict[str, Any] | None, gains: str, options: dict[str, Any]) -> Fit | None:
    """A fit of figures in the header; takes its gains out of ``options``."""
    if figures is None:
        return None
    figures = {"factors": 0} | figures
    return Fit(**{key: cast(figures[key]) for key, cast in _FIT.items()}, node_gain=options.pop(gains))


def pack(graph: SharedGraph) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a graph."""
    tensors = {name: getattr(graph, name) for name in _TENSORS}
    header: dict[str, Any] = {"version": _VERSION, "dim": graph.dim, "part_dim": graph.part_dim, "names": graph.names}
    lattices = [{key: getattr(lattice, key) for key in _LATTICE} for lattice in graph.lattices]
    header |= {"lattice": lattices[0] if lattices else None, "other_lattices": lattices[1:]}
    tensors |= {_cells(number): lattice.cell for number, lattice in enumerate(graph.lattices)}
    fits = {_gains(): graph.fit} | {_gains(number): fit for number, fit in enumerate(graph.part_fit)}
    tensors |= {name: fit.node_gain for name, fit in fits.items() if fit is not None}
    tensors |= {} if graph.partner_pos is None else {"partner_pos": graph.partner_pos}
    header |= {"fit": _figures(graph.fit), "part_fit": [_figures(fit) for fit in graph.part_fit]}
    return tensors, header


def unpack(tensors: dict[str, Tensor], header: dict[str, Any]) -> dict[str, Any]:
    """Arguments of :class:`SharedGraph` from the content of a file.

    Version 1 stored the parts, which follow from the edges, and had no names, signs, lags, dimensions of parts or fit.
    Without ``other_lattices`` a header of version 2 has none, without ``part_fit`` only the largest part has a fit; a
    fit without ``factors`` has none.

    Raises:
        KeyError, TypeError, ValueError or OverflowError: If something is missing or is not what it should be.
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
    options["fit"] = _fit(header["fit"], _gains(), options)
    if "part_fit" in header:
        own = enumerate(header["part_fit"])
        options["part_fit"] = [_fit(figures, _gains(number), options) for number, figures in own]
    return options
