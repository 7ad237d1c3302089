"""Figures: the right things at the right places, without touching matplotlib's global state."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from scge_pyg import SharedGraph
from scge_pyg.graph import Lattice
from scge_pyg.plot import plot_accuracies, plot_graph, plot_overview, plot_samples, put_back, true_position_colors


def shuffled_grid(height=4, width=6, seed=0):
    full = SharedGraph.from_grid((height, width))
    order = torch.randperm(height * width, generator=torch.Generator().manual_seed(seed))
    edges = torch.argsort(order)[full.edge_index]
    return SharedGraph(full.pos[order], edges, lattice=Lattice(full.lattice.cell[order], (height, width))), order


def drawn(figure, kind):
    return next(c for c in figure.axes[0].collections if isinstance(c, kind))


def test_graph_is_drawn_as_an_image_with_each_edge_once():
    graph, _ = shuffled_grid()
    figure = plot_graph(graph, true_position_colors(graph.lattice.cell))
    ax = figure.axes[0]
    assert ax.yaxis_inverted()
    assert ax.get_aspect() == 1
    torch.testing.assert_close(torch.tensor(drawn(figure, PathCollection).get_offsets()), graph.pos.flip(1).double())
    assert len(drawn(figure, LineCollection).get_segments()) == graph.num_edges // 2
    assert not any(isinstance(c, LineCollection) for c in plot_graph(graph, edges=False).axes[0].collections)


def test_dead_nodes_are_left_out_and_components_stand_side_by_side():
    a, b = SharedGraph.from_grid((3, 3)), SharedGraph.from_grid((2, 2))
    pos = torch.cat([b.pos, a.pos, torch.full((1, 2), torch.nan)])
    figure = plot_graph(SharedGraph(pos, torch.cat([b.edge_index, a.edge_index + 4], 1)))
    offsets = np.asarray(drawn(figure, PathCollection).get_offsets())
    assert offsets.shape == (13, 2)
    assert len(np.unique(offsets, axis=0)) == 13
    assert offsets[:4, 0].min() > offsets[4:, 0].max()


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4)])
def test_every_dimension_renders(shape, tmp_path):
    graph = SharedGraph.from_grid(shape)
    plot_graph(graph, true_position_colors(graph.lattice.cell)).savefig(tmp_path / "graph.png")
    assert (tmp_path / "graph.png").stat().st_size > 1000


def test_a_graph_without_a_geometry_is_drawn_by_its_edges(tmp_path):
    tree = torch.tensor([[0, 0, 1, 1, 2, 2, 7], [1, 2, 3, 4, 5, 6, 8]])
    live = torch.arange(12) != 11
    graph = SharedGraph(torch.empty(12, 0), tree, live=live)
    figure = plot_graph(graph)
    figure.savefig(tmp_path / "graph.png")
    ax = figure.axes[0]
    assert ax.get_title() == "12 nodes (1 dead), 7 edges, no geometry"
    assert not ax.get_xlabel()
    place = np.asarray(drawn(figure, PathCollection).get_offsets())
    assert len(np.unique(place.round(6), axis=0)) == 11
    assert place[:7, 0].max() < place[7:9, 0].min()
    assert place[7:9, 0].max() < place[9:, 0].min()
    assert len(drawn(figure, LineCollection).get_segments()) == 7
    distance = np.linalg.norm(place[:7, None] - place[None, :7], axis=2)
    joined = np.zeros((7, 7), dtype=bool)
    joined[tuple(tree[:, :6].numpy())] = True
    assert distance[joined].mean() < 0.6 * distance[np.triu(~joined, 1)].mean()
    torch.testing.assert_close(
        torch.tensor(drawn(plot_graph(graph), PathCollection).get_offsets()), torch.tensor(place)
    )


def test_edges_without_a_way_back_are_drawn_once_too():
    graph = SharedGraph(torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), torch.tensor([[1, 0, 2], [0, 1, 0]]))
    assert len(drawn(plot_graph(graph), LineCollection).get_segments()) == 2
    assert plot_graph(graph).axes[0].get_title().startswith("3 nodes, 2 edges")


def test_nodes_without_edges_keep_their_places():
    pos = torch.rand(9, 2)
    figure = plot_graph(SharedGraph(pos, torch.empty(2, 0, dtype=torch.long)))
    torch.testing.assert_close(torch.tensor(drawn(figure, PathCollection).get_offsets()), pos.flip(1).double())


def test_a_graph_without_live_nodes_renders(tmp_path):
    graph = SharedGraph(torch.full((3, 2), torch.nan), torch.zeros(2, 0, dtype=torch.long))
    plot_graph(graph).savefig(tmp_path / "graph.png")


def test_wrong_colors_say_what_is_expected():
    with pytest.raises(ValueError, match=r"\[24\] values or \[24, 3 or 4\] colours, got \[5\]"):
        plot_graph(shuffled_grid()[0], torch.zeros(5))
    with pytest.raises(ValueError, match=r"d from 1 to 3, got \[5, 4\]"):
        true_position_colors(torch.zeros(5, 4))


def test_true_position_colors_tell_places_apart():
    cells = torch.stack(torch.meshgrid(torch.arange(5), torch.arange(4), indexing="ij"), -1).flatten(0, 1)
    colors = true_position_colors(torch.cat([cells, torch.tensor([[-1, -1]])]))
    assert colors.min() >= 0
    assert colors.max() <= 1
    assert len(np.unique(colors, axis=0)) == 21
    np.testing.assert_array_equal(true_position_colors(cells.double() * 3 + 1), colors[:-1])


@pytest.mark.parametrize("mirror", [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("on_lattice", [False, True])
def test_put_back_restores_images_from_any_symmetric_view(mirror, transposed, on_lattice):
    graph, order = shuffled_grid(4, 6)
    true = graph.lattice.cell
    cell = true.clone()
    for axis, (sign, size) in enumerate(zip(mirror, (4, 6), strict=True)):
        if sign < 0:
            cell[:, axis] = size - 1 - cell[:, axis]
    shape = (4, 6)
    if transposed:
        cell, shape = cell.flip(1), (6, 4)
    found = SharedGraph(cell.float(), graph.edge_index, lattice=Lattice(cell, shape) if on_lattice else None)
    image = torch.rand(2, 3, 4, 6)
    shuffled = image.flatten(2).transpose(1, 2)[:, order]
    torch.testing.assert_close(put_back(found, shuffled, true), image)


def test_put_back_leaves_holes_empty():
    graph = SharedGraph(torch.tensor([[0.0, 0.0], [0.0, 4.0], [0.0, 5.0]]), torch.tensor([[0, 1], [1, 2]]))
    image = put_back(graph, torch.ones(1, 3, 1))
    assert image.isnan().flatten().tolist() == [False, False, True, False, False, False]


def test_put_back_rejects_what_it_cannot_draw():
    with pytest.raises(ValueError, match=r"x must be \[S, 24, C\], got \[24, 1\]"):
        put_back(shuffled_grid()[0], torch.zeros(24, 1))
    with pytest.raises(ValueError, match="two coordinates per node, this graph has 1"):
        put_back(SharedGraph.from_grid((5,)), torch.zeros(2, 5, 1))


def test_samples_of_different_shapes_share_a_figure(tmp_path):
    images = torch.rand(3, 1, 4, 6)
    images[:, :, 0, 0] = torch.nan
    figure = plot_samples({"shuffled": torch.rand(3, 8, 8), "put back": images}, count=2, title="two rows")
    assert len(figure.axes) == 4
    figure.savefig(tmp_path / "samples.png")
    with pytest.raises(ValueError, match="at least one row"):
        plot_samples({})


def test_overview_renders(tmp_path):
    graph, _ = shuffled_grid()
    accuracies = {"MLP": [0.4, 0.5], "SCGE": [0.8, 0.9]}
    figure = plot_overview(
        torch.rand(4, 24, 1), graph, graph.lattice.cell, accuracies, shape=(4, 6), chance=0.25, highlight=["SCGE"]
    )
    figure.savefig(tmp_path / "overview.png")
    bars = plot_accuracies(accuracies).axes[0].patches
    assert [round(bar.get_width(), 6) for bar in bars] == [45.0, 85.0]


def test_figures_can_be_drawn_on_given_axes():
    figure = Figure()
    ax = figure.add_subplot()
    assert plot_graph(shuffled_grid()[0], torch.zeros(24), ax=ax, title="mine") is figure
    assert ax.get_title() == "mine"


def test_pyplot_stays_unused():
    code = "import sys, scge_pyg, scge_pyg.plot as p; p.plot_graph(scge_pyg.SharedGraph.from_grid((2, 2)));"
    code += "sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0
