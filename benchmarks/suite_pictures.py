"""Every row of the suite on one sheet: the map that `discover(x)` draws of shuffled samples, with its edges.

Colour is the longest axis of the true places, which `discover` has not seen; where a map is folded or torn, colours
meet that are far apart on the scale. A map of one column is drawn against that axis: a line says that the order is
right. Only the largest piece is drawn, of four columns three. Where no geometry is found, all nodes stand on a circle,
in no order; they are grey there and where the truth is not known.

    python benchmarks/suite_pictures.py                           # docs/suite.png; rows without data are left out
"""

from __future__ import annotations

import argparse
import math
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import numpy as np
import torch
from draws import Array, Family
from geometry_pictures import draw_map, drawn_places
from matplotlib import pyplot as plt
from measuring import available
from PIL import Image
from suite_rows import SUITE
from suite_scores import truth_of
from tqdm import tqdm

from scge_pyg import SharedGraph, discover

__all__ = ["main"]

_SEED, _ACROSS, _COLORS = 100, 7, 128


class Panel(NamedTuple):
    """A row, the graph that was found, and the colour of each node or None."""

    row: Family
    graph: SharedGraph
    color: Array | None


def _colors(places: Array | None, nodes: Array, num_nodes: int) -> Array | None:
    """The place of each scored node along the longest axis, from 0 to 1; 0 for all others."""
    if places is None:
        return None
    level = places - places.mean(0)
    along = level @ np.linalg.svd(level, full_matrices=False)[2][0]
    color = np.zeros(num_nodes)
    color[nodes] = (along - along.min()) / np.ptp(along)
    return color


def _found(row: Family) -> Panel:
    draw = row.draw(_SEED)
    draw = draw.shuffled(np.random.default_rng(_SEED).permutation(draw.x.shape[1]))
    truth = truth_of(draw, row.near)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there is no geometry is what its panel shows
        graph = discover(torch.from_numpy(draw.x).float())
    return Panel(row, graph, _colors(truth.places, truth.nodes, graph.num_nodes))


def _draw(ax: Any, panel: Panel) -> None:
    graph, color, columns = panel.graph, panel.color, panel.graph.pos.shape[1]
    pos = drawn_places(graph)
    if columns:
        pos[graph.component.numpy() != 0] = np.nan
    if columns == 1:
        height = np.zeros(len(pos)) if color is None else color
        pos = np.stack([pos[:, 0], height * np.nanmax(pos) / 2], 1)
    draw_map(ax, graph, pos[:, :3], color if columns else None, False, min(9.0, 1500 / graph.num_nodes))
    ax.set_aspect("equal", adjustable="datalim" if pos.shape[1] == 2 else None)
    ax.set_axis_off()
    ax.margins(0.02)
    if columns > 2:
        ax.set_box_aspect(None, zoom=1.4)
    ratio = "" if graph.fit is None or not math.isfinite(graph.fit.ratio) else f", ratio {graph.fit.ratio:.2f}"
    lattice = "" if graph.lattice is None else f", cells {'x'.join(map(str, graph.lattice.shape))}"
    told = f"N {graph.num_nodes:,}, dim {graph.dim}{ratio}{lattice}"
    ax.set_title(f"{panel.row.what}\n{told}", fontsize=6.5, pad=2)


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=list(SUITE), metavar="ROW", help=", ".join(SUITE))
    parser.add_argument("--output", type=Path, default=Path("docs") / "suite.png", help="default: %(default)s")
    args = parser.parse_args()
    rows = available(SUITE[name] for name in args.rows or SUITE)
    down = math.ceil(len(rows) / _ACROSS)
    figure = plt.figure(figsize=(2.0 * _ACROSS, 2.1 * down))
    for k, row in enumerate(tqdm(rows, unit="row")):
        panel = _found(row)
        kind = {"projection": "3d"} if panel.graph.pos.shape[1] > 2 else {}
        _draw(figure.add_subplot(down, _ACROSS, k + 1, **kind), panel)
    figure.tight_layout(h_pad=0.8, w_pad=0.3)
    buffer = BytesIO()
    figure.savefig(buffer, dpi=100)
    # few colours: a sheet of nodes needs no more, and the file is a quarter as large
    Image.open(buffer).convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE).save(args.output, optimize=True)
    print(f"{args.output}: {len(rows)} rows")


if __name__ == "__main__":
    main()
