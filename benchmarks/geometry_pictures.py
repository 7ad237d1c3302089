"""Ten geometries that `discover(x)` finds from shuffled samples, and one input that it refuses, in one picture.

Each panel shows the coordinates that were found, with their edges. Colour is a coordinate of the true places, which
`discover` has not seen: where a map is folded or torn, colours meet that are far apart on the scale. The last panel
shows the ratio that each verdict rests on, with two standard errors.

    python benchmarks/geometry_pictures.py                        # docs/geometries.png
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
import torch
from draws import Array, Draw
from families import FAMILIES
from families_geometry import observed
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from PIL import Image
from places import jittered
from tqdm import tqdm

from scge_pyg import SharedGraph, discover

__all__ = ["draw_map", "drawn_places", "main"]

_SEED = 100
_SHAPES = (
    ("uniform-300", "places thrown on a square", 0),
    ("clustered-300", "clusters on a square", 0),
    ("line-irregular", "places on a line", 0),
    ("ring-irregular", "places on a ring", None),
    ("sphere-irregular", "places on a sphere", 2),
    ("cylinder-irregular", "places on a cylinder", 2),
    ("torus-regular", "flat torus", None),
    ("volume-irregular", "places in a volume", 2),
    ("hexagonal-2.7", "photographs, hexagonal places", 0),
)
"""Family, title, and the axis of the true places that gives the colour (None: the angle in the first two)."""
_GAP = 4.0  # between parts in the picture; on the map they stand further apart than any kernel reaches
_RATIO = 0.8
_COLORS = 200  # in the file
_LABEL: dict[str, Any] = {"fontsize": 7}


def _grid_beside_chain(seed: int) -> Draw:
    """A field over a grid 14x14 and another over a chain of 14 nodes, 3,000 samples of both at once."""
    rng = np.random.default_rng(seed)
    params = {"nu": 1.5, "length": 3.0, "noise": 0.2, "samples": 3000}
    grid, chain = jittered((14, 14), 0.0, rng).places, jittered((14, 1), 0.0, rng).places
    x = np.hstack([observed(places, params, rng) for places in (grid, chain)])
    return Draw(x, np.concatenate([grid, chain]), {"dim": 2, "columns": 2, "pieces": 2})


def _drawn() -> Iterator[tuple[str, Draw, Array]]:
    """Title, draw and colours of each panel."""
    for name, title, axis in _SHAPES:
        draw = FAMILIES[name].draw(_SEED)
        assert draw.places is not None
        places = draw.places - draw.places.mean(0)
        yield title, draw, np.arctan2(places[:, 1], places[:, 0]) if axis is None else places[:, axis]
    beside = _grid_beside_chain(_SEED)
    assert beside.places is not None
    yield "grid beside a chain", beside, beside.places[:, 0]
    field = FAMILIES["erdos-renyi"].draw(_SEED)
    yield "random graph", field, np.zeros(field.x.shape[1])


def _found(draw: Draw, color: Array) -> tuple[SharedGraph, Array]:
    """The graph of the shuffled samples, and the colour of each of its nodes."""
    order = np.random.default_rng(_SEED).permutation(draw.x.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there is no geometry is what the last panel shows
        graph = discover(torch.from_numpy(draw.shuffled(order).x).float())
    return graph, color[order]


def drawn_places(graph: SharedGraph) -> Array:
    """Places to draw ``[N, c]``: the map with its parts moved together; a circle where there is no map."""
    if not graph.pos.shape[1]:
        angle = 2 * np.pi * np.arange(graph.num_nodes) / graph.num_nodes
        return np.stack([np.cos(angle), np.sin(angle)], 1)
    pos = graph.pos.double().numpy().copy()
    right = 0.0
    for part in range(int(graph.component.max()) + 1):
        own = (graph.component == part).numpy()
        pos[own, 0] += right - np.nanmin(pos[own, 0])
        right = float(np.nanmax(pos[own, 0])) + _GAP
    return np.asarray(pos - np.nanmean(pos, 0))


def draw_map(ax: Any, graph: SharedGraph, pos: Array, color: Array | None, cyclic: bool, size: float) -> None:
    """Live nodes at ``pos [N, 2]`` or ``[N, 3]`` with their edges; grey without a colour."""
    alive = graph.live.numpy()
    half = graph.edge_index[:, graph.edge_index[0] < graph.edge_index[1]].numpy()
    lines = Line3DCollection if pos.shape[1] == 3 else LineCollection
    ax.add_collection(lines(pos[half.T], colors="0.75", linewidths=0.4, zorder=1))
    style = (
        {"color": "0.3"} if color is None else {"c": color[alive], "cmap": "twilight_shifted" if cyclic else "viridis"}
    )
    ax.scatter(*pos[alive].T, s=size, linewidths=0, zorder=2, **style)


def _panel(ax: Any, graph: SharedGraph, color: Array, cyclic: bool) -> None:
    """Nodes and edges of a graph, in three dimensions where it has at least three columns."""
    pos = drawn_places(graph)
    columns = pos.shape[1]
    if columns == 1:
        pos = np.hstack([pos, np.zeros_like(pos)])
    shown = pos[:, :3]
    draw_map(ax, graph, shown, color if graph.pos.shape[1] else None, cyclic, 12.0)
    ax.set_aspect("equal", adjustable="datalim" if shown.shape[1] == 2 else None)
    ax.tick_params(labelsize=6, pad=-2 if columns > 2 else 1)
    if not graph.pos.shape[1]:
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel("no columns: nodes on a circle, in no order", **_LABEL)
        return
    labels = (ax.set_xlabel, ax.set_ylabel) if columns < 3 else (ax.set_xlabel, ax.set_ylabel, ax.set_zlabel)
    for number, label in enumerate(labels[:columns], start=1):
        label(f"column {number}", **_LABEL, labelpad=-7 if columns > 2 else 2)
    if columns == 1:
        ax.set_yticks([])


def _title(name: str, graph: SharedGraph) -> str:
    """Name, size and what was found."""
    assert graph.fit is not None
    columns = graph.pos.shape[1]
    words = f"{columns} column{'s' * (columns != 1)}{' (3 shown)' * (columns > 3)}"
    dims = " and ".join(map(str, graph.part_dim)) if graph.part_dim else str(graph.dim)
    lattices = ", ".join("x".join(map(str, lattice.shape)) for lattice in graph.lattices)
    found = f"dim {dims}, {words}, ratio {graph.fit.ratio:.2f}"
    return f"{name}, N {graph.num_nodes}\n{found}" + (f"\nlattice {lattices}" if lattices else "")


def _ratios(ax: Axes, names: list[str], graphs: list[SharedGraph]) -> None:
    """Ratio of each input with two standard errors, and the ratio below which there is no geometry."""
    fits = [graph.fit for graph in graphs if graph.fit is not None]
    assert len(fits) == len(graphs)
    row = -np.arange(len(names))
    for verdict, shade in (("geometry", "tab:blue"), ("no geometry", "tab:red")):
        chosen = [k for k, fit in enumerate(fits) if fit.verdict == verdict]
        ratio, error = [fits[k].ratio for k in chosen], [2 * fits[k].error for k in chosen]
        ax.errorbar(ratio, row[chosen], xerr=error, fmt="o", color=shade, markersize=4, label=verdict)
    ax.axvline(_RATIO, color="0.5", linestyle="--", linewidth=0.8)
    ax.set(yticks=[], xlim=(-1.15, 1.1), ylim=(-len(names), 1.5), xticks=[0, 0.2, 0.4, 0.6, 0.8, 1])
    for at, name in zip(row, names, strict=True):
        ax.text(-0.05, float(at), name, fontsize=7, ha="right", va="center")
    ax.set_xlabel("ratio, with two standard errors", **_LABEL)
    ax.tick_params(axis="x", labelsize=6)
    ax.legend(loc="upper left", fontsize=7, ncols=2)
    ax.set_title("what the verdicts rest on", fontsize=8)


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs") / "geometries.png")
    args = parser.parse_args()
    figure = plt.figure(figsize=(15, 11.5))
    names, graphs = [], []
    for k, (name, draw, color) in enumerate(tqdm(list(_drawn()), unit="geometry")):
        graph, shade = _found(draw, color)
        names.append(name)
        graphs.append(graph)
        kind = {"projection": "3d"} if graph.pos.shape[1] > 2 else {}
        ax: Any = figure.add_subplot(3, 4, k + 1, **kind)
        _panel(ax, graph, shade, cyclic=k < len(_SHAPES) and _SHAPES[k][2] is None)
        ax.set_title(_title(name, graph), fontsize=8)
        print(_title(name, graph).replace("\n", ": "), repr(graph.fit))
    _ratios(figure.add_subplot(3, 4, 12), names, graphs)
    figure.subplots_adjust(left=0.03, right=0.97, bottom=0.05, top=0.95, wspace=0.2, hspace=0.33)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=85)
    Image.open(drawn).convert("RGB").quantize(_COLORS, Image.Quantize.FASTOCTREE).save(args.output, optimize=True)
    print(f"{args.output}: {args.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
