"""A drawn layout: suspects in their colour, an arrow for each, from its place to the better one."""

import numpy as np
import pytest
import torch
from matplotlib.patches import FancyArrowPatch

from scge_pyg.plot import plot_layout


def arrows(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]


def test_suspects_point_to_where_they_fit():
    places = torch.tensor([[0.0, 0], [1, 0], [2, 0], [3, 1], [torch.nan, 0]])
    figure = plot_layout(places, torch.tensor([1, 0, 2, -1, -1]), torch.tensor([0.9, 0.8, 0.1, 0.5, 0.5]), title="t")
    assert [tuple(np.asarray(a._posA_posB).ravel().tolist()) for a in arrows(figure)] == [(0, 0, 1, 0), (1, 0, 0, 0)]
    points = figure.axes[0].collections[0]
    assert len(points.get_offsets()) == 4
    colors = [tuple(color) for color in points.get_facecolors()]
    assert colors[0] == colors[1] != colors[2] != colors[3]
    assert figure.axes[0].get_title() == "t"
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_every_dimension_renders(dim, tmp_path):
    places = np.random.default_rng(dim).random((9, dim)) * np.array([3.0, 2.0, 0.1])[:dim]
    figure = plot_layout(places, np.roll(np.arange(9), 1), np.full(9, 0.9), labels=[f"c{k}" for k in range(9)])
    figure.savefig(tmp_path / "layout.png")
    offsets = np.asarray(figure.axes[0].collections[0].get_offsets())
    np.testing.assert_allclose(offsets[:, : min(dim, 2)], places[:, :2])


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="must agree"):
        plot_layout(np.zeros((3, 2)), np.zeros(2), np.zeros(3))
