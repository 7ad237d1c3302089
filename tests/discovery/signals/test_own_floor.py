"""Parts beside each other: each has the roots, and so the graph, that it has alone."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from scge_pyg import discover
from scge_pyg.discovery.signals.delays import aligned_in_time
from scge_pyg.discovery.signals.own_floor import with_own_floor
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read
from scge_pyg.metrics import cell_accuracy


@pytest.fixture(scope="module")
def pictures():
    """Pictures ``[S, N]``, two thirds of whose pixels are dark."""
    noise = np.random.default_rng(100).standard_normal((1000, 16, 17))
    field = gaussian_filter(noise, (0, 0.9, 0.9))[:, 4:-4, 4:-4]
    return torch.from_numpy(np.maximum(np.exp(field / field.std()) - 1.5, 0)).float().flatten(1)


@pytest.fixture(scope="module")
def chain():
    """Steps of random walks ``[S, N]``, of either sign."""
    return torch.from_numpy(np.random.default_rng(5).standard_normal((1000, 30)).cumsum(1)).float()


def test_roots_are_those_of_the_part_alone(pictures, chain):
    samples = read(torch.cat([chain, pictures], 1))
    signals = prepare(samples)
    assert signals.rooted is None
    nodes = np.flatnonzero(signals.order >= 30)
    own = with_own_floor(signals.take(nodes), samples, signals.number)
    alone = prepare(read(pictures))
    assert np.array_equal(own.order - 30, alone.order)
    assert np.array_equal(own.rooted, alone.rooted)
    assert np.array_equal(own.score, alone.score)
    other = np.flatnonzero(signals.order < 30)
    assert with_own_floor(signals.take(other), samples, signals.number).rooted is None


@pytest.mark.parametrize("channels", [1, 2])
def test_of_all_nodes_they_are_what_they_were(pictures, channels):
    """Though samples repeat, values are missing and signals are shifted back by their delays."""
    x = pictures.view(1000, 36, 2)[..., :channels].clone() + 3.0
    generator = torch.Generator().manual_seed(0)
    x[:, 0] += torch.rand(1000, channels, generator=generator)  # what ties seldom tells that samples are copies
    x[torch.rand(x.shape, generator=generator) < 0.05] = torch.nan
    x[40:50] = x[:10]
    samples = read(x)
    signals = prepare(samples)
    delay = np.random.default_rng(0).integers(0, 4, signals.num_nodes)
    delay[0], delay[1] = 0, 3
    assert len(signals.number) < len(samples.number)
    for found in (signals, aligned_in_time(signals, delay)):
        assert np.array_equal(with_own_floor(found, samples, signals.number).rooted, found.rooted)


def test_a_geometry_is_as_good_as_alone(pictures, chain):
    order = torch.randperm(102, generator=torch.Generator().manual_seed(0))
    graph = discover(torch.cat([pictures, chain], 1)[:, order])
    own = order[order < 72]
    alone = discover(pictures[:, own])
    part, other = graph.parts()
    assert part.fit.coupling == alone.fit.coupling
    assert torch.equal(part.edge_index, alone.edge_index)
    assert torch.equal(part.lattice.cell, alone.lattice.cell)
    torch.testing.assert_close(part.edge_weight, alone.edge_weight, atol=1e-3, rtol=0)
    assert cell_accuracy(part, torch.cartesian_prod(torch.arange(8), torch.arange(9))[own]) == 1.0
    assert other.lattice.shape == (30,)
