"""Nodes that equal another one but for the rounding of another unit."""

import numpy as np
import pytest
import torch

from scge_pyg import discover
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read
from scge_pyg.discovery.signals.twins import without_near_twins


def readings(num_nodes=12, num_samples=2000, seed=100):
    """A chain of neighbours that correlate by 0.8, in single precision."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((num_samples, num_nodes))
    for node in range(1, num_nodes):
        x[:, node] = 0.8 * x[:, node - 1] + 0.6 * x[:, node]
    return torch.from_numpy(x).float()


def test_readings_in_another_unit_are_twins_with_their_sign():
    a = readings()
    x = torch.cat([a, -2 * a[:, [3, 7]] + 5, 3 * a[:, [7]]], 1)
    signals = without_near_twins(prepare(read(x)))
    assert signals.num_nodes == 12
    pairs = {frozenset(pair): sign for pair, sign in zip(signals.twins.T.tolist(), signals.twin_sign, strict=True)}
    groups = {frozenset((3, 12)): -1, frozenset((7, 13)): -1, frozenset((7, 14)): 1, frozenset((13, 14)): -1}
    assert len(pairs) == 3
    assert all(groups[pair] == sign for pair, sign in pairs.items())
    assert set(signals.twins[1].tolist()) <= set(signals.order.tolist())


def test_an_exact_twin_of_a_near_twin_finds_its_original():
    a = readings()
    near = 3 * a[:, [4]] + 7
    x = torch.cat([a, near, near.clone(), -near], 1)
    signals = without_near_twins(prepare(read(x)))
    assert signals.num_nodes == 12
    assert set(signals.twins.ravel().tolist()) - set(range(12)) == {12, 13, 14}
    assert np.isin(signals.twins[1], signals.order).all()
    with pytest.warns(UserWarning, match="share a place: 4 = 12 = 13 = 14;"):
        graph = discover(x)
    assert graph.live.all()
    assert graph.pos.isfinite().all()
    for twin in (12, 13, 14):
        assert torch.equal(graph.pos[twin], graph.pos[4])
    assert graph.sign[12:].tolist() == [int(graph.sign[4])] * 2 + [-int(graph.sign[4])]


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_alike_is_not_equal(noise):
    a = readings()
    x = torch.cat([a, a[:, [5]] + noise * torch.randn(len(a), 1, generator=torch.Generator().manual_seed(0))], 1)
    signals = prepare(read(x))
    assert without_near_twins(signals) is signals


def test_three_rows_are_left():
    """Four rows of two signals are not merged to two."""
    a = readings(2)
    x = torch.cat([a, 1e-2 * a + 1], 1)
    signals = prepare(read(x))
    assert signals.num_nodes == 4
    assert without_near_twins(signals) is signals
