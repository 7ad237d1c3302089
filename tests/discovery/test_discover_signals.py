import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from scge_pyg import discover
from scge_pyg.metrics import cell_accuracy, trustworthiness

SEED = 100


@pytest.fixture(scope="module")
def field(places, matern):
    """Samples of a field on a plane, float64, their places, and the trustworthiness of the map of them."""
    points = places("plane", 80, SEED)
    x = matern(points, 2500, SEED).double()
    graph = discover(x)
    return x, torch.from_numpy(points), graph, trustworthiness(graph.pos, torch.from_numpy(points))


def check(field, changed, within=0.005, **options):
    """The map of the changed samples is as true as that of the untouched ones."""
    _, points, _, trust = field
    graph = discover(changed, **options)
    assert (graph.dim, graph.pos.shape[1]) == (2, 2)
    assert graph.component.max() == 0
    assert trustworthiness(graph.pos, points) > trust - within
    return graph


@pytest.mark.parametrize(
    "change",
    [lambda x: 3 * x + 20, lambda x: x.exp(), lambda x: x**3, lambda x: x * torch.linspace(0.2, 5, 80) - 7],
    ids=["offset", "exponential", "cube", "gains"],
)
def test_increasing_transformations_change_no_bit(field, assert_same, change):
    assert_same(discover(change(field[0])), field[2])


@pytest.mark.parametrize("share", [1 / 3, 0.05])
def test_signs_of_inverted_sensors_are_recovered(field, assert_same, share):
    turned = torch.where(torch.rand(80, generator=torch.Generator().manual_seed(SEED)) < share, -1, 1)
    graph = check(field, field[0] * turned)
    assert torch.equal(graph.sign, turned)
    assert torch.equal(graph.pos, field[2].pos)
    assert (field[2].sign == 1).all()


def test_average_reference_leaves_the_map(field):
    check(field, field[0] - field[0].mean(1, keepdim=True), within=0.01)


def test_spikes_leave_the_map(field):
    rng = np.random.default_rng(SEED)
    x = field[0].numpy().copy()
    hit = rng.random(x.shape) < 0.05
    x[hit] = 1e4 * rng.standard_normal(hit.sum())
    check(field, x)


def test_a_broken_sample_leaves_the_map(field):
    x = field[0].clone()
    x[7] = 1e6 * torch.randn(80, generator=torch.Generator().manual_seed(SEED)).double()
    check(field, x)


def test_missing_values_however_they_are_marked(field, assert_same):
    gaps = torch.rand(field[0].shape, generator=torch.Generator().manual_seed(SEED)) < 0.1
    graph = check(field, field[0].masked_fill(gaps, torch.nan))
    assert_same(discover(np.ma.masked_array(field[0].numpy(), mask=gaps.numpy())), graph)
    assert_same(discover(field[0].masked_fill(gaps, -999.0), missing_value=-999), graph)


def test_repeated_samples_count_once(field, assert_same):
    few = field[0][:400]
    graph = discover(few)
    assert_same(discover(few.repeat_interleave(4, 0)), graph)
    assert_same(discover(few.repeat(4, 1)), graph)
    assert graph.fit.num_samples == 400


@pytest.fixture(scope="module")
def slow(places, matern):
    """A field that changes slowly, and its places."""
    points = places("plane", 60, SEED)
    x = gaussian_filter1d(matern(points, 2500, SEED, noise=0.0).double().numpy(), 3, axis=0)
    noise = np.random.default_rng(SEED).standard_normal(x.shape)
    return x + 0.05 * x.std() * noise, torch.from_numpy(points)


def test_slow_sensors_are_judged_by_what_they_are_worth(slow):
    x, points = slow
    graph = discover(x)
    assert graph.dim == 2
    assert graph.fit.effective_samples < 0.5 * len(x)
    assert trustworthiness(graph.pos, points) > 0.99
    assert not graph.lag.any()


def test_delays_are_undone_and_said(slow):
    x, points = slow
    delay = np.random.default_rng(SEED).integers(0, 4, 60)
    late = np.stack([x[4 - delay[node] : len(x) - 4 - delay[node], node] for node in range(60)], 1)
    graph = discover(late)
    assert graph.dim == 2
    assert trustworthiness(graph.pos, points) > trustworthiness(discover(x).pos, points) - 0.005
    source, target = graph.edge_index.numpy()
    assert np.array_equal(graph.lag.numpy(), delay[target] - delay[source])
    lag = dict(zip(map(tuple, graph.edge_index.T.tolist()), graph.lag.tolist(), strict=True))
    assert all(lag[j, i] == -steps for (i, j), steps in lag.items())


def test_a_twin_shares_the_place_of_its_original_with_its_sign(grid_field):
    field = grid_field((8, 8), 1500)
    alone = discover(field.x)
    with pytest.warns(UserWarning, match="carry the same signal and share a place: 3 = 64, 40 = 65;"):
        graph = discover(torch.cat([field.x, field.x[:, [3]], -2 * field.x[:, [40]]], 1))
    pair = [{3, 64}, {40, 65}]
    assert cell_accuracy(alone, field.cells) == 1.0
    assert (graph.lattice.cell != -1).any(1).sum() == 64
    assert torch.equal(graph.pos[[64, 65]], graph.pos[[3, 40]])
    assert graph.sign[[3, 64]].tolist() == [1, 1]
    assert sorted(graph.sign[[40, 65]].tolist()) == [-1, 1]
    assert graph.num_edges == alone.num_edges + 4
    joined = {frozenset(edge) for edge in graph.edge_index.T.tolist()}
    assert all(frozenset(two) in joined for two in pair)
    assert graph.component.max() == 0


def test_dead_nodes_have_no_place(grid_field):
    field = grid_field((9, 9), 1500, seed=1)
    x, dead = field.x.clone(), torch.tensor([4, 50, 80])
    x[:, dead] = torch.tensor([0.0, 1.5, -2.0])
    with pytest.warns(
        UserWarning, match=r"3 nodes carry no signal .* 4 \(constant\), 50 \(constant\), 80 \(constant\)"
    ):
        graph = discover(x)
    assert graph.live.logical_not().nonzero().squeeze(1).tolist() == dead.tolist()
    assert graph.pos[dead].isnan().all()
    assert graph.pos[graph.live].isfinite().all()
    assert not torch.isin(graph.edge_index, dead).any()
    assert (graph.component[dead] == -1).all()
    assert (graph.lattice.cell[dead] == -1).all()
    assert not graph.confidence[dead].any()
    assert not graph.sign[dead].any()
    assert cell_accuracy(graph, field.cells) == 1.0


def test_names_are_kept(grid_field):
    pandas = pytest.importorskip("pandas")
    x = grid_field((40,), 500).x
    names = [f"sensor {node}" for node in range(40)]
    graph = discover(pandas.DataFrame(x.numpy(), columns=names))
    assert list(graph.names) == names
    assert discover(x).names is None
