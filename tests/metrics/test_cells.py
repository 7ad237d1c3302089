import itertools
from types import SimpleNamespace

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.graph import Lattice
from scge_pyg.metrics import cell_accuracy


def graph_with(cell, shape, periodic=None, live=None):
    live = torch.ones(cell.shape[0], dtype=torch.bool) if live is None else live
    return SimpleNamespace(live=live, lattice=Lattice(cell, shape, periodic))


def brute_force(graph, truth, mask):
    """Every symmetry with every shift, one node at a time."""
    lattice, dim = graph.lattice, truth.shape[1]
    best = 0
    reach = int(truth.abs().max()) + max(lattice.shape) + 1
    for axes in itertools.permutations(range(dim)):
        for signs in itertools.product((1, -1), repeat=dim):
            for shift in itertools.product(range(-reach, reach + 1), repeat=dim):
                right = 0
                for node in mask.nonzero().flatten().tolist():
                    cell = lattice.cell[node].tolist()
                    if cell == [-1] * dim:
                        continue
                    same = True
                    for axis in range(dim):
                        off = signs[axis] * cell[axes[axis]] + shift[axis] - int(truth[node, axis])
                        if lattice.periodic[axes[axis]]:
                            off %= lattice.shape[axes[axis]]
                        same &= off == 0
                    right += same
                best = max(best, right)
    return best / int(mask.sum())


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_every_symmetry_and_shift_is_forgiven(dim):
    shape = (3, 4, 5)[:dim]
    graph = SharedGraph.from_grid(shape)
    group = list(itertools.product(itertools.permutations(range(dim)), itertools.product((1, -1), repeat=dim)))
    assert len(group) == (2, 8, 48)[dim - 1]
    for axes, signs in group:
        truth = graph.lattice.cell[:, axes] * torch.tensor(signs) + 11
        assert cell_accuracy(graph, truth) == 1.0


def test_a_shear_is_not_forgiven():
    graph = SharedGraph.from_grid((5, 5))
    row, col = graph.lattice.cell.unbind(1)
    assert cell_accuracy(graph, torch.stack([row, row + col], 1)) == pytest.approx(5 / 25)


@pytest.mark.parametrize("periodic", [(False, False), (True, False), (True, True)])
def test_equals_brute_force(periodic):
    generator = torch.Generator().manual_seed(3)
    full = SharedGraph.from_grid((3, 4)).lattice.cell
    for _ in range(4):
        cell = full.clone()
        wrong = torch.randperm(12, generator=generator)[:6]
        cell[wrong] = cell[wrong.roll(1)]
        cell[wrong[0]] = -1
        truth = full.flip(1) * torch.tensor([1, -1]) + 2
        mask = torch.rand(12, generator=generator) > 0.3
        graph = graph_with(cell, (3, 4), periodic)
        assert cell_accuracy(graph, truth, mask) == pytest.approx(brute_force(graph, truth, mask))


def test_nodes_in_wrong_cells_count():
    graph = SharedGraph.from_grid((4, 6))
    truth = graph.lattice.cell.clone()
    truth[[0, 23]] = truth[[23, 0]]
    assert cell_accuracy(graph, truth) == pytest.approx(22 / 24)
    mask = torch.ones(24, dtype=torch.bool)
    mask[0] = False
    assert cell_accuracy(graph, truth, mask) == pytest.approx(22 / 23)


def test_a_masked_node_without_a_cell_is_wrong():
    truth = SharedGraph.from_grid((3, 3)).lattice.cell
    cell = truth.clone()
    cell[4] = -1
    live = torch.ones(9, dtype=torch.bool)
    assert cell_accuracy(graph_with(cell, (3, 3)), truth) == pytest.approx(8 / 9)
    live[4] = False
    assert cell_accuracy(graph_with(cell, (3, 3), live=live), truth) == 1.0
    assert cell_accuracy(graph_with(torch.full_like(cell, -1), (3, 3)), truth) == 0.0


def test_a_ring_may_start_anywhere_but_a_chain_may_not():
    truth = torch.arange(7).unsqueeze(1)
    cut = (truth + 3) % 7
    assert cell_accuracy(graph_with(cut, (7,), (True,)), truth) == 1.0
    assert cell_accuracy(graph_with(cut, (7,), (False,)), truth) == pytest.approx(4 / 7)


def test_a_periodic_axis_follows_the_order_of_the_axes():
    full = SharedGraph.from_grid((4, 6)).lattice.cell
    rolled = torch.stack([full[:, 1], (full[:, 0] + 2) % 4], 1)
    assert cell_accuracy(graph_with(rolled, (6, 4), (False, True)), full) == 1.0
    assert cell_accuracy(graph_with(rolled, (6, 4), (True, False)), full) < 1.0


def test_no_lattice_or_another_dimension_scores_zero():
    pos = torch.rand(6, 2)
    cells = SharedGraph.from_grid((2, 3)).lattice.cell
    assert cell_accuracy(SharedGraph.from_pos(pos), cells) == 0.0
    assert cell_accuracy(SharedGraph.from_grid((6,)), cells) == 0.0


def test_bad_input_is_refused():
    graph = SharedGraph.from_grid((2, 3))
    cells = graph.lattice.cell
    with pytest.raises(ValueError, match=r"true_cells must be an integer tensor \[6, D\]"):
        cell_accuracy(graph, cells[:5])
    with pytest.raises(ValueError, match="true_cells must be an integer"):
        cell_accuracy(graph, cells.float())
    with pytest.raises(ValueError, match=r"mask must be bool \[6\]"):
        cell_accuracy(graph, cells, torch.ones(6))
    with pytest.raises(ValueError, match="holds no node"):
        cell_accuracy(graph, cells, torch.zeros(6, dtype=torch.bool))
