import itertools

import networkx
import numpy as np
import pytest
import scipy.sparse as sp

from scge_pyg.discovery.lattices.bins import PairBins
from scge_pyg.discovery.lattices.evidence import evidence_from_cells, evidence_from_graph, ring_offsets


def grid(*shape):
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))


def three_levels(cells):
    """Bins that name the relation of two nodes: 20 for axis neighbours, 10 for the second ring, 0 for the others."""
    second = 2 if cells.shape[1] > 1 else 4
    square = ((cells[:, None] - cells[None]) ** 2).sum(-1)
    return np.select([square == 1, square == second], [20, 10], 0).astype(np.uint8)


def stored(bins):
    """The same bins, stored where they aren't 0."""
    sparse = sp.csr_matrix(bins)
    return PairBins(sparse.indptr.astype(np.int64), sparse.indices.astype(np.int64), sparse.data, 0)


def chain_or_grid_edges(cells):
    step = np.abs(cells[:, None] - cells[None]).sum(-1)
    return np.stack(np.nonzero(np.triu(step == 1)))


def smooth(count):
    """Counts blurred by a Gaussian of one bin, cut off at four, the ends repeated."""
    weight = np.exp(-(np.arange(-4, 5) ** 2) / 2)
    weight /= weight.sum()
    size = len(count)
    return np.array(
        [sum(weight[d + 4] * count[min(max(b + d, 0), size - 1)] for d in range(-4, 5)) for b in range(size)]
    )


def log_ratio(bins, near_pairs, far_pairs, num_bins):
    """Log-likelihood ratio per bin, counted pair by pair, a few pairs' worth of prior included."""
    near, far = np.zeros(num_bins), np.zeros(num_bins)
    for i, j in near_pairs:
        near[bins[i, j]] += 1
    for i, j in far_pairs:
        far[bins[i, j]] += 1
    near, far = smooth(near), smooth(far) + 0.05
    far /= far.sum()
    return np.log((near + 5 * far) / (near.sum() + 5) / far)


@pytest.mark.parametrize(("dim", "axis", "second"), [(1, 2, 2), (2, 4, 4), (3, 6, 12)])
def test_ring_offsets(dim, axis, second):
    offsets, ring = ring_offsets(dim)
    square = (offsets**2).sum(1)
    assert ring.tolist() == [0] * axis + [1] * second
    assert (square[:axis] == 1).all()
    assert (square[axis:] == (2 if dim > 1 else 4)).all()
    assert len(np.unique(offsets, axis=0)) == axis + second


@pytest.mark.parametrize("shape", [(25,), (6, 7), (4, 4, 5)])
def test_evidence_from_graph_counts_pairs_by_their_hops(shape):
    cells = np.random.default_rng(0).permutation(grid(*shape))
    bins, edges = three_levels(cells), chain_or_grid_edges(cells)
    evidence = evidence_from_graph(stored(bins), edges, len(shape))
    graph = networkx.Graph(edges.T.tolist())
    hops = dict(networkx.all_pairs_shortest_path_length(graph))
    pairs = list(itertools.combinations(range(len(cells)), 2))
    least = 2 if len(shape) > 1 else 1
    joined = [pair for pair in pairs if graph.has_edge(*pair)]
    across = [
        (i, j)
        for i, j in pairs
        if not graph.has_edge(i, j) and len(list(networkx.common_neighbors(graph, i, j))) >= least
    ]
    far = [(i, j) for i, j in pairs if hops[i][j] > 4]
    ring = ring_offsets(len(shape))[1]
    expected = np.stack([log_ratio(bins, near, far, evidence.ratio.shape[1]) for near in (joined, across)])[ring]
    np.testing.assert_allclose(evidence.ratio, expected, rtol=1e-4, atol=1e-4)
    assert evidence.num_axis == 2 * len(shape)
    assert np.array_equal(evidence.offsets, ring_offsets(len(shape))[0])


@pytest.mark.parametrize(
    ("shape", "period"),
    [((25,), (0,)), ((7, 8), (0, 0)), ((7, 8), (7, 0)), ((3, 9), (3, 0)), ((9, 4), (0, 4)), ((4, 4, 5), (0, 0, 0))],
)
def test_evidence_from_cells_counts_pairs_by_their_offset(shape, period):
    """The first and the second ring, and what lies outside, up to one number for the compactness of the map."""
    rng = np.random.default_rng(0)
    cells, dim = rng.permutation(grid(*shape)), len(shape)
    placed = rng.random(len(cells)) > 0.1
    bins = three_levels(cells)
    bins[rng.random(bins.shape) < 0.1] = 5
    evidence = evidence_from_cells(stored(bins), cells, placed, np.array(period))

    def square(i, j):
        step = np.abs(cells[i] - cells[j])
        return int((np.where(period, np.minimum(step, np.array(period) - step), step) ** 2).sum())

    pairs = [pair for pair in itertools.combinations(range(len(cells)), 2) if placed[list(pair)].all()]
    first, second = ([pair for pair in pairs if square(*pair) == size] for size in (1, 2 if dim > 1 else 4))
    far = [pair for pair in pairs if square(*pair) > 8]
    table = np.stack([log_ratio(bins, near, far, evidence.ratio.shape[1]) for near in (first, second)])
    surplus = evidence.ratio - table[ring_offsets(dim)[1]]
    assert np.ptp(surplus) < 1e-4
    assert surplus.min() > -1e-4


def test_evidence_speaks_for_the_relation_it_saw():
    cells = grid(8, 9)
    bins, edges = three_levels(cells), chain_or_grid_edges(cells)
    placed, period = np.ones(72, dtype=bool), np.zeros(2, dtype=int)
    for evidence in (
        evidence_from_graph(stored(bins), edges, 2),
        evidence_from_cells(stored(bins), cells, placed, period),
    ):
        axis, diagonal = evidence.ratio[0], evidence.ratio[-1]
        assert axis[20] > 1 > 0 > axis[0]
        assert diagonal[10] > 1 > 0 > diagonal[0]
        assert axis[20] > axis[10]
        assert diagonal[10] > diagonal[20]


def test_compact_maps_say_so():
    """What is added to every ratio is more for a full rectangle than for one with gaps."""
    cells = grid(10, 10)
    bins, period = np.zeros((100, 100), dtype=np.uint8), np.zeros(2, dtype=int)
    gaps = np.random.default_rng(0).random(100) > 0.4
    full = evidence_from_cells(stored(bins), cells, np.ones(100, dtype=bool), period)
    thin = evidence_from_cells(stored(bins), cells, gaps, period)
    assert full.ratio[0, 0] > thin.ratio[0, 0] > 0
