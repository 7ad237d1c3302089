"""Correlations and paintings against loops over places, scipy's interpolation, and one canvas against the other."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from scge_pyg.models.cgae.decoding.canvas import GridCanvas
from scge_pyg.models.cgae.decoding.graph_canvas import GraphCanvas

GRIDS = [
    {"size": 3},
    {"size": 4},
    {"size": 3, "padding": "valid"},
    {"size": 5, "padding": "valid"},
    {"size": 3, "subpixel": 2},
    {"size": 2, "subpixel": 3, "padding": "valid"},
]


def kernels(count: int, each: int, channels: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(110)
    return torch.randn(count, each, channels, *shape, generator=generator, dtype=torch.double)


def images(count: int, channels: int, pixels: int) -> torch.Tensor:
    return torch.randn(count, channels, pixels, generator=torch.Generator().manual_seed(111), dtype=torch.double)


def painted_by_hand(canvas: GridCanvas, kernel: np.ndarray, place: int) -> np.ndarray:
    """A kernel [R, R] in a large image, shifted by scipy, and cut."""
    s, size, (rows, columns) = canvas.subpixel, canvas.size, canvas.shape
    i, j = divmod(place, canvas.place_shape[1])
    before = (size - 1) // 2 if canvas.padding == "same" else 0
    margin = 2 * size + 2
    large = np.zeros((rows + 2 * margin, columns + 2 * margin))
    top, left = margin + i // s - before, margin + j // s - before
    large[top : top + size, left : left + size] = kernel
    large = ndimage.shift(large, (i % s / s, j % s / s), order=1)
    return large[margin : margin + rows, margin : margin + columns]


@pytest.mark.parametrize("options", GRIDS)
def test_scores_are_inner_products_with_every_painting(options: dict) -> None:
    canvas = GridCanvas((5, 6), **options)
    w, x = kernels(2, 2, 2, canvas.size, canvas.size), images(3, 2, 30)
    scores = canvas.correlate(x, canvas.bank(w))
    assert scores.shape == (3, 2, 2, canvas.num_places)
    for k in range(2):
        for e in range(2):
            for p in range(canvas.num_places):
                by_hand = np.stack([painted_by_hand(canvas, w[k, e, c].numpy(), p).ravel() for c in range(2)])
                expected = (x.numpy() * by_hand).sum((1, 2))
                assert np.allclose(scores[:, k, e, p].numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("options", GRIDS)
def test_paintings_lie_where_they_are_told(options: dict) -> None:
    canvas = GridCanvas((5, 6), **options)
    w = kernels(2, 2, 1, canvas.size, canvas.size)
    place = torch.arange(canvas.num_places)[None]
    kind = place % 2
    painted = canvas.paint(canvas.pick(canvas.bank(w), kind, place), place)
    assert painted.shape == (1, canvas.num_places, 2, 1, 30)
    for p in range(canvas.num_places):
        for e in range(2):
            expected = painted_by_hand(canvas, w[p % 2, e, 0].numpy(), p)
            assert np.allclose(painted[0, p, e, 0].view(5, 6).numpy(), expected, atol=1e-12)


def test_on_a_lattice_the_graph_canvas_is_the_grid_canvas() -> None:
    pos = torch.stack(torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij"), -1).view(-1, 2)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(112))
    grid, graph = GridCanvas((5, 6), 3), GraphCanvas(pos[order], 3)
    w, x = kernels(3, 2, 2, 3, 3), images(4, 2, 30)
    a = grid.correlate(x, grid.bank(w))
    b = graph.correlate(x[:, :, order], graph.bank(w))
    assert torch.allclose(a[..., order], b)
    kind, place = torch.tensor([[0, 2, 1]]), torch.tensor([[0, 13, 29]])
    one = grid.paint(grid.pick(grid.bank(w), kind, order[place]), order[place])
    two = graph.paint(graph.pick(graph.bank(w), kind, place), place)
    assert torch.allclose(one[..., order], two)


def test_between_lattice_points_a_part_is_read_off_its_kernel_by_interpolation() -> None:
    generator = torch.Generator().manual_seed(113)
    pos = torch.rand(40, 2, generator=generator, dtype=torch.double) * 5
    canvas, w = GraphCanvas(pos, 5), kernels(1, 1, 1, 5, 5)
    for place in (0, 7, 31):
        at = torch.tensor([[place]])
        painted = canvas.paint(canvas.pick(canvas.bank(w), at * 0, at), at)[0, 0, 0, 0]
        offset = (pos - pos[place] + 2).T.numpy()
        padded = np.pad(w[0, 0, 0].numpy(), 3)
        expected = ndimage.map_coordinates(padded, offset + 3, order=1, cval=0.0)
        assert np.allclose(painted.numpy(), expected, atol=1e-6)


def test_scores_on_a_map_are_inner_products_with_paintings() -> None:
    pos = torch.rand(25, 3, generator=torch.Generator().manual_seed(114), dtype=torch.double) * 2.5
    canvas, w, x = GraphCanvas(pos, 3), kernels(2, 2, 1, 3, 3, 3), images(3, 1, 25)
    scores = canvas.correlate(x, canvas.bank(w))
    place = torch.arange(25)[None]
    for kind in range(2):
        painted = canvas.paint(canvas.pick(canvas.bank(w), torch.full_like(place, kind), place), place)[0]
        assert torch.allclose(scores[:, kind], torch.einsum("bcn,pecn->bep", x, painted))


def test_a_part_of_a_map_with_one_node_is_that_node() -> None:
    canvas = GraphCanvas(torch.zeros(1, 2), 3)
    assert canvas.correlate(torch.ones(1, 1, 1), canvas.bank(torch.ones(1, 1, 1, 3, 3))).tolist() == [[[[1.0]]]]
