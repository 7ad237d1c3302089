import math

import numpy as np
import pandas
import pytest
import torch
import xarray
from scipy.stats import t as student
from torch_geometric.nn import GCNConv

from scge_pyg import SharedGraph, discover
from scge_pyg.discovery import lagged_coupling
from scge_pyg.discovery.lagged import regression
from scge_pyg.discovery.lagged.candidates import lagged_partners
from scge_pyg.discovery.lagged.times import after_gaps


def chain(nodes, steps, seed, delay=2, own=0.5, follow=0.5, noise=0.5):
    """Each node is an autoregression that repeats the one before, ``delay`` steps later."""
    rng = np.random.default_rng(seed)
    shock = rng.standard_normal((steps + 200, nodes))
    x = np.zeros_like(shock)
    for t in range(delay, len(x)):
        x[t] = own * x[t - 1] + shock[t] * np.r_[math.sqrt(1 - own**2), np.full(nodes - 1, noise)]
        x[t, 1:] += follow * x[t - delay, :-1]
    return x[200:]


def line(nodes):
    return SharedGraph.from_pos(torch.arange(float(nodes))[:, None], k=1)


def by_loops(recordings, graph, lags, ridge, reverse):
    """Gain of each edge in each block, by one least-squares problem after the other."""
    x = np.concatenate(recordings)
    score = (x - x.mean(0)) / x.std(0)
    number = np.repeat(np.arange(len(recordings)), [len(one) for one in recordings])
    blocks = min(20, len(x) // (10 * lags))
    block = np.arange(len(x)) * blocks // len(x)
    rows = []
    for t in range(len(x)):
        past = [t + lag if reverse else t - lag for lag in range(1, lags + 1)]
        if all(0 <= s < len(x) and number[s] == number[t] and block[s] == block[t] for s in past):
            rows.append((t, past))
    at = np.array([block[t] for t, _ in rows])
    gain = []
    for source, target in graph.edge_index.T.tolist():
        others = [one for one, end in graph.edge_index.T.tolist() if end == target]
        error = []
        for nodes in ([target, *others], [target, *(one for one in others if one != source)]):
            z = np.array([score[past][:, nodes].ravel() for _, past in rows])
            y = np.array([score[t, target] for t, _ in rows])
            error.append([])
            for held in range(blocks):
                fit, check = at != held, at == held
                w = np.linalg.solve(z[fit].T @ z[fit] + ridge * fit.sum() * np.eye(z.shape[1]), z[fit].T @ y[fit])
                error[-1].append(np.mean((y[check] - z[check] @ w) ** 2))
        gain.append(0.5 * np.log(np.array(error[1]) / np.array(error[0])))
    return np.array(gain).T


@pytest.mark.parametrize("groups", ["one", "many"])
def test_weights_are_those_of_a_loop_over_edges_and_blocks(groups, monkeypatch):
    if groups == "many":
        monkeypatch.setattr(regression, "_VALUES", 1)
    x = chain(5, 400, 0)
    recordings = [x[:170], x[170:]]
    star = torch.tensor([[0, 0, 0, 3], [1, 2, 3, 4]])
    graph = SharedGraph(torch.arange(5.0)[:, None], torch.cat([star, star.flip(0)], 1))
    found = lagged_coupling(recordings, graph, lags=2)
    forward, backward = (by_loops(recordings, graph, 2, found.ridge, reverse) for reverse in (False, True))
    np.testing.assert_allclose(found.edge_weight, forward.mean(0).clip(0), atol=1e-6)
    np.testing.assert_allclose(found.error, forward.std(0, ddof=1) / math.sqrt(len(forward)), atol=1e-6)
    edges = graph.edge_index.T.tolist()
    turned = [edges.index(edge[::-1]) for edge in edges]
    net = forward - backward
    net = net - net[:, turned]
    statistic = net.mean(0) / (net.std(0, ddof=1) / math.sqrt(len(net)))
    np.testing.assert_allclose(found.p_value, 2 * student.sf(abs(statistic), len(net) - 1), rtol=1e-3, atol=1e-7)


def rows(steps, index, seed=0):
    return pandas.DataFrame(chain(4, steps, seed), index=index, columns=list("abcd"))


def same(one, other):
    return all(
        torch.equal(getattr(one, key), getattr(other, key))
        for key in ("edge_index", "edge_weight", "error", "leads", "p_value", "coefficient")
    )


@pytest.mark.parametrize("kind", ["times", "with a zone", "milliseconds", "numbers", "xarray", "in a list"])
def test_gaps_of_an_index_cut_a_recording(kind):
    """Against the pieces by themselves, and the loop over what has a whole past."""
    tick = np.r_[0:110, 115:290, 291:420]
    index = {
        "times": pandas.Timestamp("2026-03-28") + pandas.to_timedelta(tick * 5, unit="min"),
        "with a zone": pandas.DatetimeIndex(
            np.datetime64("2026-03-28", "ns") + tick * np.timedelta64(5, "m"), tz="UTC"
        ),
        "milliseconds": pandas.to_timedelta(tick, unit="ms"),
        "numbers": 0.25 * tick,
    }.get(kind, tick)
    x = rows(len(tick), index)
    pieces = [x.iloc[:110].to_numpy(), x.iloc[110:285].to_numpy(), x.iloc[285:].to_numpy()]
    taken = x
    if kind == "xarray":
        taken = xarray.DataArray(x.to_numpy(), {"time": index, "node": list("abcd")}, ("time", "node"))
    if kind == "in a list":
        taken = (one for one in (pieces[0], x.iloc[110:]))
    found = lagged_coupling(taken, line(4), lags=3)
    assert found.names == tuple("abcd")
    expected = by_loops(pieces, line(4), 3, found.ridge, reverse=False)
    np.testing.assert_allclose(found.edge_weight, expected.mean(0).clip(0), atol=1e-6)
    assert same(found, lagged_coupling(pieces, line(4), lags=3))
    assert not same(found, lagged_coupling(x.to_numpy(), line(4), lags=3))


def test_steps_that_only_look_uneven_are_no_gaps():
    x = chain(4, 400, 0)
    whole = lagged_coupling(x, line(4))
    days = pandas.bdate_range("2024-01-01", periods=400)
    months = pandas.date_range("1990-01-01", periods=400, freq="MS")
    jitter = np.arange(400) + np.random.default_rng(0).uniform(-0.2, 0.2, 400)
    twice, words = np.r_[0:200, 0:200], [f"row {number % 7}" for number in range(400)]
    for index in (days, months, months.to_period(), jitter, twice, words, np.arange(400)):
        assert same(whole, lagged_coupling(pandas.DataFrame(x, index=index), line(4)))
    hours = pandas.date_range("2024-01-01", periods=400, freq="bh")
    nights = np.r_[False, np.diff(hours.day) != 0]
    assert (after_gaps(pandas.DataFrame(x, index=hours), "x") == nights).all()


def test_no_lag_reaches_over_a_gap_in_search_of_partners():
    """The first three steps of a recording repeat, in another node, the last three of the one before."""
    recordings = np.random.default_rng(0).standard_normal((200, 10, 3))
    recordings[1:, :3, 1] = recordings[:-1, -3:, 0]
    score = torch.from_numpy(np.concatenate(recordings)).float()
    score = (score - score.mean(0)) / score.std(0)
    apart = torch.arange(200).repeat_interleave(10)
    assert [0, 1] in lagged_partners(score, torch.zeros(2000, dtype=torch.long))[0].T.tolist()
    assert [0, 1] not in lagged_partners(score, apart)[0].T.tolist()


def test_results_name_their_nodes():
    x = chain(3, 400, 0)
    assert lagged_coupling(x, line(3)).names is None
    assert lagged_coupling(x, named()).names == ("a", "b", "c")
    assert lagged_coupling(frame(["u", "v", "w"]), line(3)).names == ("u", "v", "w")
    assert lagged_coupling([x, frame(["u", "v", "w"])]).names == ("u", "v", "w")


def test_coefficients_and_gains_are_those_of_the_process():
    rng = np.random.default_rng(0)
    leader, noise = rng.standard_normal((2, 20_000))
    follower = np.r_[np.zeros(3), 0.8 * leader[:-3]] + 0.5 * noise
    x = np.stack([1000 * leader, follower], 1)  # in another unit
    found = lagged_coupling(x, line(2), lags=4)
    assert found.edge_index.tolist() == [[0, 1], [1, 0]]
    assert found.leads.tolist() == [1, -1]
    assert found.lag[0] == 3
    torch.testing.assert_close(1000 * found.coefficient[0], torch.tensor([0, 0, 0.8, 0]), atol=0.02, rtol=0)
    assert float(found.edge_weight[0]) == pytest.approx(0.5 * math.log(1 + 0.8**2 / 0.5**2), abs=0.02)
    assert float(found.edge_weight[1]) < 1e-3
    assert float(found.error[0]) < 0.02


def test_own_dynamics_and_a_chain_leave_nothing_to_the_grandparent():
    x = chain(3, 6000, 1, delay=1)
    triangle = torch.tensor([[0, 1, 0], [1, 2, 2]])
    graph = SharedGraph(torch.arange(3.0)[:, None], torch.cat([triangle, triangle.flip(0)], 1))
    found = lagged_coupling(x, graph)
    weight = dict(zip(map(tuple, found.edge_index.T.tolist()), found.edge_weight.tolist(), strict=True))
    # given the past of both, e of node 1 and 2 is white with deviation 0.5, and follow times the leader is left over
    assert min(weight[0, 1], weight[1, 2]) > 0.1
    assert max(weight[0, 2], weight[2, 0], weight[1, 0], weight[2, 1]) < 0.003
    directed, nats = found.directed()
    assert directed.tolist() == [[0, 1], [1, 2]]
    assert nats.tolist() == [weight[0, 1], weight[1, 2]]


def test_a_chain_that_discover_found_runs_forward_and_in_reverse_backward():
    x = chain(12, 3000, 2)
    order = np.random.default_rng(0).permutation(12)
    x, place = x[:, order], order
    graph = discover(x)
    found, mirrored = lagged_coupling(x, graph), lagged_coupling(x[::-1].copy(), graph)
    source, target = place[found.edge_index.numpy()]
    true = abs(source - target) == 1
    assert true.sum() == 22
    assert (found.leads.numpy() == np.sign(target - source))[true].all()
    assert (mirrored.leads == -found.leads).all()


def test_without_a_graph_a_tree_is_found_among_all_pairs():
    rng = np.random.default_rng(7)
    leader, delay = np.r_[-1, rng.integers(0, np.arange(1, 30))], rng.integers(1, 4, 30)
    shock = rng.standard_normal((3000, 30)) * np.where(leader < 0, 1, 0.5)
    x = shock.copy()
    for t in range(3, 3000):
        x[t] += 0.5 * x[t - 1] + np.where(leader < 0, 0, 0.5) * x[t - delay, leader]
    x[:, 11] = 4  # dead
    x[:, leader == 11] = shock[:, leader == 11]
    found = lagged_coupling(x)
    directed = set(map(tuple, found.directed()[0].T.tolist()))
    true = {(int(leader[node]), node) for node in range(1, 30) if 11 not in (leader[node], node)}
    assert true <= directed
    assert len(directed) <= len(true) + 2
    steps = {tuple(pair): lag for pair, lag in zip(found.edge_index.T.tolist(), found.lag.tolist(), strict=True)}
    assert all(steps[s, t] == delay[t] for s, t in true)


def test_nothing_is_directed_in_noise_or_in_a_field_through_noise_of_unequal_strength():
    directed = 0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        grid = SharedGraph.from_grid((5, 5))
        noise = rng.standard_normal((2000, 25))
        directed += sum(int((lagged_coupling(noise, graph).leads != 0).sum()) for graph in (grid, None))
        source = rng.standard_normal((2000, 25))
        for t in range(1, 2000):
            source[t] += 0.8 * source[t - 1]
        distance = torch.cdist(grid.pos, grid.pos).numpy()
        field = source @ np.exp(-(distance**2) / 4)
        field = field / field.std(0) + rng.uniform(0, 1, 25) * rng.standard_normal((2000, 25))
        found = lagged_coupling(field, grid)
        directed += int((found.leads != 0).sum())
        back = np.lexsort((found.edge_index[0], found.edge_index[1]))
        apart = (found.edge_weight - found.edge_weight[back]).abs() / (found.error + found.error[back])
        assert (apart > 3).any()  # one end helps more, and yet none leads
    assert directed == 0


def test_order_and_units_of_nodes_change_nothing():
    x = chain(8, 1000, 3)
    order = np.random.default_rng(1).permutation(8)
    graph = line(8)
    rank = torch.from_numpy(np.argsort(order))
    shuffled = SharedGraph(graph.pos[order], rank[graph.edge_index])
    found = lagged_coupling(x, graph)
    other = lagged_coupling(-3 * x[:, order] + 7, shuffled)
    back = torch.from_numpy(order)[other.edge_index]
    sort = np.lexsort((back[1], back[0]))
    assert torch.equal(back[:, sort], found.edge_index)
    torch.testing.assert_close(other.edge_weight[sort], found.edge_weight, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(other.coefficient[sort], found.coefficient, atol=1e-4, rtol=1e-3)
    assert torch.equal(other.leads[sort], found.leads)


def test_shuffled_steps_have_no_leader():
    x = chain(8, 1000, 3)
    assert (lagged_coupling(x, line(8)).leads != 0).all()
    assert (lagged_coupling(x[np.random.default_rng(0).permutation(1000)], line(8)).leads == 0).all()


def test_copies_do_not_lead_each_other_and_a_late_copy_follows():
    x = chain(2, 1000, 5)
    source, target = np.nonzero(~np.eye(4, dtype=bool))
    every = SharedGraph(torch.zeros(4, 1), torch.from_numpy(np.stack([source, target])))
    found = lagged_coupling(np.stack([x[1:, 0], -x[1:, 0], x[:-1, 0], x[1:, 0]], 1), every)
    leads = {tuple(edge): lead for edge, lead in zip(found.edge_index.T.tolist(), found.leads.tolist(), strict=True)}
    assert [leads[0, 1], leads[0, 3], leads[3, 1]] == [0, 0, 0]
    alone = lagged_coupling(np.stack([x[1:, 0], x[:-1, 0]], 1))
    assert alone.leads.tolist() == [1, -1]
    assert float(alone.edge_weight[0]) > 3


def test_lags_follow_those_of_the_graph_from_4_to_16():
    x = chain(4, 1400, 4)
    for lag, lags in ((0, 4), (6, 6), (40, 16)):
        graph = line(4)
        graph.lag = torch.full_like(graph.lag, lag)
        assert lagged_coupling(x, graph).coefficient.shape == (6, lags)
    assert lagged_coupling(x[:1000], graph).coefficient.shape == (6, 12)  # 80 steps a lag
    assert lagged_coupling(x, line(4), lags=1).coefficient.shape == (6, 1)


def test_edges_and_weights_go_into_a_pyg_operator():
    x = chain(6, 800, 5)
    found = lagged_coupling(torch.from_numpy(x), line(6))
    assert str(found) == "LaggedCoupling(edges=5, directed=5, lags=4)"
    assert GCNConv(1, 2)(torch.randn(6, 1), *found.directed()).shape == (6, 2)


def test_a_graph_without_edges_has_no_weights_and_one_direction_of_an_edge_stands_for_both():
    x = chain(3, 800, 6)
    empty = SharedGraph(torch.zeros(3, 1), torch.zeros(2, 0, dtype=torch.long))
    assert lagged_coupling(x, empty).edge_weight.shape == (0,)
    one_way = SharedGraph(torch.arange(3.0)[:, None], torch.tensor([[1, 2, 2], [0, 1, 2]]))
    found = lagged_coupling(x, one_way)
    assert found.edge_index.tolist() == line(3).edge_index.tolist()
    assert found.leads.tolist() == [1, -1, 1, -1]


def bad(**changes):
    arguments = {"x": np.random.default_rng(0).standard_normal((400, 3)), "graph": line(3), "lags": 4} | changes
    return lambda: lagged_coupling(arguments["x"], arguments["graph"], lags=arguments["lags"])


def recordings():
    return [np.random.default_rng(seed).standard_normal((5, 3)) for seed in range(80)]


def frame(columns):
    return pandas.DataFrame(np.random.default_rng(0).standard_normal((400, 3)), columns=columns)


def named():
    graph = line(3)
    graph.names = ("a", "b", "c")
    return graph


def holes():
    x = np.random.default_rng(0).standard_normal((400, 3))
    x[7, 1] = np.nan
    return x


def constant():
    x = np.random.default_rng(0).standard_normal((400, 3))
    x[:, 2] = 5
    return x


def at(index):
    return frame(["a", "b", "c"]).set_axis(index)


def hours(**moved):
    index = pandas.date_range("2026-11-30", periods=400, freq="h").to_series().reset_index(drop=True)
    for place, hour in moved.items():
        index[int(place[1:])] = index[0] + pandas.Timedelta(hours=hour) if hour is not None else pandas.NaT
    return pandas.DatetimeIndex(index)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            bad(x=at(hours(_7=3))),
            ValueError,
            r"^lagged_coupling: rows of x must be in time order, .* 2026-11-30 03:00:00 in row 7 after 2026-11-30 06.*"
            r"x.sort_index\(\).*x.reset_index\(drop=True\) if rows follow",
        ),
        (bad(x=at(hours(_7=6))), ValueError, "in row 7 after .*let no time come twice"),
        (bad(x=at(hours(_9=None))), ValueError, "lacks the time of row 9; fill it in"),
        (bad(x=at(np.arange(400)[::-1])), ValueError, "has 398 in row 1 after 399; sort it"),
        (bad(x=[frame(list("abc")), at(hours(_7=3))]), ValueError, "rows of batch 1 of x must be in time order"),
        (
            bad(x=xarray.DataArray(np.eye(9, 3), {"time": np.arange(9)[::-1]}, ("time", "node"))),
            ValueError,
            r"sort it, x.sortby\('time'\), .*x.drop_vars\('time'\)",
        ),
        (bad(x=at(10 * np.arange(400) // 7)), ValueError, "too short for 4 lags"),
        (bad(graph=torch.zeros(2, 4)), TypeError, "graph must be a SharedGraph or None, got Tensor; pass discover"),
        (bad(x=[1.0, 2.0]), TypeError, "^lagged_coupling: "),
        (bad(x=np.zeros((400, 4))), ValueError, r"x must be \[T, 3\].*got \[400, 4\]"),
        (bad(x=np.zeros((400, 3, 2))), ValueError, r"one channel.*got \[400, 3, 2\]; of several channels"),
        (bad(x=np.eye(319, 3)), ValueError, "at least 320 steps in time order are needed for 4 lags, got 319"),
        (
            bad(x=holes()),
            ValueError,
            "1 nodes have some, the first is node 1 at step 7; interpolate",
        ),
        (bad(x=holes(), graph=named()), ValueError, "node 'b' at step 7"),
        (bad(x=constant()), ValueError, "node 2 is live in graph, but constant in x"),
        (bad(x=frame(["a", "c", "b"]), graph=named()), ValueError, "in another order than graph; pass x"),
        (bad(x=frame(["a", "b", "d"]), graph=named()), ValueError, "a node 'd' that graph has not"),
        (
            bad(x=recordings()),
            ValueError,
            "the 80 recordings of x, or pieces .* too short for 4 lags.*fewer lags, or x.reset_index",
        ),
        (bad(x=np.zeros((1, 2049)), graph=None), ValueError, "without a graph, x must have 2 to 2048 nodes, got 2049"),
        (bad(lags=0), ValueError, "lags must be an integer of at least 1, got 0"),
        (bad(lags=2.5), TypeError, "lags must be an integer of at least 1, got 2.5"),
    ],
)
def test_bad_input_is_named_with_its_remedy(call, error, match):
    with pytest.raises(error, match=match):
        call()
