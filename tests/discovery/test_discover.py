import logging
import math
import sys
import warnings

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from scge_pyg import SharedGraph, discover
from scge_pyg.discovery.signals import reading
from scge_pyg.metrics import cell_accuracy, edge_scores, procrustes_error, trustworthiness

recipe = sys.modules["scge_pyg.discovery.discover"]
TENSORS = ("pos", "edge_index", "edge_weight", "live", "confidence", "component")


def assert_same(graph, other):
    """Equal bit for bit."""
    for name in TENSORS:
        torch.testing.assert_close(getattr(graph, name), getattr(other, name), rtol=0, atol=0, equal_nan=True)
    assert graph.dim == other.dim
    assert (graph.lattice is None) == (other.lattice is None)
    if graph.lattice is not None:
        assert graph.lattice.shape == other.lattice.shape
        assert graph.lattice.periodic == other.lattice.periodic
        assert torch.equal(graph.lattice.cell, other.lattice.cell)


def permuted(graph, order):
    """The graph over the nodes ``order`` of ``graph``."""
    lattice = graph.lattice
    return SharedGraph(
        graph.pos[order],
        order.argsort()[graph.edge_index],
        graph.edge_weight,
        dim=graph.dim,
        live=graph.live[order],
        confidence=graph.confidence[order],
        lattice=None if lattice is None else type(lattice)(lattice.cell[order], lattice.shape, lattice.periodic),
    )


def shuffle(num_nodes, seed):
    return torch.randperm(num_nodes, generator=torch.Generator().manual_seed(seed))


# Geometries ---------------------------------------------------------------------------------------------------


def disc():
    row, col = np.mgrid[:15, :15] - 7
    return row**2 + col**2 < 52


def ring_of_pixels():
    row, col = np.mgrid[:15, :15] - 7
    return disc() & (row**2 + col**2 > 12)


def corner():
    mask = np.zeros((13, 13), dtype=bool)
    mask[:, :6] = mask[8:] = True
    return mask


def holes():
    mask = np.ones((12, 12), dtype=bool)
    mask[3:5, 3:5] = mask[8, 7] = False
    return mask


@pytest.mark.parametrize(
    ("shape", "mask"),
    [
        ((60,), None),
        ((9, 14), None),
        ((6, 24), None),
        ((6, 6, 6), None),
        ((15, 15), disc()),
        ((15, 15), ring_of_pixels()),
        ((13, 13), corner()),
        ((12, 12), holes()),
    ],
    ids=["chain", "rectangle", "strip", "block", "disc", "ring of pixels", "corner", "holes"],
)
def test_every_node_finds_its_cell(grid_field, shape, mask):
    field = grid_field(shape, 2000, mask=mask)
    graph = discover(field.x)
    assert graph.dim == len(shape)
    assert sorted(graph.lattice.shape) == sorted(shape)
    assert graph.lattice.periodic == (False,) * len(shape)
    assert cell_accuracy(graph, field.cells) == 1.0
    assert torch.equal(graph.pos, graph.lattice.cell.float())
    precision, recall, _ = edge_scores(graph, field.edge_index)
    assert min(precision, recall) == 1.0
    assert torch.equal(graph.component, torch.zeros(len(field.cells), dtype=torch.long))


def test_ring_closes_on_itself(grid_field):
    field = grid_field((50,), 1000, periodic=True)
    graph = discover(field.x)
    assert (graph.dim, graph.pos.shape[1]) == (1, 2)
    assert (graph.lattice.shape, graph.lattice.periodic) == ((50,), (True,))
    assert cell_accuracy(graph, field.cells) == 1.0
    assert edge_scores(graph, field.edge_index).f1 == 1.0
    centre_distance = (graph.pos - graph.pos.mean(0)).norm(dim=1)
    torch.testing.assert_close(centre_distance, torch.full((50,), 0.5 / math.sin(math.pi / 50)))


def test_torus_closes_along_both_axes(grid_field):
    field = grid_field((9, 12), 2000, periodic=True)
    graph = discover(field.x)
    assert graph.dim == 2
    assert sorted(graph.lattice.shape) == [9, 12]
    assert graph.lattice.periodic == (True, True)
    assert cell_accuracy(graph, field.cells) == 1.0
    precision, recall, _ = edge_scores(graph, field.edge_index)
    assert precision == 1.0
    assert recall > 0.9


def test_smooth_noise_on_a_grid():
    noise = np.random.default_rng(0).standard_normal((1500, 18, 21))
    x = torch.from_numpy(gaussian_filter(noise, (0, 0.9, 0.9))[:, 4:-4, 4:-4]).flatten(1)
    order = shuffle(130, 0)
    graph = discover(x[:, order])
    cells = torch.cartesian_prod(torch.arange(10), torch.arange(13))[order]
    assert cell_accuracy(graph, cells) == 1.0


def test_random_walks_are_chains():
    walk = torch.randn(400, 70, generator=torch.Generator().manual_seed(1)).cumsum(1)
    order = shuffle(70, 1)
    graph = discover(walk[:, order])
    assert cell_accuracy(graph, order.unsqueeze(1)) == 1.0


@pytest.mark.parametrize("gray", [True, False])
def test_photographs(gray):
    pytest.importorskip("sklearn")
    from scge_pyg.datasets import PhotoPatches

    ds = PhotoPatches(10, 12, 800, seed=1, gray=gray)
    order = shuffle(120, 2)
    graph = discover(ds.x[:, order])
    assert cell_accuracy(graph, ds.cells[order]) == 1.0


def irregular_field(kind, num_samples=1500):
    """A smooth Gaussian field seen at irregular places."""
    rng = np.random.default_rng(0)
    if kind == "hexagonal":
        row, col = np.mgrid[:11, :12]
        points = np.stack([row * math.sqrt(3) / 2, col + row % 2 / 2], -1).reshape(-1, 2)
    else:
        row, col = np.mgrid[:11, :12]
        points = np.stack([row, col], -1).reshape(-1, 2) + rng.uniform(-0.35, 0.35, (132, 2))
    points = points[rng.permutation(len(points))]
    square = ((points[:, None] - points[None]) ** 2).sum(-1)
    root = np.linalg.cholesky(np.exp(-square / 3.0) + 0.01 * np.eye(len(points)))
    x = rng.standard_normal((num_samples, len(points))) @ root.T
    return torch.from_numpy(x).float(), torch.from_numpy(points).float()


@pytest.mark.parametrize("kind", ["hexagonal", "jittered"])
def test_irregular_places_have_a_map_but_no_lattice(kind):
    x, points = irregular_field(kind)
    graph = discover(x)
    assert graph.lattice is None
    assert graph.dim == 2
    assert graph.num_edges / graph.num_nodes > 3
    assert trustworthiness(graph.pos, points) > 0.97
    near = torch.cdist(points, points).fill_diagonal_(torch.inf).topk(8, largest=False).indices
    row, col = graph.edge_index
    assert (near[row] == col.unsqueeze(1)).any(1).float().mean() == 1.0


def test_noise_has_no_geometry():
    x = torch.randn(800, 90, generator=torch.Generator().manual_seed(0))
    with pytest.warns(UserWarning, match="no coupling between nodes stands out from the noise") as record:
        graph = discover(x)
    assert record[0].filename == __file__
    assert graph.lattice is None
    assert graph.num_edges == 0
    assert graph.live.all()
    assert graph.pos.isfinite().all()
    assert (graph.confidence == 0).all()


def test_two_modalities_side_by_side(grid_field):
    image, other = grid_field((8, 9), 1500, seed=12), grid_field((7, 6), 1500, seed=13)
    graph = discover(torch.cat([other.x, image.x], 1))
    assert graph.component.tolist() == [1] * 42 + [0] * 72
    row, col = graph.edge_index
    assert torch.equal(graph.component[row], graph.component[col])
    first, second = graph.pos[42:], graph.pos[:42]
    assert second[:, 0].min() > first[:, 0].max() + 1
    assert procrustes_error(first, image.cells) < 0.1
    assert procrustes_error(second, other.cells) < 0.1


def test_dimension_can_be_given(grid_field):
    """Three rows are too few to see that they are rows; whoever knows gets the strip."""
    field = grid_field((3, 20), 3000)
    graph = discover(field.x, dim=2, snap=False)
    assert graph.dim == 2
    assert graph.pos.shape == (60, 2)
    assert edge_scores(graph, field.edge_index).f1 == 1.0
    assert_same(discover(field.x, dim=np.int64(2), snap=False), graph)


def test_without_snapping_coordinates_are_never_rounded(grid_field):
    field = grid_field((9, 12), 2000)
    graph = discover(field.x, snap=False)
    assert graph.lattice is None
    assert graph.pos.isfinite().all()
    assert (graph.pos != graph.pos.round()).all(1).float().mean() > 0.9
    assert procrustes_error(graph.pos, field.cells) < 0.06
    nearest = torch.cdist(graph.pos, graph.pos).fill_diagonal_(torch.inf).amin(1)
    assert nearest.median() == pytest.approx(1.0, abs=1e-4)
    assert edge_scores(graph, field.edge_index).f1 > 0.99


# Nodes that are special ---------------------------------------------------------------------------------------


def test_dead_nodes_have_no_place(grid_field):
    field = grid_field((9, 9), 1500, seed=1)
    x = field.x.clone()
    dead = torch.tensor([4, 50, 80])
    x[:, dead] = torch.tensor([0.0, 1.5, -2.0])
    graph = discover(x)
    assert graph.live.logical_not().nonzero().squeeze(1).tolist() == dead.tolist()
    assert graph.pos[dead].isnan().all()
    assert graph.pos[graph.live].isfinite().all()
    assert not torch.isin(graph.edge_index, dead).any()
    assert (graph.component[dead] == -1).all()
    assert (graph.lattice.cell[dead] == -1).all()
    assert (graph.confidence[dead] == 0).all()
    assert cell_accuracy(graph, field.cells) == 1.0


def test_duplicated_nodes_are_kept_and_reported(grid_field, caplog):
    field = grid_field((8, 8), 1500)
    x = torch.cat([field.x, field.x[:, [3, 3, 40]]], 1)
    with caplog.at_level(logging.INFO, "scge_pyg"):
        graph = discover(x)
    assert "3 nodes carry exactly the signal of another node" in caplog.text
    assert graph.num_nodes == 67
    assert graph.live.all()
    assert graph.pos.isfinite().all()
    assert graph.edge_weight.isfinite().all()
    assert graph.confidence.isfinite().all()


def test_a_twin_shares_the_place_of_its_original(grid_field):
    field = grid_field((8, 8), 1500)
    alone, graph = discover(field.x), discover(torch.cat([field.x, field.x[:, [3, 40]]], 1))
    assert graph.lattice is not None
    assert (graph.lattice.cell != -1).any(1).sum() == 64
    assert torch.equal(graph.pos[[64, 65]], graph.pos[:64][[3, 40]])
    assert graph.num_edges == alone.num_edges + 4
    assert graph.component.unique().numel() == 1


def test_fewer_than_three_distinct_signals():
    x = torch.randn(100, 1, generator=torch.Generator().manual_seed(0)).expand(100, 8)
    with pytest.raises(ValueError, match="at least 3 nodes must differ"):
        discover(x)


# Input that is converted --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_integers_are_converted(grid_field, dtype):
    x = (grid_field((40,), 500).x * 20 + 128).clamp(0, 255).to(dtype)
    graph = discover(x.float())
    assert graph.lattice.shape == (40,)
    assert_same(discover(x), graph)
    assert_same(discover(x.numpy()), graph)


def test_booleans_are_converted(grid_field):
    field = grid_field((6, 7), 3000)
    x = field.x > 0
    graph = discover(x)
    assert_same(graph, discover(x.float()))
    assert edge_scores(graph, field.edge_index).f1 > 0.9


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_dtype_of_the_result(grid_field, dtype):
    graph = discover(grid_field((40,), 500).x.to(dtype))
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    assert graph.pos.dtype == graph.edge_weight.dtype == graph.confidence.dtype == expected


def test_input_is_left_alone(grid_field):
    x = grid_field((40,), 500).x.requires_grad_()
    before = x.detach().clone()
    graph = discover(x)
    assert torch.equal(x, before)
    assert not graph.pos.requires_grad


def test_one_channel_equals_none(grid_field):
    x = grid_field((40,), 500).x
    assert_same(discover(x.unsqueeze(2)), discover(x))


def test_channels_add_their_evidence(grid_field):
    """Two channels of half the samples know as much as one channel of all of them."""
    field = grid_field((8, 9), 800)
    first, second = field.x[:400], field.x[400:]
    graph = discover(torch.stack([first, second], 2))
    assert cell_accuracy(graph, field.cells) == 1.0
    assert edge_scores(graph, field.edge_index).f1 > edge_scores(discover(first), field.edge_index).f1


def test_a_dead_channel_says_nothing(grid_field):
    x = grid_field((40,), 500).x
    dead = torch.full_like(x, 0.5)
    assert_same(discover(torch.stack([x, dead], 2)), discover(x))


def test_unit_of_the_signal_does_not_matter(grid_field):
    x = grid_field((40,), 500).x
    graph, scaled = discover(x), discover(x * 4.0**10)
    assert_same(scaled, graph)


# Batches ------------------------------------------------------------------------------------------------------


@pytest.fixture
def split(grid_field, monkeypatch):
    """Samples, and the same in batches as a tensor is read."""
    x = grid_field((40,), 600).x.unsqueeze(2)
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 8 * 40 * 128)
    return x, list(x.split(128))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda batches: batches,
        lambda batches: (batch for batch in batches),
        lambda batches: [batch.squeeze(2) for batch in batches],
        lambda batches: [batch.numpy() for batch in batches],
        lambda batches: [(batch, torch.zeros(batch.shape[0])) for batch in batches],
        lambda batches: [[batch, "label"] for batch in batches],
        lambda batches: torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.cat(batches)), batch_size=128),
        lambda batches: DataLoader([Data(x=sample) for sample in torch.cat(batches)], batch_size=128),
    ],
    ids=["list", "generator", "no channel axis", "arrays", "tuples", "lists", "DataLoader", "PyG DataLoader"],
)
def test_batches_equal_the_tensor(split, wrap):
    x, batches = split
    assert_same(discover(wrap(batches)), discover(x))


def test_odd_batches_and_empty_ones_tell_the_same_story(grid_field):
    field = grid_field((40,), 1000)
    graph = discover([*field.x.split(77), field.x[:0]])
    assert cell_accuracy(graph, field.cells) == 1.0
    torch.testing.assert_close(graph.edge_weight, discover(field.x).edge_weight)


def test_an_iterator_is_read_once(grid_field):
    reads = []

    def stream():
        for batch in grid_field((40,), 500).x.split(100):
            reads.append(len(batch))
            yield batch

    discover(stream())
    assert reads == [100] * 5


# Equivariance and reproducibility -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("path", ["dense", "local"])
def test_shuffling_permutes_the_result_and_changes_no_bit(grid_field, monkeypatch, seed, path):
    if path == "local":
        monkeypatch.setattr(recipe, "_DENSE_NODES", 40)
    x = grid_field((7, 8), 500, mask=np.arange(56).reshape(7, 8) != 33).x.clone()
    x[:, 7] = 0.25
    order = shuffle(55, seed)
    assert_same(discover(x[:, order]), permuted(discover(x), order))


def test_shuffling_batches_of_channels_changes_no_bit(grid_field):
    x = torch.stack([grid_field((7, 8), 600, seed=0).x, grid_field((7, 8), 600, seed=0).x.square()], 2)
    order = shuffle(56, 9)
    assert_same(discover(x[:, order].split(200)), permuted(discover(x.split(200)), order))


def test_shuffling_more_nodes_than_the_dense_path_takes():
    noise = np.random.default_rng(0).standard_normal((215, 2108))
    x = torch.from_numpy(gaussian_filter(noise, (0, 1.0))[:, 4:-4]).float()
    order = shuffle(x.shape[1], 0)
    graph = discover(x, snap=False, progress=False)
    assert_same(discover(x[:, order], snap=False, progress=False), permuted(graph, order))
    assert (graph.dim, graph.num_nodes) == (1, 2100)
    assert ((graph.edge_index[0] - graph.edge_index[1]).abs() == 1).float().mean() > 0.99
    assert graph.num_edges > 0.99 * 2 * 2099


@pytest.mark.parametrize("path", ["dense", "local"])
def test_same_seed_same_bits(grid_field, monkeypatch, path):
    if path == "local":
        monkeypatch.setattr(recipe, "_DENSE_NODES", 30)
    x = grid_field((6, 7), 500).x
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    first = discover(x, seed=5)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert_same(discover(x, seed=5), first)


def test_global_randomness_is_left_alone(grid_field):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    discover(grid_field((40,), 500).x)
    assert torch.equal(torch.rand(3), expected)


def test_local_path_keeps_a_sample_of_the_stream(grid_field, monkeypatch):
    monkeypatch.setattr(recipe, "_DENSE_NODES", 64)
    monkeypatch.setattr(recipe, "_RESERVOIR_BYTES", 4 * 90 * 700)
    field = grid_field((9, 10), 3000)
    assert cell_accuracy(discover(field.x.split(250)), field.cells) == 1.0


# Bad input ----------------------------------------------------------------------------------------------------


def test_nan_names_nodes_and_counts_samples():
    x = torch.randn(50, 10, generator=torch.Generator().manual_seed(0))
    x[3, 2], x[3, 7], x[9, 7] = torch.nan, torch.inf, torch.nan
    with pytest.raises(ValueError, match=r"NaN or infinite values at 2 nodes \(2, 7\) in 2 samples"):
        discover(x)
    x[:, 1:8] = torch.nan
    with pytest.raises(ValueError, match=r"at 7 nodes \(1, 2, 3, 4, 5, \.\.\.\) in 50 samples"):
        discover(x.numpy())


@pytest.mark.parametrize("live", [0, 1, 2])
def test_fewer_than_three_live_nodes(live):
    x = torch.ones(50, 9)
    x[:, :live] = torch.randn(50, live, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=f"at least 3 nodes must vary over the samples, got {live} of 9"):
        discover(x)


@pytest.mark.parametrize("num_nodes", [3, 4, 5, 6, 8])
@pytest.mark.parametrize("dim", [None, 1, 2, 3, 4])
def test_a_handful_of_nodes_is_enough(num_nodes, dim):
    walk = torch.randn(2000, num_nodes, generator=torch.Generator().manual_seed(0)).cumsum(1)
    graph = discover(walk, dim=dim)
    assert graph.live.all()
    assert graph.pos.shape[1] >= graph.dim
    assert graph.pos.isfinite().all()
    row, col = graph.edge_index
    assert ((row - col).abs() == 1).all()


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_samples(count):
    with pytest.raises(ValueError, match=f"at least 2 samples are needed, got {count}"):
        discover(torch.rand(count, 5))


@pytest.mark.parametrize("count", [2, 3, 10])
def test_few_samples_warn_with_the_number_advised(count):
    walk = torch.randn(count, 25, generator=torch.Generator().manual_seed(0)).cumsum(1)
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        graph = discover(walk)
    few = [warning for warning in record if "samples are few" in str(warning.message)]
    assert len(few) == 1
    assert issubclass(few[0].category, UserWarning)
    assert f"{count} samples are few for 25 live nodes; about 25 are advised" in str(few[0].message)
    assert few[0].filename == __file__
    assert graph.pos.isfinite().all()


@pytest.mark.parametrize("shape", [(10,), (4, 3, 8, 8), ()])
def test_wrong_rank(shape):
    with pytest.raises(ValueError, match=r"must be \[S, N\] or \[S, N, C\]"):
        discover(torch.zeros(shape))


@pytest.mark.parametrize("second", [(20, 8), (20, 9, 2)])
def test_batches_that_disagree(second):
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(20, 9, generator=generator), torch.randn(second, generator=generator)]
    with pytest.raises(ValueError, match="batches must share N and C"):
        discover(batches)


def test_samples_of_unequal_size_in_a_pyg_batch():
    samples = [Data(x=torch.rand(5, 1)), Data(x=torch.rand(6, 1))]
    with pytest.raises(ValueError, match="samples of equal size"):
        discover(DataLoader(samples, batch_size=2))


@pytest.mark.parametrize("dim", [0, 5, -1, 2.0, "2", True])
def test_dim_out_of_range(dim):
    with pytest.raises(ValueError, match="dim must be an integer from 1 to 4"):
        discover(torch.rand(50, 10), dim=dim)


@pytest.mark.parametrize("x", ["text", None, 3, {"x": torch.rand(5, 5)}, Data(x=torch.rand(5, 1)), ["a"], [None]])
def test_wrong_type(x):
    with pytest.raises(TypeError, match=r"discover: (x|a batch) must be a tensor, an array"):
        discover(x)


@pytest.mark.parametrize("x", [torch.zeros(9, 5, dtype=torch.complex64), np.zeros((9, 5), dtype=complex)])
def test_complex_samples(x):
    with pytest.raises(TypeError, match="complex"):
        discover(x)


def test_text_in_an_array():
    with pytest.raises(TypeError, match="numeric"):
        discover(np.array([["a", "b"], ["c", "d"]]))


def test_empty_iterable():
    with pytest.raises(ValueError, match="holds no batch"):
        discover([])
    used = iter([torch.rand(50, 5)])
    next(used)
    with pytest.raises(ValueError, match="holds no batch"):
        discover(used)


# What it says and what it keeps -------------------------------------------------------------------------------


def test_log_says_what_was_decided(grid_field, caplog):
    x = grid_field((9, 9), 1500).x.clone()
    x[:, 4] = 0
    with caplog.at_level(logging.INFO, "scge_pyg"):
        graph = discover(x)
    assert f"dimension 2, 80 of 81 nodes live, {graph.num_edges // 2} edges" in caplog.text
    for word in ("ridge", "gain", "too long", "lattice (9, 9)"):
        assert word in caplog.text
    assert all(record.name == "scge_pyg" and record.levelno == logging.INFO for record in caplog.records)


def test_log_says_that_there_is_no_lattice(caplog):
    with caplog.at_level(logging.INFO, "scge_pyg"):
        discover(irregular_field("hexagonal")[0])
    assert "no lattice" in caplog.text


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_progress_bar(grid_field, capsys, progress, shown):
    discover(grid_field((20,), 100).x, progress=progress)
    assert ("discover" in capsys.readouterr().err) == shown


@pytest.mark.parametrize("periodic", [False, True])
def test_a_saved_graph_is_the_same(grid_field, tmp_path, periodic):
    x = grid_field((8, 9), 1500, periodic=periodic).x.clone()
    x[:, 11] = 0
    graph = discover(x)
    graph.save(tmp_path / "graph.safetensors")
    loaded = SharedGraph.load(tmp_path / "graph.safetensors")
    assert_same(loaded, graph)
    assert loaded.lattice.periodic == (periodic, periodic)


def test_the_lattice_puts_the_picture_back_together(grid_field):
    field = grid_field((8, 11), 1500)
    graph = discover(field.x)
    grid = graph.lattice.to_grid(field.x.unsqueeze(2)).squeeze(1)
    true = torch.zeros(1500, 8, 11)
    true[:, field.cells[:, 0], field.cells[:, 1]] = field.x
    if grid.shape[1] != 8:
        grid = grid.transpose(1, 2)
    candidates = [grid.flip(axes) for axes in [(), (1,), (2,), (1, 2)]]
    assert any(torch.equal(candidate, true) for candidate in candidates)


def test_a_ring_has_two_coordinates_without_a_lattice(grid_field):
    graph = discover(grid_field((50,), 1000, periodic=True).x, snap=False)
    assert graph.lattice is None
    assert graph.pos.shape == (50, 2)
    assert graph.num_edges == 100
