import numpy as np
import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.models import (
    LinearForecaster,
    SCGEForecaster,
    SharedForecaster,
    fit_forecaster,
    forecasts,
)
from scge_pyg.nn import NodeEmbedding
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all


@pytest.fixture
def one_thread():
    """Small steps are not worth two threads, least of all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _wave(steps=400, nodes=12, seed=0):
    """A noise that moves along a line, one node a step."""
    noise = torch.randn(steps + nodes, generator=torch.Generator().manual_seed(seed))
    smooth = noise.unfold(0, 4, 1).mean(1)
    return torch.stack([smooth[nodes - i : nodes - i + steps - 4] for i in range(nodes)], 1)


def _places(nodes=12):
    """On a line, no two distances alike, so that there are no ties between neighbours."""
    return torch.arange(float(nodes)).add(0.1).pow(1.1).unsqueeze(1)


def _line(nodes=12):
    return SharedGraph.from_pos(_places(nodes))


def _stirred(model, seed=0):
    """The model with random parameters: it starts as persistence, which would pass nearly any test."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval()


def _models(nodes=12):
    torch.manual_seed(0)
    return {
        "shared": _stirred(SharedForecaster(nodes, 6, 3, channels=8)),
        "clock": _stirred(SharedForecaster(nodes, 6, 3, channels=8, period=24, waves=2)),
        "scge": _stirred(SCGEForecaster(6, 3, _line(nodes), channels=8, k=4, period=24)),
        "taps": _stirred(SCGEForecaster(6, 3, _line(nodes), channels=8, k=4, kernel="points", content=None, heads=1)),
        "own": LinearForecaster(nodes, 6, 3, lags=4).fit(_wave(nodes=nodes)),
        "all": LinearForecaster(nodes, 6, 3, lags=4, across=True).fit(_wave(nodes=nodes)),
    }


def _clock(model, time):
    """What a forecaster is told of the time: nothing without a period."""
    return [] if model.period is None else [time]


NAMES = ["shared", "clock", "scge", "taps", "own", "all"]


@pytest.mark.parametrize("name", NAMES)
def test_layouts_and_loop_over_windows(name):
    model = _models()[name]
    x, time = torch.randn(5, 12, 6), torch.tensor([0, 3, 23, 24, 47])
    y = model(x, *_clock(model, time))
    assert y.shape == (5, 12, 3)
    torch.testing.assert_close(model(x.flatten(0, 1), *_clock(model, time)), y.flatten(0, 1))
    windows = [model(w, *_clock(model, t[None])) for w, t in zip(x, time, strict=True)]
    torch.testing.assert_close(torch.cat(windows), y.flatten(0, 1))
    if model.period is None:
        assert_batch_equals_loop(model, x)
    assert (y - x[:, :, -1:]).abs().max() > 0.1


def test_shared_network_equals_its_formula_node_by_node():
    model = _models()["clock"].double()
    x, time = torch.randn(2, 12, 6, dtype=torch.float64), torch.tensor([5, 30])
    mean, scale = model.mean, model.scale
    for b in range(2):
        angle = 2 * np.pi * (time[b].item() % 24) / 24
        clock = torch.tensor([np.sin(angle), np.sin(2 * angle), np.cos(angle), np.cos(2 * angle)])
        for i in range(12):
            z = (x[b, i] - mean) / scale
            r = torch.cat([z[:-1] - z[-1], z[-1:]])
            h = model.encoder(torch.cat([r, model.identity[i], clock]))
            for block in model.blocks:
                h = h + block.network(block.norm(h))
            expected = x[b, i, -1] + scale * (model.linear(r) + model.head(h))
            torch.testing.assert_close(model(x, time)[b, i], expected)


def test_mixing_equals_a_loop_over_nodes_and_neighbours():
    model = _stirred(SCGEForecaster(6, 3, _line(), channels=8, k=3, layers=1, heads=2, summaries=3)).double()
    z = torch.randn(1, 12, 6, dtype=torch.float64)
    newest = z[:, :, -1:]
    known = torch.cat([z[:, :, :-1] - newest, newest, model.identity[None]], 2)
    h, block = model.encoder(known), model.blocks[0]
    normed = block.norm(h)
    mix = block.mix
    _, (edge_index, alpha) = mix.near(normed, return_attention_weights=True)
    heard = mix.near.bias.expand(12, -1).clone()
    for e, (j, i) in enumerate(edge_index.T.tolist()):
        heads = (normed[0, j] @ mix.near.weight[0]).view(2, 8)
        heard[i] += (alpha[0, e].unsqueeze(1) * heads).mean(0)
    for i in range(12):
        near = (_places() - _places()[i]).abs().squeeze(1).argsort()[:3]
        assert set(edge_index[0, edge_index[1] == i].tolist()) == set(near.tolist())
        for k in range(3):
            share = mix.gathers[:, k].exp() / mix.gathers[:, k].exp().sum()
            weight = mix.spreads[i, k].exp() / mix.spreads[i].exp().sum()
            heard[i] += weight * sum(share[j] * mix.far(normed[0, j]) for j in range(12))
    out = h + block.network(torch.cat([normed, heard[None]], 2))
    torch.testing.assert_close(model(z), newest + model.linear(known[:, :, :6]) + model.head(out))


def test_neighbours_by_edges_and_by_places():
    pairs = [SCGEForecaster(6, 3, _line(), channels=8, heads=2, k=k, summaries=0).blocks[0].mix.near for k in (None, 4)]
    x = torch.randn(1, 12, 8)
    edges, nearest = (conv(x, return_attention_weights=True)[1][0] for conv in pairs)
    graph = _line()
    loops = torch.arange(12).expand(2, -1)
    assert set(map(tuple, edges.T.tolist())) == set(map(tuple, torch.cat([graph.edge_index, loops], 1).T.tolist()))
    assert torch.equal(torch.bincount(nearest[1]), torch.full((12,), 4))


@pytest.mark.parametrize("name", NAMES)
def test_permuting_the_nodes_permutes_the_forecasts(name):
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    model = _models()[name]
    if name in ("own", "all"):
        other = LinearForecaster(12, 6, 3, lags=4, across=name == "all").fit(_wave()[:, order])
    else:
        graph = SharedGraph.from_pos(_places()[order])
        options = {"channels": 8, "period": model.period}
        if name in ("scge", "taps"):
            kind = {"content": None, "kernel": "points", "heads": 1} if name == "taps" else {}
            other = SCGEForecaster(6, 3, graph, k=4, **kind, **options)
        else:
            other = SharedForecaster(12, 6, 3, waves=model.waves, **options)
        own = {key: value for key, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
        own |= {k: v[order] for k, v in own.items() if k.endswith(("identity", "gathers", "spreads"))}
        target = dict(other.named_parameters())
        with torch.no_grad():
            for key, parameter in target.items():
                parameter.copy_(own[key])
        other.eval()
    x, time = torch.randn(3, 12, 6), _clock(model, torch.arange(3))
    torch.testing.assert_close(other(x[:, order], *time), model(x, *time)[:, order], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_forecasts_know_nothing_of_what_comes_later(name):
    model, series = _models()[name], _wave(60)
    guess, came = forecasts(model, series, start=7)
    assert guess.shape == came.shape == (len(series) - 8, 12, 3)
    torch.testing.assert_close(came[5], series[11:14].T)
    torch.testing.assert_close(guess[5], model(series[5:11].T, *_clock(model, torch.tensor([10 + 7]))))
    later = series.clone()
    later[20:] += 100
    torch.testing.assert_close(forecasts(model, later, start=7)[0][: 20 - 5], guess[: 20 - 5])
    assert not torch.allclose(forecasts(model, later, start=7)[0][15], guess[15])


def test_training_uses_nothing_but_the_series_and_the_seed():
    series = _wave(200)
    twins = []
    for later in (0.0, 100.0):
        whole = torch.cat([series[:150], series[150:] + later])
        torch.manual_seed(0)
        model = SharedForecaster(12, 6, 3, channels=8)
        fit_forecaster(model, whole[:150], epochs=1, seed=3)
        twins.append(model)
    for a, b in zip(twins[0].state_dict().values(), twins[1].state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert twins[0].mean == series[:150].mean()


def test_unit_of_the_series_does_not_matter():
    series = _wave(120)
    errors = []
    for factor, shift in ((1.0, 0.0), (0.01, 40.0)):
        torch.manual_seed(0)
        model = SharedForecaster(12, 6, 3, channels=8)
        fit_forecaster(model, series * factor + shift, epochs=2)
        guess, came = forecasts(model, series * factor + shift)
        errors.append((guess - came) / factor)
    torch.testing.assert_close(errors[0], errors[1], atol=1e-2, rtol=1e-2)


def test_ridge_solves_its_normal_equations():
    series, ridge = _wave(150, 3).double(), 0.3
    for across in (False, True):
        model = LinearForecaster(3, 5, 2, lags=2, across=across).double().fit(series, ridge)
        z = ((series - model.mean) / model.scale).numpy()
        past = np.stack([z[t - 4 : t + 1] for t in range(4, len(z) - 2)])
        future = np.stack([z[t + 1 : t + 3] for t in range(4, len(z) - 2)])
        seen = np.stack([past[:, -2] - past[:, -1], past[:, -1]], -1)
        change = np.moveaxis(future - past[:, -1:], 1, 2)
        for i in range(3):
            columns = slice(None) if across else slice(i, i + 1)
            x = seen[:, columns].reshape(len(seen), -1)
            x = x - x.mean(0)
            y = change[:, i] - change[:, i].mean(0)
            expected = np.linalg.solve(x.T @ x / len(x) + ridge * np.eye(x.shape[1]), x.T @ y / len(x))
            own = model.weight[0].view(6, 3, 2)[:, i] if across else model.weight[i]
            np.testing.assert_allclose(own.numpy(), expected, atol=1e-8)
        guess, came = forecasts(model, series)
        assert (guess - came).mean((0, 2)).abs().max() < 1e-6 * model.scale


def test_a_moving_wave_needs_neighbours(one_thread):
    series = _wave(500)
    error = []
    torch.manual_seed(0)
    for model in (SharedForecaster(12, 6, 3, channels=16), SCGEForecaster(6, 3, _line(), channels=16, k=7)):
        fit_forecaster(model, series[:380], epochs=25, batch_size=64, lr=2e-2)
        guess, came = forecasts(model, series[380:])
        error.append((guess - came)[:, 4:].square().mean())  # node i follows i - 1: the first ones can't be known
    assert error[1] < 0.7 * error[0]


def test_state_and_gradients():
    model = _models()["scge"]
    model.set_scale(_wave())
    twin = SCGEForecaster(6, 3, _line(), channels=8, k=4, period=24)
    twin.load_state_dict(model.state_dict())
    x, time = torch.randn(2, 12, 6), torch.tensor([1, 2])
    torch.testing.assert_close(twin.eval()(x, time), model(x, time), rtol=0, atol=0)
    other = SCGEForecaster(6, 3, SharedGraph.from_pos(torch.rand(12, 1) * 12), channels=8, k=4, period=24)
    with pytest.raises((ValueError, RuntimeError)):
        other.load_state_dict(model.state_dict())
    assert_gradients_reach_all(_models()["shared"], x)
    table = NodeEmbedding.from_graph(_line())
    trained = _stirred(SCGEForecaster(6, 3, table, channels=8, k=4))
    trained(x).square().sum().backward()
    assert table.weight.grad is not None
