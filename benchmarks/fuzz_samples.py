"""Strange samples for `discover`: shapes, types, orders, missing values and nodes, huge and tiny numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_cases import Draw, check_graph, check_says

from scge_pyg import SharedGraph, discover
from scge_pyg.testing import permuted_graph

__all__ = ["samples"]


def samples(draw: Draw, folder: Path) -> None:
    """A graph that is sound, or an error in the name of ``discover``; orders, units and offsets change nothing."""
    x = _samples(draw)
    options: dict[str, Any] = {}
    if draw.often(20):
        options["dim"] = draw.choice((1, 2, 3, 4))
    if draw.often(10):
        options["missing_value"] = draw.choice((0.0, 1.0, -999.0, float("nan")))
    options["snap"] = not draw.often(10)
    given = _packed(draw, x)
    graph, said = _discovered(given, options)
    if graph is None:
        return
    assert graph.num_nodes == x.shape[1]
    assert graph.live[graph.edge_index].all(), "an edge ends at a node that isn't live"
    assert graph.dim or said or not graph.live.any(), "nothing was found, and nothing said"
    if draw.often(60):
        return
    order = torch.from_numpy(draw.numbers().permutation(x.shape[1]))
    again, _ = _discovered(x[:, order.numpy()], options)
    assert again is not None, "shuffled nodes are refused"
    if _twins(x):
        return
    difference = _difference(again, permuted_graph(graph, order))
    assert difference is None, f"shuffled nodes have another {difference}"
    if "missing_value" not in options and x.dtype == np.float64 and np.nanmax(np.abs(x), initial=0) < 1e100:
        other, _ = _discovered(x * 4.0 ** draw.integer(-4, 4), options)  # roots of intensities keep their bits
        difference = "verdict" if other is None else _difference(other, graph)
        assert difference is None, f"in another unit there is another {difference}"


def _samples(draw: Draw) -> np.ndarray[Any, Any]:
    """Samples ``[S, N]``, or with channels, and what may be wrong with them."""
    numbers = draw.numbers()
    count, nodes = draw.choice((0, 1, 2, 3, 7, 20, 60, 150)), draw.choice((1, 2, 3, 4, 6, 10, 16))
    x = numbers.normal(size=(count, nodes, draw.integer(1, 3)) if draw.often(15) else (count, nodes))
    if draw.often(70):
        x = x.cumsum(1)
    if draw.often(15):
        x = x.cumsum(0)
    if draw.often(15):
        x = np.round(x * draw.choice((0.2, 1, 3)))
    if draw.often(20):
        x = x * draw.choice((1e-310, 1e-30, 1e-5, 1e5, 1e30, 1e154, 1e300)) + draw.choice((0, 0, 1, 1e6))
    if draw.often(10):
        x = np.exp(np.clip(3 * x, None, 700))
    for _ in range(draw.choice((0, 0, 1, 2))):
        node, other = draw.integer(0, nodes - 1), draw.integer(0, nodes - 1)
        match draw.choice(("dead", "twin", "inverted", "near", "rare")):
            case "dead":
                x[:, node] = draw.choice((0.0, 7.25))
            case "twin":
                x[:, node] = x[:, other]
            case "inverted":
                x[:, node] = -x[:, other]
            case "near":
                x[:, node] = x[:, other] * (1 + 1e-12)
            case "rare":
                x[: int(0.95 * count), node] = 0
    x = x.astype(draw.choice(("f8", "f8", "f8", "f4", "f4", "f2", "i4", "i1", "u1", "?"))) if draw.often(60) else x
    if x.dtype.kind == "f":
        match draw.choice(("none", "none", "some", "some", "many", "node", "sample", "block", "infinite")):
            case "some":
                x[numbers.random(x.shape) < 0.1] = np.nan
            case "many":
                x[numbers.random(x.shape) < 0.8] = np.nan
            case "node":
                x[:, draw.integer(0, nodes - 1)] = np.nan
            case "sample" if count:
                x[draw.integer(0, count - 1)] = np.nan
            case "block":
                x[: count // 2, : nodes // 2] = np.nan
            case "infinite" if count:
                x[draw.integer(0, count - 1), draw.integer(0, nodes - 1)] = np.inf
    return x


def _packed(draw: Draw, x: np.ndarray[Any, Any]) -> Any:
    """The same samples as other things that hold samples."""
    match draw.choice(("array", "tensor", "fortran", "strided", "batches", "once")):
        case "tensor":
            return torch.from_numpy(x.copy())
        case "fortran":
            return np.asfortranarray(x)
        case "strided":
            return np.repeat(x, 2, 0)[::2]
        case "batches":
            return [x[: len(x) // 3], x[len(x) // 3 :]]
        case "once":
            return iter([x[: len(x) // 2], x[len(x) // 2 :]])
    return x


def _discovered(x: Any, options: dict[str, Any]) -> tuple[SharedGraph | None, list[str]]:
    """The graph and what was warned of; None where it was refused in the name of ``discover``."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        try:
            graph = discover(x, progress=False, **options)
        except (ValueError, TypeError) as error:
            check_says(error, "discover")
            return None, []
    foreign = [warning for warning in record if not issubclass(warning.category, UserWarning)]
    assert not foreign, f"{foreign[0].category.__name__}: {foreign[0].message} ({foreign[0].filename})"
    check_graph(graph)
    return graph, [str(warning.message) for warning in record]


def _twins(x: np.ndarray[Any, Any]) -> bool:
    """Whether two nodes have the same signal, or that of another with the other sign."""
    with np.errstate(all="ignore"):
        own = np.nan_to_num(x.astype(np.float64), nan=1e99).swapaxes(0, 1).reshape(x.shape[1], -1)
    scaled = own - own.mean(1, keepdims=True) if own.size else own
    either = np.concatenate([own, -own, scaled, -scaled])
    return len(np.unique(either, axis=0)) < len(either)


def _difference(one: SharedGraph, other: SharedGraph) -> str | None:
    """The first part in which two graphs differ by a bit."""
    for name in ("live", "edge_index", "edge_weight", "sign", "lag", "pos", "confidence"):
        left, right = getattr(one, name), getattr(other, name)
        if left.shape != right.shape or not bool(((left == right) | (left.isnan() & right.isnan())).all()):
            return name
    if (one.dim, one.part_dim) != (other.dim, other.part_dim):
        return "dimension"
    same = [
        (a.shape, a.periodic, a.cell.tolist()) == (b.shape, b.periodic, b.cell.tolist())
        for a, b in zip(one.lattices, other.lattices, strict=False)
    ]
    return None if len(one.lattices) == len(other.lattices) and all(same) else "lattice"
