"""Names of nodes are written where they fit, and nowhere else."""

import numpy as np
import pytest
import torch

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from scge_pyg import SharedGraph
from scge_pyg.plot import plot_graph
from scge_pyg.plot.labels import label_nodes


def written(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def overlapping(figure):
    """Pairs of texts whose boxes on the finished canvas overlap."""
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    return [(a, b) for a in range(len(boxes)) for b in range(a) if boxes[a].overlaps(boxes[b])]


@pytest.mark.parametrize("shape", [(4, 5), (9,), (2, 3, 2)])
def test_few_nodes_are_named_without_overlap(shape):
    graph = SharedGraph.from_grid(shape)
    names = [f"${j}_node" for j in range(graph.num_nodes)]  # no formula, in spite of the dollar sign
    figure = plot_graph(graph, labels=names)
    assert set(written(figure)) <= set(names)
    if len(shape) < 3:
        assert written(figure) == names
        assert overlapping(figure) == []


def test_labels_stand_above_their_nodes():
    graph = SharedGraph.from_grid((3, 4))
    figure = plot_graph(graph, labels=[str(j) for j in range(12)])
    axes = figure.axes[0]
    figure.draw_without_rendering()
    for text, (row, column) in zip(axes.texts, graph.pos.tolist(), strict=True):
        box = text.get_window_extent()
        x, y = axes.transData.transform((column, row))
        assert abs((box.x0 + box.x1) / 2 - x) < 2
        assert y < box.y0 < y + 20


def test_a_label_below_where_there_is_no_room_above():
    graph = SharedGraph(torch.tensor([[0.0, 0], [0, 1.2], [9, 0]]), torch.tensor([[0, 1], [1, 0]]))
    figure = plot_graph(graph, labels=["a" * 20, "b" * 20, "c"])
    axes = figure.axes[0]
    figure.draw_without_rendering()
    above = [text.get_window_extent().y0 > axes.transData.transform(text.xy)[1] for text in axes.texts]
    assert above == [True, False, True]
    assert overlapping(figure) == []


def test_dead_nodes_have_no_label():
    pos = torch.tensor([[0.0, 0], [0, 1], [torch.nan] * 2, [1, 1]])
    figure = plot_graph(SharedGraph(pos, torch.tensor([[0, 1], [1, 0]])), labels=["a", "b", "dead", "c"])
    assert written(figure) == ["a", "b", "c"]


def test_crowded_labels_are_left_out():
    place = np.random.default_rng(0).normal(size=(60, 2))
    counts = {}
    for copies in (1, 2):
        figure = Figure()
        axes = figure.add_subplot()
        axes.scatter(*place.T)
        points = np.concatenate([place] * copies)
        counts[copies] = label_nodes(axes, figure, points, ["a long name"] * len(points), 20.0)
        assert overlapping(figure) == []
        assert len(axes.texts) == counts[copies]
    assert 0 < counts[1] < 60  # of a few, those that fit
    assert counts[2] == 0  # of many, all or none


def test_one_label_a_node():
    with pytest.raises(ValueError, match="labels must be 6 texts, one a node, got 2"):
        plot_graph(SharedGraph.from_grid((2, 3)), labels=["a", "b"])
