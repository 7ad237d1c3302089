import numpy as np
import pytest
import torch

from scge_pyg import NodeCalibration, SharedGraph, discover


def rig(steps=6000, side=6, seed=100):
    """A smooth field that drifts in time, seen by sensors with gains, offsets, signs and delays of their own."""
    rng = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
    distance = np.linalg.norm(cells[:, None] - cells, axis=2)
    root = np.linalg.cholesky(np.exp(-distance / 3) + 1e-6 * np.eye(len(cells)))
    field = rng.normal(size=(steps, len(cells))) @ root.T
    for step in range(1, steps):
        field[step] = 0.8 * field[step - 1] + 0.6 * field[step]
    gain = np.exp(rng.uniform(np.log(0.2), np.log(5), len(cells)))
    sign = np.where(rng.random(len(cells)) < 1 / 3, -1, 1)
    delay = rng.integers(0, 4, len(cells))
    late = np.stack([np.roll(field[:, i], delay[i]) for i in range(len(cells))], 1)[4:]
    return field[4:], sign * gain * late + 7, gain, sign, delay


def test_an_unknown_rig_is_calibrated():
    field, x, gain, sign, delay = rig()
    found = NodeCalibration.from_graph(discover(x), x)
    same = found.sign.numpy() * sign
    assert abs(same.sum()) == len(same)  # up to one flip
    true = gain / np.median(gain)
    assert np.abs(found.gain.detach().numpy() / true - 1).max() < 0.1
    assert (found.delay.detach().numpy() == delay - round(np.median(delay))).mean() > 0.95
    u = found(torch.from_numpy(x).float()).detach().numpy()
    raw = np.corrcoef(x.T)[np.triu_indices(36, 1)]
    back, truth = (np.corrcoef(one.T)[np.triu_indices(36, 1)] for one in (u, field))
    assert np.abs(back - truth).max() < 0.02
    assert np.abs(raw - truth).max() > 0.5


def test_it_inverts_what_sensors_do():
    u = torch.randn(50, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = NodeCalibration(4, max_delay=3).double()
    gain, offset = torch.tensor([0.5, 1, 2, 3.0]).double(), torch.tensor([0, 1, -2, 5.0]).double()
    sign, delay = torch.tensor([1, -1, 1, -1.0]).double(), [3, -3, 0, 2]
    with torch.no_grad():
        found.log_gain.copy_(gain.log())
        found.offset.copy_(offset)
        found.sign.copy_(sign)
        found.delay.copy_(torch.tensor(delay))
    late = torch.stack([u[:, i].roll(delay[i], 0) for i in range(4)], 1)
    x = (sign * gain).view(1, 4, 1) * late + offset.view(1, 4, 1)
    torch.testing.assert_close(found(x), u[3:-3])
    torch.testing.assert_close(found(x[..., 0]), u[3:-3, :, 0])


def test_gradients_reach_gains_offsets_and_fractions_of_delays():
    found = NodeCalibration(3, max_delay=2).double()
    x = torch.randn(9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    start = torch.tensor([0.3, -1.4, 1.6], dtype=torch.float64)

    def run(log_gain, offset, delay):
        return torch.func.functional_call(found, {"log_gain": log_gain, "offset": offset, "delay": delay}, (x,))

    assert torch.autograd.gradcheck(run, [one.requires_grad_() for one in (start * 0.5, start + 1, start)])


def test_a_delay_is_learned():
    time = torch.arange(400.0)
    u = torch.sin(time / 9) + torch.cos(time / 23)
    x = torch.stack([u, u.roll(2)], 1)[5:]
    found = NodeCalibration(2, max_delay=4)
    optimizer = torch.optim.Adam([found.delay], 0.05)
    for _ in range(200):
        y = found(x)
        optimizer.zero_grad()
        (y[:, 0] - y[:, 1]).square().mean().backward()
        optimizer.step()
    assert float(found.delay.detach().diff()) == pytest.approx(2, abs=0.05)


def test_gains_and_delays_are_relative_to_the_median_of_their_part():
    time = torch.arange(500.0)
    x = torch.stack([3 * time.sin(), 6 * time.sin(), 12 * time.sin()], 1)
    x = torch.cat([x, 20 * x.roll(7, 0)], 1)
    pairs = torch.tensor([[0, 1], [1, 2], [3, 4], [4, 5]])
    pairs = torch.cat([pairs, pairs.flip(1)]).T
    graph = SharedGraph.from_edge_index(pairs, 6)
    found = NodeCalibration.from_graph(graph, x)
    torch.testing.assert_close(found.gain.detach(), torch.tensor([0.5, 1, 2, 0.5, 1, 2]), rtol=1e-4, atol=0)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("channels", [(), (2,)])
def test_what_is_missing_is_missing_where_it_is_read_and_nowhere_else(value, channels):
    """Against a loop over the samples that are there; what is read with the weight 0 is not read."""
    found = NodeCalibration(5, max_delay=2).double()
    delay = torch.tensor([0.0, 0.25, -1.0, 2.0, -1.5], dtype=torch.float64)  # 2 is read with the share 1
    x = torch.randn(12, 5, *channels, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    x[[0, 5, 5, 6, 8, 11, 4, 7], [0, 0, 1, 2, 3, 3, 4, 4]] = value
    with torch.no_grad():
        found.delay.copy_(delay)
        found.log_gain.copy_(torch.linspace(-1, 1, 5))
    y = found(x)
    for step, node in torch.cartesian_prod(torch.arange(8), torch.arange(5)).tolist():
        at = step + 2 + float(delay[node])
        low = int(np.floor(at))
        terms = [(low, 1 - (at - low)), (low + 1, at - low)]
        read = [(weight, x[time, node]) for time, weight in terms if weight]
        expected = sum(weight * one for weight, one in read) / found.gain[node]
        expected = torch.where(expected.isfinite(), expected, torch.nan)
        torch.testing.assert_close(y[step, node], expected, equal_nan=True)
    assert 0 < int(y.isnan().sum()) < y.numel() / 3
    y[~y.isnan()].square().mean().backward()
    assert all(one.grad.isfinite().all() for one in found.parameters())
    assert found.delay.grad[1] != 0


def test_missing_values_are_left_out_of_gains_and_offsets():
    x = torch.randn(300, 3, generator=torch.Generator().manual_seed(3)) * torch.tensor([1.0, 2, 5]) + 3
    holes = torch.rand(300, 3, generator=torch.Generator().manual_seed(4)) < 0.2
    graph = SharedGraph.from_grid((3,))
    found = NodeCalibration.from_graph(graph, x.masked_fill(holes, torch.nan))
    deviation = [float(x[~holes[:, i], i].std(correction=0)) for i in range(3)]
    torch.testing.assert_close(found.gain.detach(), torch.tensor(deviation) / np.median(deviation))
    torch.testing.assert_close(found.offset.detach(), torch.stack([x[~holes[:, i], i].mean() for i in range(3)]))


def test_a_delay_beyond_the_largest_stays_there():
    found = NodeCalibration(2, max_delay=1)
    x = torch.arange(9.0).unsqueeze(1).expand(9, 2)
    with torch.no_grad():
        found.delay.copy_(torch.tensor([5.0, -7.0]))
        assert torch.equal(found(x), torch.stack([torch.arange(2.0, 9), torch.arange(7.0)], 1))


def test_without_a_delay_no_step_is_lost():
    x = torch.randn(7, 3)
    assert torch.equal(NodeCalibration(3)(x), x)
    assert repr(NodeCalibration(3, 2)) == "NodeCalibration(num_nodes=3, max_delay=2)"


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.rand(4, 3), ValueError, "more than 4 steps, got"),
        (torch.rand(9, 4), ValueError, r"\[T, 3\].*got \[9, 4\]"),
        (torch.ones(9, 3, dtype=torch.long), TypeError, "floats, got torch.int64"),
    ],
)
def test_bad_input(x, error, message):
    with pytest.raises(error, match=message):
        NodeCalibration(3, max_delay=2)(x)


def test_what_cannot_be_built():
    with pytest.raises(ValueError, match="max_delay must be an integer of at least 0, got -1"):
        NodeCalibration(3, -1)
    graph = SharedGraph.from_grid((3,))
    with pytest.raises(ValueError, match=r"x must be \[T, 3\].*got \[5, 4\]"):
        NodeCalibration.from_graph(graph, torch.rand(5, 4))
    with pytest.raises(ValueError, match="node 1 is live in graph, but constant in x"):
        NodeCalibration.from_graph(graph, torch.tensor([[1.0, 2, 3], [2, 2, 5]]))
    with pytest.raises(ValueError, match="node 2 is live in graph, but all of its values in x are missing; pass"):
        NodeCalibration.from_graph(graph, torch.tensor([[1.0, 2, torch.nan], [2, 3, torch.nan]]))
    with pytest.raises(ValueError, match="x has infinite values in 1 of 6 places; if they are missing, make them NaN"):
        NodeCalibration.from_graph(graph, torch.tensor([[1.0, 2, 3], [2, torch.inf, 5]]))
    with pytest.raises(TypeError, match="graph must be a SharedGraph, got Tensor; use discover"):
        NodeCalibration.from_graph(torch.eye(3), torch.rand(5, 3))
