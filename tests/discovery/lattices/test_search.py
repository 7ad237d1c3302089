import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from scge_pyg.discovery.lattices.bins import PairBins, bin_pairs
from scge_pyg.discovery.lattices.board import Board, OutgrownError
from scge_pyg.discovery.lattices.evidence import Evidence, evidence_from_cells, ring_offsets
from scge_pyg.discovery.lattices.search import _regrow, mend, trim


def grid(*shape):
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))


def stored(bins):
    """The same bins, stored where they aren't 0."""
    sparse = sp.csr_matrix(bins)
    return PairBins(sparse.indptr.astype(np.int64), sparse.indices.astype(np.int64), sparse.data, 0)


def random_evidence(num_nodes, dim, seed=0):
    """Symmetric bins and any ratios; opposite offsets share theirs, as a pair has no first end."""
    rng = np.random.default_rng(seed)
    bins = np.triu(rng.integers(0, 6, (num_nodes, num_nodes)), 1).astype(np.uint8)
    offsets, ring = ring_offsets(dim)
    ratio = rng.normal(size=(2, 6)).astype(np.float32)[ring]
    return Evidence(stored(bins + bins.T), offsets, ratio, 2 * dim)


def true_evidence(coupling, cells, period):
    placed = np.ones(len(cells), dtype=bool)
    return evidence_from_cells(bin_pairs(coupling), cells, placed, np.array(period))


def edges_of(cells, period):
    step = np.abs(cells[:, None] - cells[None])
    step = np.where(period, np.minimum(step, np.array(period) - step), step)
    return np.stack(np.nonzero(np.triu(step.sum(-1) == 1)))


def board_with(evidence, cells, period, nodes=None):
    board = Board(evidence, np.array(period))
    nodes = np.arange(len(cells)) if nodes is None else nodes
    board.put(nodes, cells[nodes])
    return board


def offset_between(one, other, period):
    """Smallest offsets from one cell to another, each axis on its own."""
    offset = other - one
    for axis, size in enumerate(period):
        if size:
            offset[axis] = (offset[axis] + size // 2) % size - size // 2
    return offset


def brute_force_total(board, evidence, cells, nodes, period):
    total = 0.0
    for i, j in itertools.combinations(range(len(cells)), 2):
        if (i in nodes or j in nodes) and board.key_of[i] >= 0 and board.key_of[j] >= 0:
            offset = offset_between(cells[i], cells[j].copy(), period)
            match = np.flatnonzero((evidence.offsets == offset).all(1))
            if match.size:
                total += evidence.ratio[match[0], evidence.bins.at(i, j)]
    return total


@pytest.mark.parametrize(
    ("shape", "period"),
    [((20,), (0,)), ((12,), (12,)), ((5, 6), (0, 0)), ((5, 6), (5, 6)), ((5, 6), (0, 6)), ((3, 3, 4), (0, 0, 0))],
)
def test_total_counts_every_pair_once(shape, period):
    cells = np.random.default_rng(1).permutation(grid(*shape))
    evidence = random_evidence(len(cells), len(shape))
    board = board_with(evidence, cells, period, nodes=np.arange(3, len(cells)))
    for nodes in (np.arange(len(cells)), np.array([4]), np.array([3, 4, 8, 9, 1])):
        expected = brute_force_total(board, evidence, cells, set(nodes.tolist()), period)
        assert board.total(nodes) == pytest.approx(expected, abs=1e-4)


def brute_force_margins(board, evidence, cells, period):
    """How much better each node fits its cell than any cell beside it, the cells one by one."""
    found = []
    for node, own in enumerate(cells):
        scores = []
        for step in np.concatenate([np.zeros((1, cells.shape[1]), dtype=int), evidence.offsets[: evidence.num_axis]]):
            score = 0.0
            for other in np.delete(np.arange(len(cells)), node):
                offset = offset_between(own + step, cells[other].copy(), period)
                match = np.flatnonzero((evidence.offsets == offset).all(1))
                score += evidence.ratio[match[0], evidence.bins.at(node, other)] if match.size else 0.0
            scores.append(score)
        found.append(scores[0] - max(scores[1:]))
    return np.array(found)


@pytest.mark.parametrize(
    ("shape", "period"), [((20,), (0,)), ((5, 6), (0, 0)), ((5, 6), (5, 6)), ((3, 3, 4), (0,) * 3)]
)
def test_margins_compare_with_the_cells_beside(shape, period):
    cells = np.random.default_rng(1).permutation(grid(*shape))
    evidence = random_evidence(len(cells), len(shape))
    board = board_with(evidence, cells, period)
    np.testing.assert_allclose(board.margins(), brute_force_margins(board, evidence, cells, period), atol=1e-4)


def test_the_margin_of_a_node_off_the_board():
    board = board_with(random_evidence(9, 2), grid(3, 3), (0, 0), nodes=np.arange(8))
    assert np.isfinite(board.margins()).tolist() == [True] * 8 + [False]
    assert board.margins()[8] == -np.inf


def test_what_moves_is_what_the_total_says():
    """The total of the moved nodes changes by as much as that of all nodes."""
    cells = grid(6, 6)
    board = board_with(random_evidence(36, 2), cells, (0, 0))
    moved, everyone = np.array([7, 8, 13, 30]), np.arange(36)
    before = board.total(moved), board.total(everyone)
    board.lift(moved)
    board.put(moved, cells[moved[[1, 2, 3, 0]]])
    after = board.total(moved), board.total(everyone)
    assert after[0] - before[0] == pytest.approx(after[1] - before[1], abs=1e-3)


@pytest.mark.parametrize("period", [(0, 0), (6, 7), (0, 7)])
def test_put_and_cells_are_inverse(period):
    cells = np.random.default_rng(0).permutation(grid(6, 7)) - np.where(period, 0, 3)
    board = board_with(random_evidence(42, 2), cells, period)
    found, placed = board.cells()
    assert placed.all()
    assert np.array_equal(found, cells)


def test_periodic_axes_wrap_and_open_ones_do_not():
    board = Board(random_evidence(30, 2), np.array([0, 5]))
    board.put(np.array([0, 1, 2]), np.array([[0, 0], [0, 4], [4, 0]]))
    assert 1 in board.neighbors(np.array([0]))[0, :4]
    assert 2 not in board.neighbors(np.array([0]))[0]
    board.put(np.array([3]), np.array([[1, 7]]))
    assert board.cells()[0][3].tolist() == [1, 2]


@pytest.mark.parametrize("period", [(0, 0), (6, 7)])
def test_neighbors_follow_the_offsets(period):
    cells = grid(6, 7)
    board = board_with(random_evidence(42, 2), cells, period)
    for node in (0, 10, 41):
        around = board.neighbors(np.array([node]))[0]
        for other, offset in zip(around, board.evidence.offsets, strict=True):
            target = cells[node] + offset
            target = np.where(period, target % np.maximum(period, 1), target)
            match = np.flatnonzero((cells == target).all(1))
            assert other == (match[0] if match.size else -1)


def test_nodes_put_far_away_keep_their_neighbours():
    """The box around them is framed anew."""
    cells = np.array([[0, 0], [0, 1], [500, -300], [500, -301]])
    board = Board(random_evidence(4, 2), np.zeros(2, dtype=int))
    for node in range(4):
        board.put(np.array([node]), cells[[node]])
    assert np.array_equal(board.cells()[0], cells)
    assert [set(row[row >= 0].tolist()) for row in board.neighbors(np.arange(4))] == [{1}, {0}, {3}, {2}]


def test_neighbors_of_a_node_off_the_board():
    board = board_with(random_evidence(9, 2), grid(3, 3), (0, 0), nodes=np.arange(8))
    assert (board.neighbors(np.array([8])) == -1).all()


def test_put_undoes_lift():
    cells = grid(6, 6)
    board = board_with(random_evidence(36, 2), cells, (0, 0), nodes=np.arange(34))
    around = board.neighbors(np.arange(36))
    nodes = np.array([3, 10, 33])
    lifted = board.lift(nodes)
    assert np.array_equal(lifted, cells[nodes])
    assert board.placed.tolist() == np.setdiff1d(np.arange(34), nodes).tolist()
    assert not np.isin(board.neighbors(np.arange(36)), nodes).any()
    board.put(nodes, lifted)
    assert np.array_equal(board.neighbors(np.arange(36)), around)


def exact(found, cells):
    """Whether two sets of cells agree up to one shift."""
    return (np.ptp(found - cells, axis=0) == 0).all()


@pytest.mark.parametrize("shape", [(40,), (8, 11), (5, 4, 6)])
@pytest.mark.parametrize("margin", [0.0, 0.5, 1.0])
def test_growth_reproduces_a_shuffled_grid(grid_coupling, shape, margin):
    cells = np.random.default_rng(2).permutation(grid(*shape))
    period = (0,) * len(shape)
    evidence = true_evidence(grid_coupling(cells), cells, period)
    middle = np.array(shape) // 2
    corner = [middle, *(middle + axis for axis in np.eye(len(shape), dtype=int))]
    seed = np.array([np.flatnonzero((cells == cell).all(1))[0] for cell in corner])
    board = board_with(evidence, cells, period, seed)
    board.grow(np.setdiff1d(np.arange(len(cells)), seed), margin)
    found, placed = board.cells()
    assert placed.all()
    assert exact(found, cells)


def test_growth_on_a_torus_fills_it(grid_coupling):
    cells = np.random.default_rng(2).permutation(grid(7, 9))
    evidence = true_evidence(grid_coupling(cells, (7, 9), periodic=True), cells, (7, 9))
    board = board_with(evidence, cells, (7, 9), np.arange(6))
    board.grow(np.arange(6, 63))
    found, placed = board.cells()
    assert placed.all()
    assert np.array_equal(found, cells)


def test_growth_goes_around_obstacles_it_knows(grid_coupling):
    """Lifted nodes find back into the gap they left."""
    cells = np.random.default_rng(2).permutation(grid(9, 9))
    board = board_with(true_evidence(grid_coupling(cells), cells, (0, 0)), cells, (0, 0))
    gap = np.flatnonzero(np.abs(cells - 4).max(1) <= 2)
    lifted = board.lift(gap)
    board.grow(gap, start=lifted)
    assert np.array_equal(board.cells()[0], cells)


def test_nodes_in_a_thread_outgrow_any_board():
    cells = np.repeat(np.arange(3000)[:, None], 2, 1)
    bins = bin_pairs(sp.csr_matrix((3000, 3000)))
    evidence = Evidence(bins, ring_offsets(2)[0], np.zeros((8, 24), dtype=np.float32), 4)
    board = Board(evidence, np.zeros(2, dtype=int))
    board.put(np.arange(500), cells[:500])
    with pytest.raises(OutgrownError, match="cells span a box of 6000 x 6000"):
        board.put(np.arange(500, 3000), cells[500:])


def test_growing_nothing_changes_nothing(grid_coupling):
    cells = grid(5, 5)
    board = board_with(true_evidence(grid_coupling(cells), cells, (5, 5)), cells, (5, 5))
    board.grow(np.array([], dtype=np.int64))
    assert np.array_equal(board.cells()[0], cells)


def brute_force_growth(evidence, corner, margin):
    """All placements scored anew for each next one, from the first nodes on the cells of a corner."""
    axial = evidence.offsets[: evidence.num_axis]
    where = {tuple(cell): node for node, cell in enumerate(corner.tolist())}
    while len(where) < len(evidence.bins):
        nodes = [node for node in range(len(evidence.bins)) if node not in where.values()]
        cells = sorted({tuple(np.add(own, step).tolist()) for own in where for step in axial} - set(where))
        score = np.zeros((len(cells), len(nodes)), dtype=np.float32)
        for row, cell in enumerate(cells):
            for ratio, step in zip(evidence.ratio, evidence.offsets, strict=True):
                occupant = where.get(tuple(np.add(cell, step).tolist()))
                if occupant is not None:
                    score[row] += ratio[evidence.bins.at(occupant, nodes)]
        value = np.full(score.shape, -np.inf)
        for row, col in np.ndindex(score.shape):
            if score[row, col] == score[row].max():
                rivals = np.concatenate([np.delete(score[row], col), np.delete(score[:, col], row), [0.0]])
                value[row, col] = score[row, col] - margin * rivals.max()
        row, col = np.unravel_index(value.argmax(), value.shape)
        where[cells[row]] = nodes[col]
    return where


@pytest.mark.parametrize("margin", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("dim", "seed"), [(1, 0), (2, 1), (2, 2), (3, 3)])
def test_the_surest_placement_comes_next(dim, seed, margin):
    rng = np.random.default_rng(seed)
    offsets = ring_offsets(dim)[0]
    axis = np.unique(np.abs(offsets @ 5 ** np.arange(dim)), return_inverse=True)[1]  # a pair has no first end
    bins = np.triu(rng.integers(0, 200, (12, 12)), 1).astype(np.uint8)
    ratio = rng.normal(size=(axis.max() + 1, 200)).astype(np.float32)[axis]  # hardly a tie
    evidence = Evidence(stored(bins + bins.T), offsets, ratio, 2 * dim)
    corner = np.concatenate([np.zeros((1, dim), dtype=int), np.eye(dim, dtype=int)])
    board = Board(evidence, np.zeros(dim, dtype=int))
    board.put(np.arange(dim + 1), corner)
    board.grow(np.arange(dim + 1, 12), margin)
    expected = brute_force_growth(evidence, corner, margin)
    assert {tuple(cell): node for node, cell in enumerate(board.cells()[0].tolist())} == expected


def test_growth_outgrows_its_box(grid_coupling):
    """A strip that is long beside the room around its first nodes."""
    cells = grid(4, 120)
    board = board_with(true_evidence(grid_coupling(cells), cells, (0, 0)), cells, (0, 0), np.array([0, 1, 120]))
    board.grow(np.setdiff1d(np.arange(480), [0, 1, 120]))
    assert np.array_equal(board.cells()[0], cells)


def test_no_two_nodes_share_a_cell(grid_coupling):
    """Not even where evidence says nothing."""
    cells = grid(7, 7)
    board = Board(random_evidence(49, 2, seed=3), np.zeros(2, dtype=int))
    board.put(np.array([0]), cells[:1])
    board.grow(np.arange(1, 49))
    found, placed = board.cells()
    assert placed.all()
    assert len(np.unique(found, axis=0)) == 49


def test_faults_are_strong_edges_off_the_grid(grid_coupling):
    cells = np.random.default_rng(0).permutation(grid(8, 8))
    edges = edges_of(cells, (0, 0))
    board = board_with(true_evidence(grid_coupling(cells), cells, (0, 0)), cells, (0, 0))
    assert board.faults(edges).shape == (2, 0)
    first, second = (np.flatnonzero((cells == cell).all(1))[0] for cell in ([2, 2], [5, 6]))
    board.lift(np.array([first, second]))
    board.put([first, second], cells[[second, first]])
    broken = np.isin(edges, [first, second]).any(0)
    assert np.array_equal(board.faults(edges), edges[:, broken])


def test_weak_edges_are_no_faults(grid_coupling):
    cells = grid(8, 8)
    board = board_with(true_evidence(grid_coupling(cells), cells, (0, 0)), cells, (0, 0))
    far = np.array([[0, 1, 2], [60, 50, 40]])
    assert board.faults(far).shape == (2, 0)


@pytest.mark.parametrize("period", [(0, 0), (8, 9)], ids=["open", "torus"])
@pytest.mark.parametrize("planted", ["swap", "rotated block"])
def test_mending_repairs_a_planted_fault(grid_coupling, period, planted):
    cells = np.random.default_rng(0).permutation(grid(8, 9))
    board = board_with(true_evidence(grid_coupling(cells, (8, 9), period[0] > 0), cells, period), cells, period)
    best = board.total(np.arange(72))
    if planted == "swap":
        moved = np.array([np.flatnonzero((cells == cell).all(1))[0] for cell in ([2, 2], [5, 6])])
        target = cells[moved[::-1]]
    else:
        moved = np.flatnonzero((cells[:, 0] >= 5) & (cells[:, 1] >= 6))
        target = np.array([5, 6]) + (cells[moved] - [5, 6])[:, ::-1]
    board.lift(moved)
    board.put(moved, target)
    assert board.total(np.arange(72)) < best - 1
    improved = mend(board, edges_of(cells, period), np.random.default_rng(0), steps=200)
    assert improved >= 1
    assert board.total(np.arange(72)) == pytest.approx(best, abs=1e-2)
    assert np.array_equal(board.cells()[0], cells)


@pytest.mark.parametrize("period", [(0, 0), (16, 18)], ids=["open", "torus"])
def test_many_faults_are_mended_at_once(grid_coupling, period, monkeypatch):
    """As in large maps: swapped neighbours here and there, and a block that is turned over."""
    monkeypatch.setattr("scge_pyg.discovery.lattices.search.ONE_BY_ONE", 0)
    cells = np.random.default_rng(0).permutation(grid(16, 18))
    board = board_with(true_evidence(grid_coupling(cells, (16, 18), period[0] > 0), cells, period), cells, period)
    swaps = [([2, 2], [2, 3]), ([2, 12], [3, 12]), ([8, 4], [8, 6]), ([14, 15], [15, 15])]
    pairs = [[np.flatnonzero((cells == cell).all(1))[0] for cell in pair] for pair in swaps]
    block = np.flatnonzero((np.abs(cells - [10, 12]) <= 1).all(1))
    moved = np.r_[np.ravel(pairs), block]
    target = np.concatenate([cells[np.ravel(np.array(pairs)[:, ::-1])], [20, 24] - cells[block]])
    board.lift(moved)
    board.put(moved, target)
    assert mend(board, edges_of(cells, period), np.random.default_rng(0), steps=0) >= 1
    assert np.array_equal(board.cells()[0], cells)


def test_each_part_is_kept_on_its_own(grid_coupling):
    """Two gaps grow again at once: one had been wrong, in the other the evidence for the right nodes is taken away."""
    cells = grid(12, 30)
    true = true_evidence(grid_coupling(cells), cells, (0, 0))
    board = board_with(true, cells, (0, 0))
    wrong, other = (np.flatnonzero(np.abs(cells - middle).max(1) <= 1) for middle in ([5, 5], [5, 24]))
    board.lift(wrong)
    board.put(wrong, np.array([10, 10]) - cells[wrong])
    cell = board.cells()[0]
    grow = board.grow

    def grow_badly(nodes, margin, start):
        grow(wrong, margin, start)
        board.put(other, cells[np.roll(other, 1)])

    board.grow = grow_badly
    assert _regrow(board, np.r_[wrong, other], 0.5, near=True) == 1
    assert np.array_equal(board.cells()[0], cells)
    assert not np.array_equal(cell, cells)


@pytest.mark.parametrize("period", [(0, 0), (7, 11), (0, 11)])
@pytest.mark.parametrize("radius", [1, 3, 9])
def test_nodes_around_others(period, radius):
    cells = np.random.default_rng(0).permutation(grid(7, 11))
    board = board_with(random_evidence(77, 2), cells, period, nodes=np.arange(70))
    centres = np.array([3, 11])
    step = np.abs(cells - cells[centres][:, None])
    step = np.where(period, np.minimum(step, np.array(period) - step), step)
    expected = np.flatnonzero((step.max(2) <= radius).any(0)[:70])
    assert np.array_equal(board.around(centres, radius), expected)


@pytest.mark.parametrize("limit", [0, 2048], ids=["at once", "one by one"])
def test_mending_never_makes_it_worse(limit, monkeypatch):
    monkeypatch.setattr("scge_pyg.discovery.lattices.search.ONE_BY_ONE", limit)
    cells = np.random.default_rng(0).permutation(grid(7, 7))
    board = board_with(random_evidence(49, 2, seed=5), cells, (0, 0))
    everyone = np.arange(49)
    before = board.total(everyone)
    improved = mend(board, edges_of(cells[::-1], (0, 0)), np.random.default_rng(1), steps=30)
    assert (board.total(everyone) > before) == (improved > 0)
    assert board.total(everyone) >= before - 1e-3
    assert (board.key_of >= 0).all()


def test_mending_stops_where_there_is_no_fault(grid_coupling):
    cells = grid(8, 8)
    board = board_with(true_evidence(grid_coupling(cells), cells, (0, 0)), cells, (0, 0))
    assert mend(board, edges_of(cells, (0, 0)), np.random.default_rng(0), steps=10**9) == 0
    assert np.array_equal(board.cells()[0], cells)


def test_trimming_brings_dangling_nodes_home(grid_coupling):
    """The last row's end sits outside the map, in a chain."""
    cells = np.random.default_rng(0).permutation(grid(8, 8))
    board = board_with(true_evidence(grid_coupling(cells), cells, (0, 0)), cells, (0, 0))
    moved = np.array([np.flatnonzero((cells == cell).all(1))[0] for cell in ([7, 6], [7, 7])])
    board.lift(moved)
    board.put(moved, np.array([[6, 8], [6, 9]]))
    assert trim(board) >= 1
    assert np.array_equal(board.cells()[0], cells)


def test_trimming_leaves_a_perfect_map_alone(grid_coupling):
    cells = grid(8, 8)
    board = board_with(true_evidence(grid_coupling(cells), cells, (0, 0)), cells, (0, 0))
    assert trim(board) == 0
    assert np.array_equal(board.cells()[0], cells)
