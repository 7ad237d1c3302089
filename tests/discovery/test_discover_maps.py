import networkx
import numpy as np
import pytest
import torch

from scge_pyg import discover
from scge_pyg.metrics import cell_accuracy, procrustes_error, trustworthiness

DIMENSIONS = {"line": (1, 1), "ring": (1, 2), "plane": (2, 2), "sphere": (2, 3), "cylinder": (2, 3), "torus": (2, 4)}
DIMENSIONS["volume"] = (3, 3)
CASES = [(kind, 60, seed) for kind in ("line", "ring") for seed in (100, 101)]
CASES += [("plane", 80, seed) for seed in (100, 101, 102)]
CASES += [(kind, 100, seed) for kind in ("sphere", "cylinder") for seed in (100, 102)]
CASES += [("torus", 120, 100), ("volume", 120, 100), ("volume", 120, 101)]


@pytest.mark.parametrize(("kind", "num_nodes", "seed"), CASES)
def test_dimension_columns_and_neighbours(places, matern, kind, num_nodes, seed):
    points = places(kind, num_nodes, seed)
    graph = discover(matern(points, 2500, seed))
    assert (graph.dim, graph.pos.shape[1]) == DIMENSIONS[kind]
    assert graph.component.max() == 0
    assert trustworthiness(graph.pos, torch.from_numpy(points)) > 0.99
    assert graph.fit.verdict == "geometry"
    assert graph.fit.columns == graph.pos.shape[1]
    assert graph.pos.isfinite().all()


@pytest.mark.parametrize("seed", [102, 103])
@pytest.mark.parametrize("num_nodes", [60, 80])
def test_scattered_places_have_a_map_but_no_lattice(places, matern, num_nodes, seed):
    points = places("plane", num_nodes, seed)
    graph = discover(matern(points, 2000, seed))
    assert graph.lattice is None
    near = torch.cdist(*2 * [torch.from_numpy(points)]).fill_diagonal_(torch.inf).topk(12, largest=False).indices
    row, col = graph.edge_index
    assert (near[row] == col.unsqueeze(1)).any(1).float().mean() > 0.95
    assert graph.num_edges / graph.num_nodes > 2.5


@pytest.mark.parametrize("sd", [0.1, 0.3])
def test_jittered_and_hexagonal_places_get_no_wrong_cell(matern, sd):
    """A lattice, where it is one of jittered places, has each node in its own cell."""
    cells = np.argwhere(np.ones((9, 9)))
    points = cells + sd * np.random.default_rng(100).standard_normal(cells.shape)
    graph = discover(matern(points, 2000, 100))
    assert trustworthiness(graph.pos, torch.from_numpy(points)) > 0.99
    assert graph.lattice is None or cell_accuracy(graph, torch.from_numpy(cells)) == 1.0
    hexagonal = np.stack([cells[:, 0] * 0.75**0.5, cells[:, 1] + cells[:, 0] % 2 / 2], 1)
    graph = discover(matern(hexagonal, 2000, 101))
    assert (graph.dim, graph.lattice) == (2, None)


def test_places_are_those_of_the_truth(places, matern):
    points = places("plane", 100, 104)
    graph = discover(matern(points, 3000, 104))
    assert procrustes_error(graph.pos, torch.from_numpy(points)) < 0.12
    nearest = torch.cdist(graph.pos, graph.pos).fill_diagonal_(torch.inf).amin(1)
    assert nearest.quantile(0.5) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("shape", "seed"), [((3, 4), 100), ((4, 4), 101), ((4, 5), 102), ((5, 5), 103), ((5, 6), 104), ((6, 6), 105)]
)
@pytest.mark.filterwarnings("ignore:discover. no low-dimensional geometry")
def test_small_grids_are_exact_or_have_no_lattice(grid_field, shape, seed):
    field = grid_field(shape, 3000, seed=seed)
    graph = discover(field.x)
    assert graph.lattice is None or cell_accuracy(graph, field.cells) == 1.0


@pytest.mark.parametrize("kind", ["line", "plane", "volume"])
def test_components_are_the_connected_parts_of_the_edges(places, matern, kind):
    graph = discover(matern(places(kind, 60, 105), 1500, 105))
    plain = networkx.Graph(graph.edge_index.T.tolist())
    plain.add_nodes_from(range(graph.num_nodes))
    pieces = sorted(networkx.connected_components(plain), key=lambda piece: (-len(piece), min(piece)))
    assert [set((graph.component == k).nonzero().flatten().tolist()) for k in range(len(pieces))] == pieces


def test_the_fit_holds_the_figures(places, matern):
    graph = discover(matern(places("plane", 60, 106), 1500, 106))
    fit = graph.fit
    assert fit.ratio == pytest.approx((fit.gain - fit.chance) / (fit.ceiling - fit.chance), abs=0.05)
    assert fit.node_gain.mean() == pytest.approx(fit.gain, abs=1e-6)
    assert (fit.num_samples, len(fit.gain_by_columns)) == (1500, 4)
    assert fit.effective_samples == pytest.approx(1500, rel=0.01)
    assert all(seconds >= 0 for seconds in fit.seconds.values())
