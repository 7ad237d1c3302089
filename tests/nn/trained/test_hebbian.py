import ast
import inspect

import pytest
import torch
from scipy.sparse.csgraph import shortest_path

from scge_pyg import SCGEConv
from scge_pyg.discovery import partial_correlation
from scge_pyg.discovery.coupling.direct import stabilize
from scge_pyg.graph import SharedGraph, knn
from scge_pyg.metrics import grid_edges, trustworthiness
from scge_pyg.nn import NodeEmbedding
from scge_pyg.nn.trained import geodesics, hebbian, lessons, straight_walks, streaming_coupling
from scge_pyg.nn.trained.geodesics import Geodesics
from scge_pyg.nn.trained.hebbian import HebbianLoss
from scge_pyg.nn.trained.partners import REGULAR, choose_partners, revised_partners
from scge_pyg.nn.trained.straight_walks import StraightWalks
from scge_pyg.nn.trained.streaming_coupling import StreamingCoupling


def neighbour_table(edges, num_nodes):
    """Neighbours of each node in one row, -1 where there are fewer."""
    near = [edges[1, edges[0] == i].tolist() for i in range(num_nodes)]
    width = max(map(len, near))
    return torch.tensor([row + [-1] * (width - len(row)) for row in near])


@pytest.fixture
def field():
    def make(side, samples, seed=0, channels=1):
        """A Gaussian Markov field on a shuffled grid: each node hangs on its four neighbours alone."""
        generator = torch.Generator().manual_seed(seed)
        cells = SharedGraph.from_grid((side, side)).lattice.cell[torch.randperm(side * side, generator=generator)]
        precision = torch.diag(torch.full((side * side,), 4.2, dtype=torch.float64))
        precision[tuple(grid_edges(cells))] = -1.0
        white = torch.randn(side * side, samples * channels, generator=generator, dtype=torch.float64)
        x = torch.linalg.solve(torch.linalg.cholesky(precision).T, white).T.float()
        return x.view(samples, channels, -1).transpose(1, 2).contiguous(), cells

    return make


def learn(embedding, loss, x, steps, rate=0.5, batch=32, seed=0):
    """Optimiser steps on mini-batches."""
    optimizer = torch.optim.Adam(embedding.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        value = loss(x[torch.randint(len(x), (batch,), generator=generator)])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()


def recall(pos, cells):
    i, j = grid_edges(cells)
    return (knn(pos, pos, 4, exclude_self=True)[1][i] == j.unsqueeze(1)).any(1).double().mean().item()


# streaming statistics ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_streaming_moments_equal_those_of_all_samples_at_once(channels):
    x = 3 + torch.randn(90, 7, channels, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    coupling = StreamingCoupling(7).double()
    for batch in x.split([1, 40, 16, 33]):
        coupling.update(batch)
    torch.testing.assert_close(coupling.mean, stabilize(x).mean(0))
    torch.testing.assert_close(coupling.variance, stabilize(x).var(0, unbiased=False))


def test_streaming_moments_follow_a_stream_that_changes():
    generator = torch.Generator().manual_seed(0)
    coupling = StreamingCoupling(5, memory=16)
    for level in (100.0, 4.0):
        for _ in range(8 * coupling.horizon // 32):
            coupling.update(level + 0.1 * torch.randn(32, 5, 1, generator=generator))
    assert (coupling.mean - 2).abs().max() < 0.1


def test_the_ring_holds_the_latest_standardised_signals():
    x = torch.randn(50, 6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    coupling = StreamingCoupling(6, memory=64).double()
    coupling.update(x[:20])
    coupling.update(x[20:])
    latest = (stabilize(x[20:]) - stabilize(x).mean(0)) / stabilize(x).std(0, unbiased=False)
    place = torch.arange(40, 100) % 64
    torch.testing.assert_close(coupling.signal[:, place], latest.permute(1, 2, 0).flatten(1))
    assert coupling.filled == 64


def test_a_batch_larger_than_the_ring_is_sampled():
    x = torch.randn(100, 5, 1, generator=torch.Generator().manual_seed(0))
    coupling = StreamingCoupling(5, memory=30)
    coupling.update(x)
    signal = (stabilize(x) - coupling.mean) / coupling.variance.sqrt()
    same = (coupling.signal.T.unsqueeze(1) - signal[..., 0]).abs().amax(2) < 1e-4
    assert (same.sum(1) == 1).all()
    assert same.any(0).sum() == 30


def test_coupling_among_all_candidates_is_the_partial_correlation(field):
    x, _ = field(4, 300)
    coupling = StreamingCoupling(16, candidates=15, memory=300).double()
    coupling.update(x)
    coupling.refresh()
    moments = (coupling.signal @ coupling.signal.T / 300).numpy()
    expected = torch.from_numpy(partial_correlation(moments, float(coupling.ridge))).clamp_min(0)
    found = torch.zeros_like(expected).scatter(1, coupling.index, coupling.coupling())
    torch.testing.assert_close(found, expected)


def test_sums_cover_the_whole_stream(field):
    """Moments of pairs are those of all samples, not of the latest."""
    x, _ = field(4, 1500)
    coupling = StreamingCoupling(16, candidates=15, memory=250).double()
    signals = []
    for batch in x.split(50):
        coupling.update(batch)
        signals.append(coupling.signal[:, (int(coupling.written) - 50 + torch.arange(50)) % 250].clone())
        if int(coupling.written) == 250:
            coupling.refresh()
    coupling.refresh()
    signal = torch.cat(signals, 1)
    age = 5 - (torch.arange(1500) // 250)  # sums are added up when the ring is full, and fade then
    fade = (1 - 250 / coupling.horizon) ** age.double()
    moments = (signal * fade) @ signal.T
    scale = moments.diag().rsqrt()
    correlation = moments * scale.unsqueeze(1) * scale
    for node, near in enumerate(coupling.index):
        ridged = correlation[near][:, near] + coupling.ridge * torch.eye(15, dtype=torch.float64)
        torch.testing.assert_close(coupling.beta[node], torch.linalg.solve(ridged, correlation[near, node]))


def test_candidates_are_the_most_correlated_of_the_stream(field):
    x, _ = field(4, 200)
    coupling = StreamingCoupling(16, candidates=5, memory=256).double()
    coupling.update(x)
    coupling.refresh()
    correlation = torch.corrcoef(coupling.signal[:, :200]).fill_diagonal_(-1)
    assert torch.equal(coupling.index.sort(1).values, correlation.topk(5, dim=1).indices.sort(1).values)


def test_the_sketch_estimates_the_sums_of_the_stream(field):
    """Signs make the products of different samples in one place cancel on average (a count sketch)."""
    x, _ = field(4, 1024)
    found = []
    for seed in range(40):
        coupling = StreamingCoupling(16, memory=64, seed=seed).double()
        for batch in x.split(64):
            coupling.update(batch)
        coupling._absorb()
        found.append(coupling.sums.sketch @ coupling.sums.sketch.T)
    exact = StreamingCoupling(16, memory=1024).double()
    for batch in x.split(64):
        exact.update(batch)
    fade = (1 - 64 / coupling.horizon) ** (15 - torch.arange(1024) // 64).double()
    expected = (exact.signal * fade.square()) @ exact.signal.T
    error = torch.stack(found).mean(0) - expected
    assert error.abs().max() < 5 * torch.stack(found).std(0).max() / 40**0.5


def test_the_ridge_is_chosen_on_samples_that_the_sums_do_not_know(field):
    """With few samples in the sums the next batches ask for a larger ridge than with many."""
    x, _ = field(8, 6000)
    ridges = []
    for first in (96, 4000):
        coupling = StreamingCoupling(64, candidates=24, memory=1024)
        for batch in x[:first].split(96):
            coupling.update(batch)
        coupling.refresh()
        coupling.score.zero_()
        coupling.update(x[first : first + 900])
        coupling.refresh()
        ridges.append(float(coupling.ridge))
    assert ridges[0] > 3 * ridges[1]


def test_partners_are_the_true_neighbours_in_both_directions(field):
    x, cells = field(8, 3000)
    loss = HebbianLoss(NodeEmbedding(64), every=1, memory=2048)
    loss(x)
    edges, truth = loss.edge_index(), grid_edges(cells)
    found, true = (set(zip(*e.tolist(), strict=True)) for e in (edges, truth))
    assert {(j, i) for i, j in found} == found
    assert len(found & true) > 0.97 * max(len(found), len(true))


def test_independent_noise_has_next_to_no_partners():
    coupling = StreamingCoupling(100)
    coupling.update(torch.randn(1024, 100, 1, generator=torch.Generator().manual_seed(0)))
    coupling.refresh()
    assert (coupling.partner >= 0).sum() < 40


# walks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(12,), (7, 9), (4, 5, 6)])
def test_walks_on_a_grid_cover_true_distances(shape):
    cells = SharedGraph.from_grid(shape).lattice.cell
    walks = StraightWalks(neighbour_table(grid_edges(cells), len(cells)))
    start, end, length = walks.sample(20, 6, torch.Generator().manual_seed(0))
    torch.testing.assert_close(length, (cells[start] - cells[end]).float().norm(dim=1))
    assert start.unique().numel() == len(cells)
    assert length.min() == 1
    assert length.max() > 5


def test_walks_on_triangles_know_their_angle():
    row, column = torch.meshgrid(torch.arange(9), torch.arange(9), indexing="ij")
    pos = torch.stack([row * 0.75**0.5, column + row / 2], 2).view(-1, 2)
    i, j = (torch.cdist(pos, pos) - 1).abs().lt(0.01).nonzero(as_tuple=True)
    walks = StraightWalks(neighbour_table(torch.stack([i, j]), 81))
    start, end, length = walks.sample(20, 4, torch.Generator().manual_seed(0))
    assert walks.cosine == 0.5
    torch.testing.assert_close(length, (pos[start] - pos[end]).norm(dim=1), rtol=1e-4, atol=1e-4)


def test_no_leg_is_longer_than_its_reach():
    cells = SharedGraph.from_grid((20, 20)).lattice.cell
    walks = StraightWalks(neighbour_table(grid_edges(cells), 400))
    for reach in (1, 2, 3, 7, 8, 9):
        start, end, _ = walks.sample(30, reach, torch.Generator().manual_seed(0))
        assert (cells[start] - cells[end]).abs().max() == reach


def test_nodes_without_partners_start_no_walk():
    walks = StraightWalks(torch.tensor([[1, -1], [0, -1], [-1, -1]]))
    start, end, length = walks.sample(5, 3, torch.Generator().manual_seed(0))
    assert set(start.tolist()) == set(end.tolist()) == {0, 1}
    assert (length == 1).all()


@pytest.mark.parametrize("shape", [(9, 11), (5, 6, 7)])
def test_all_walks_close_on_a_grid_and_hardly_any_beyond_a_fault(shape):
    cells = SharedGraph.from_grid(shape).lattice.cell
    table = neighbour_table(grid_edges(cells), len(cells))
    generator = torch.Generator().manual_seed(0)
    whole = StraightWalks(table)
    assert whole.closure(100, 4, generator) == pytest.approx(1, abs=0.1)
    start, end, length = whole.sample(20, 4, generator, closed=True)
    torch.testing.assert_close(length, (cells[start] - cells[end]).float().norm(dim=1))
    broken = table.clone()
    drawn = torch.rand(table.shape, generator=generator) < 0.15
    drawn |= (
        torch.stack([(table[j] == i) & drawn[j] for i, row in enumerate(table) for j in row]).any(1).view(table.shape)
    )
    broken[drawn] = -1
    walks = StraightWalks(broken)
    wrong = {}
    for closed in (False, True):
        start, end, length = walks.sample(50, 4, generator, closed=closed)
        wrong[closed] = ((cells[start] - cells[end]).float().norm(dim=1) - length).abs().gt(0.01).double().mean().item()
    assert walks.closure(20, 4, generator) < 0.8
    assert wrong[True] < 0.3 * wrong[False]


def test_shortest_ways_are_those_of_scipy():
    generator = torch.Generator().manual_seed(0)
    pos = torch.rand(60, 2, generator=generator, dtype=torch.float64)
    near = knn(pos, pos, 4, exclude_self=True)[1]
    matrix = torch.zeros(60, 60, dtype=torch.float64)
    i, j = torch.arange(60).repeat_interleave(4), near.flatten()
    matrix[i, j] = matrix[j, i] = (pos[i] - pos[j]).norm(dim=1)
    table = neighbour_table(matrix.nonzero().T, 60)
    length = torch.where(table >= 0, matrix.gather(1, table.clamp_min(0)), 1.0)
    ways = Geodesics(table, length, 60, generator)
    expected = torch.from_numpy(shortest_path(matrix.numpy(), directed=False))[ways.landmark]
    torch.testing.assert_close(ways.distance, expected)
    start, end, far = ways.sample(5, generator)
    assert torch.equal(far, ways.distance[ways.landmark.argsort()][start, end])


@pytest.mark.parametrize(("weak", "expected"), [(0.5, 4), (0.05, 2)])
def test_the_wiring_is_chosen_on_which_walks_close(weak, expected):
    """Couplings of one direction may be weaker by half and still be partners; where they hardly are, it is chains."""
    cells = SharedGraph.from_grid((12, 12)).lattice.cell
    generator = torch.Generator().manual_seed(0)
    gap = (cells.unsqueeze(1) - cells).abs()
    value = 0.01 * torch.rand(144, 144, generator=generator)
    value = torch.where((gap == torch.tensor([0, 1])).all(2), 0.4, value)
    value = torch.where((gap == torch.tensor([1, 0])).all(2), 0.4 * weak, value)
    value = (value + value.T) / 2
    strongest, other = value.topk(8, dim=1)
    partner, closure = choose_partners(strongest, other, strongest > 0.03, 0)
    inner = ((cells > 0) & (cells < 11)).all(1)
    assert ((partner >= 0).sum(1)[inner] == expected).all()
    assert (closure > REGULAR) == (expected == 4)


def test_places_drop_shortcuts_and_keep_the_sides_of_a_tear():
    place = torch.tensor([[0.0], [1.0], [2.0], [5.5], [6.5], [20.0]])
    partner = torch.tensor([[1, 5], [0, 2], [1, 3], [2, 4], [3, -1], [0, -1]])
    strong = torch.tensor([[1, 5, -1], [0, 2, -1], [1, 3, -1], [2, 4, -1], [3, 5, -1], [0, 4, -1]])
    kept = revised_partners(partner, strong.clamp_min(0), strong >= 0, place)
    pairs = {(i, int(j)) for i, row in enumerate(kept) for j in row if j >= 0}
    assert pairs == {(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (3, 4), (4, 3)}


# the loss ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("moved", "astray", "heard"), [(0.0, 0.0, True), (1.0, 0.0, False), (0.0, 1.0, False)])
def test_places_have_a_say_once_they_are_still_and_settled(field, moved, astray, heard):
    x, cells = field(6, 3000)
    place = cells.float()
    far = (place[:, 0] == 0) & (place[:, 1] == 0)
    place[far] -= 20  # no partner is near
    loss = HebbianLoss(NodeEmbedding.from_points(place), every=1, memory=2048)
    loss(x)
    loss.before.copy_(place + moved)
    loss.astray.fill_(astray)
    loss(x[:8])
    assert loss.coupling.regular
    assert (loss.coupling.partner[far] >= 0).any()
    assert not ((loss.wiring[far] >= 0).any() and heard)
    assert heard or torch.equal(loss.wiring, loss.coupling.partner)


@pytest.mark.parametrize(("side", "dim"), [(8, 2), (10, 2), (10, 4)])
def test_a_random_start_finds_its_neighbours(field, side, dim):
    x, cells = field(side, 2000)
    embedding = NodeEmbedding(side * side, dim, seed=side)
    before = recall(embedding().detach(), cells)
    learn(embedding, HebbianLoss(embedding), x, 300)
    assert before < 0.2
    assert recall(embedding().detach(), cells) > 0.95


def test_irregular_places_are_found_by_shortest_ways():
    generator = torch.Generator().manual_seed(0)
    pos = torch.rand(120, 2, generator=generator, dtype=torch.float64) * 11
    covariance = (1 + torch.cdist(pos, pos) / 2) * torch.exp(-torch.cdist(pos, pos) / 2)
    factor = torch.linalg.cholesky(covariance + 1e-6 * torch.eye(120))
    x = (torch.randn(4000, 120, generator=generator, dtype=torch.float64) @ factor.T).float()
    embedding = NodeEmbedding(120)
    loss = HebbianLoss(embedding)
    learn(embedding, loss, x, 400)
    assert not loss.coupling.regular
    assert trustworthiness(embedding().detach(), pos, k=8) > 0.98


def test_channels_and_dead_nodes_are_welcome(field):
    x, cells = field(8, 500, channels=3)
    live = torch.ones(66, dtype=torch.bool)
    live[[0, 30]] = False
    x = torch.zeros(500, 66, 3).index_copy(1, live.nonzero().squeeze(1), x)
    embedding = NodeEmbedding(66, live=live)
    learn(embedding, HebbianLoss(embedding, reach=8), x, 300)
    assert recall(embedding.weight.detach(), cells) > 0.9


def test_it_learns_beside_a_task(field):
    x, cells = field(6, 1000)
    embedding = NodeEmbedding(36)
    conv, loss = SCGEConv(1, 1, embedding, k=5), HebbianLoss(embedding, every=20)
    network = [p for p in conv.parameters() if p is not embedding.weight]
    optimizer = torch.optim.Adam([{"params": network, "lr": 1e-2}, {"params": [embedding.weight], "lr": 0.1}])
    for batch in x.repeat(4, 1, 1).split(16):
        optimizer.zero_grad()
        (loss(batch) + 0.01 * (conv(batch) - batch).square().mean()).backward()
        optimizer.step()
    assert recall(embedding.weight.detach(), cells) > 0.8


def test_gradients_with_frozen_statistics(field):
    x, _ = field(5, 300)
    embedding = NodeEmbedding(25, 3).double()
    loss = HebbianLoss(embedding, every=1, memory=256)
    loss(x.double())
    loss.eval()
    places = (3 * torch.rand(25, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).requires_grad_()

    def at(weight):
        return torch.func.functional_call(loss, {"embedding.weight": weight}, (x.double(),))

    assert at(places) > 0.1
    assert torch.autograd.gradcheck(at, places)


def test_statistics_pass_no_gradient(field):
    x, _ = field(5, 300)
    x.requires_grad_()
    embedding = NodeEmbedding(25)
    HebbianLoss(embedding, every=1, memory=256)(x).backward()
    assert x.grad is None
    assert embedding.weight.grad.abs().sum() > 0


def test_the_loss_is_smallest_at_the_truth(field):
    x, cells = field(8, 3000)
    loss = HebbianLoss(NodeEmbedding.from_points(cells.float()), every=1, memory=2048)
    true = loss(x)
    loss.eval()
    with torch.no_grad():
        loss.embedding.weight.mul_(1.3)
        scaled = loss(x)
        loss.embedding.weight.copy_(cells[torch.randperm(64, generator=torch.Generator().manual_seed(0))])
        shuffled = loss(x)
    assert true < scaled < shuffled


def test_spreading_pushes_strangers_apart():
    """Two uncoupled nodes at the same spot are no minimum, but only nodes closer than a diagonal are pushed."""
    embedding = NodeEmbedding.from_points(torch.tensor([[0.0], [0.1], [9.0]]))
    loss = HebbianLoss(embedding, every=1, negatives=50, memory=256)
    loss(torch.randn(256, 3, generator=torch.Generator().manual_seed(0))).backward()
    assert embedding.weight.grad[0] > 0 > embedding.weight.grad[1]
    assert embedding.weight.grad[2] == 0


def test_coinciding_places_have_finite_gradients(field):
    x, _ = field(5, 300)
    embedding = NodeEmbedding.from_points(torch.zeros(25, 2))
    HebbianLoss(embedding, every=1)(x).backward()
    assert embedding.weight.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constant_and_twin_nodes_never_make_nan(field, dtype):
    x, _ = field(5, 400)
    x = x.to(dtype)
    x[:, 3], x[:, 7], x[:, 11] = 0.0, 123.456, -1e-3
    x[:, 8] = x[:, 9]
    x[:, 4] = 0.0
    x[5, 4] = 1.0
    embedding = NodeEmbedding(25).to(dtype)
    loss = HebbianLoss(embedding, every=4)
    learn(embedding, loss, x, 40)
    assert embedding.weight.dtype == loss.coupling.signal.dtype == dtype
    assert embedding.weight.isfinite().all()
    assert all(value.isfinite().all() for value in loss.state_dict().values())
    assert (loss.coupling.signal[[3, 7, 11]] == 0).all()
    assert (loss.coupling.partner[[3, 7, 11]] == -1).all()
    assert (loss.coupling.partner >= 0).sum() > 40


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_offset_of_many_deviations_hides_no_partner(field, dtype):
    x, cells = field(8, 3000)
    loss = HebbianLoss(NodeEmbedding(64), every=1, memory=2048)
    for batch in (x.to(dtype) + 1e5).split(500):
        loss(batch)
    edges, truth = loss.edge_index(), grid_edges(cells)
    found, true = (set(zip(*e.tolist(), strict=True)) for e in (edges, truth))
    assert len(found & true) > 0.9 * max(len(found), len(true))


def test_nothing_varies():
    embedding = NodeEmbedding(6)
    loss = HebbianLoss(embedding, every=1)
    loss(torch.full((1, 6), 7.0)).backward()
    loss(torch.full((3, 6), 7.0)).backward()
    assert loss.edge_index().shape == (2, 0)
    assert embedding.weight.grad.isfinite().all()


def test_zero_before_the_first_estimate():
    embedding = NodeEmbedding(6)
    loss = HebbianLoss(embedding)
    value = loss(torch.rand(4, 6))
    value.backward()
    assert value == 0
    assert (embedding.weight.grad == 0).all()


def test_evaluation_repeats_itself_and_training_does_not(field):
    x, _ = field(5, 300)
    loss = HebbianLoss(NodeEmbedding(25), every=1)
    first, second = loss(x), loss(x)
    assert first != second
    loss.eval()
    before = {key: value.clone() for key, value in loss.state_dict().items()}
    assert loss(x) == loss(x[:5] + 1) == second
    assert all(torch.equal(value, before[key]) for key, value in loss.state_dict().items())


def test_nan_of_a_dead_node_and_autocast_change_nothing(field):
    x, _ = field(5, 300)
    live = torch.ones(26, dtype=torch.bool)
    live[7] = False
    wide = torch.full((300, 26, 1), torch.nan).index_copy(1, live.nonzero().squeeze(1), x)
    plain, other = HebbianLoss(NodeEmbedding(25), every=1), HebbianLoss(NodeEmbedding(26, live=live), every=1)
    with torch.autocast("cpu", torch.bfloat16):
        found = other(wide)
    assert found == plain(x)
    assert found.dtype == torch.float32


def test_a_table_without_channels_is_one_channel(field):
    x, _ = field(5, 300)
    flat, deep = (HebbianLoss(NodeEmbedding(25), every=1) for _ in range(2))
    assert flat(x[..., 0]) == deep(x)


def test_the_same_seed_gives_the_same_bits(field):
    x, _ = field(6, 500)
    results = []
    for seed in (4, 4, 5):
        torch.manual_seed(len(results))  # the global generator has no say
        embedding = NodeEmbedding(36)
        learn(embedding, HebbianLoss(embedding, every=10, seed=seed), x, 60)
        results.append(embedding.weight.detach())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_a_restored_loss_goes_on_as_the_original(field):
    x, _ = field(6, 500, channels=2)
    original = HebbianLoss(NodeEmbedding(36), every=7, memory=200)
    for batch in x[:300].split(20):
        original(batch)
    restored = HebbianLoss(NodeEmbedding(36, seed=1), every=7, memory=200)
    restored(x[:5])
    restored.load_state_dict(original.state_dict())
    for batch in x[300:].split(20):
        assert original(batch) == restored(batch) > 0
    assert all(torch.equal(value, restored.state_dict()[key]) for key, value in original.state_dict().items())


def test_no_state_grows_with_the_square_of_the_nodes():
    sizes = {}
    for num_nodes in (500, 1000):
        loss = HebbianLoss(NodeEmbedding(num_nodes), every=1, memory=64)
        loss(torch.randn(64, num_nodes, generator=torch.Generator().manual_seed(0)))
        kept = [*loss.state_dict().values(), *vars(loss._lessons).values()]
        sizes[num_nodes] = sum(t.numel() * t.element_size() for t in kept if isinstance(t, torch.Tensor))
        members = 25  # a node and its candidates
        assert sizes[num_nodes] < num_nodes * 4 * (2 * 64 + members**2 + 3 * members + 64 + 64)
    assert sizes[1000] < 2.01 * sizes[500]


# what a stream shares with discovery: statistics of pairs, and constants
SHARED = (
    "scge_pyg.discovery.coupling.candidate_regression.",
    "scge_pyg.discovery.coupling.direct.stabilize",
    "scge_pyg.discovery.coupling.thresholds.",
    "scge_pyg.graph.drawing.wiring.TRIANGULATED",
)


@pytest.mark.parametrize("module", [hebbian, lessons, geodesics, streaming_coupling, straight_walks])
def test_neither_discovery_nor_a_layout_takes_part(module):
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            own = name.startswith(("scge_pyg.discover", "scge_pyg.graph.drawing", "scge_pyg.nn.trained.fit_embedding"))
            assert name.startswith(SHARED) or not own
            assert name not in {"scge_pyg", "scge_pyg.nn.fit_embedding"}
            assert not name.startswith(("scipy", "sklearn", "networkx", "umap"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"embedding": torch.nn.Embedding(9, 2)}, TypeError, "embedding must be a NodeEmbedding, got Embedding"),
        ({"embedding": NodeEmbedding(2)}, ValueError, "at least 3 live nodes, got 2"),
        ({"candidates": 0}, ValueError, "candidates must be an integer of at least 1, got 0"),
        ({"memory": 8}, ValueError, "memory must be an integer of at least 16, got 8"),
        ({"every": True}, ValueError, "every must be an integer of at least 1, got True"),
        ({"walks": 1.5}, ValueError, "walks must be an integer"),
        ({"reach": -1}, ValueError, "reach must be an integer of at least 1, got -1"),
        ({"negatives": -1}, ValueError, "negatives must be an integer of at least 0"),
        ({"spread": float("nan")}, ValueError, "spread must be a finite number of at least 0, got nan"),
    ],
)
def test_what_cannot_be_built(arguments, error, message):
    with pytest.raises(error, match=message):
        HebbianLoss(**{"embedding": NodeEmbedding(9), **arguments})


def test_what_cannot_be_read():
    loss = HebbianLoss(NodeEmbedding(9))
    with pytest.raises(TypeError, match=r"floating-point tensor, got torch.int64; convert it with .float()"):
        loss(torch.ones(4, 9, dtype=torch.long))
    with pytest.raises(TypeError, match="got list"):
        loss([1.0])
    with pytest.raises(ValueError, match=r"x must be \[B, 9\] or \[B, 9, C\].*got \[4, 8\]"):
        loss(torch.ones(4, 8))
    with pytest.raises(ValueError, match="x has NaN or infinite values"):
        loss(torch.full((4, 9), torch.nan))
    loss(torch.rand(4, 9, 2))
    with pytest.raises(ValueError, match="keep its 2 channels over 9 nodes, got 3 channels"):
        loss(torch.rand(4, 9, 3))


def test_it_introduces_itself():
    assert repr(HebbianLoss(NodeEmbedding(9))).splitlines()[1].strip() == "every=50, walks=2, reach=None, spread=1.0"
