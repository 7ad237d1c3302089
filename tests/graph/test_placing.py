"""Nodes that come later, against the places that they were taken from."""

import numpy as np
import pytest
import torch

from scge_pyg import SharedGraph

RNG = np.random.default_rng(0)


def signals(pos, samples=1500, seed=0):
    """A Gaussian field whose correlation falls with distance."""
    pos = np.asarray(pos, float)
    covariance = np.exp(-np.linalg.norm(pos[:, None] - pos[None], axis=-1) / 3) + 0.05 * np.eye(len(pos))
    return np.random.default_rng(seed).standard_normal((samples, len(pos))) @ np.linalg.cholesky(covariance).T


def named(pos, names, k=None):
    graph = SharedGraph.from_pos(torch.as_tensor(np.asarray(pos, np.float32)), k=k)
    return SharedGraph(graph.pos, graph.edge_index, graph.edge_weight, names=names)


@pytest.fixture(scope="module")
def plane():
    """81 jittered places, their signals and names, and the ten of them that come later."""
    cells = np.stack(np.meshgrid(np.arange(9), np.arange(9), indexing="ij"), -1).reshape(-1, 2)
    pos = cells + RNG.uniform(-0.3, 0.3, (81, 2))
    names = [f"n{k}" for k in range(81)]
    late = np.sort(RNG.choice(81, 10, replace=False))
    return pos, signals(pos), names, late


def test_new_nodes_go_where_they_were(plane):
    pos, x, names, late = plane
    early = np.setdiff1d(np.arange(81), late)
    graph = named(pos[early], [names[k] for k in early])
    order = RNG.permutation(81)
    grown = graph.place(torch.from_numpy(x[:, order]), [names[k] for k in order])
    assert grown.names[:71] == graph.names
    assert torch.equal(grown.pos[:71], graph.pos)
    assert torch.equal(grown.edge_index[:, (grown.edge_index < 71).all(0)], graph.edge_index)
    found = dict(zip(grown.names[71:], grown.pos[71:].numpy(), strict=True))
    errors = [np.linalg.norm(found[names[k]] - pos[k]) for k in late]
    assert np.median(errors) < 0.25
    assert max(errors) < 0.6
    assert grown.confidence[71:].min() > 0.9
    assert (torch.bincount(grown.edge_index[0], minlength=81)[71:] >= 4).all()


def test_inverted_missing_noisy_and_dead_newcomers(plane):
    pos, x, names, late = plane
    early = np.setdiff1d(np.arange(81), late)
    x = x.copy()
    x[:, late[3]] += np.random.default_rng(1).standard_normal(len(x))
    x[:, late[0]] *= -1
    x[::7, late[1]] = np.nan
    x[:, late[2]] = 3.0
    graph = named(pos[early], [names[k] for k in early])
    grown = graph.place(x, names)
    assert grown.sign[71:74].tolist() == [-1, 1, 0]
    assert grown.live[71:74].tolist() == [True, True, False]
    for row, node in ((71, late[0]), (72, late[1]), (74, late[3])):
        assert np.linalg.norm(grown.pos[row].numpy() - pos[node]) < 0.6


def test_the_part_that_grows_keeps_its_dimension():
    """Two parts that know nothing of each other: the smaller one gets the new nodes and becomes the larger."""
    line = np.stack([np.arange(14.0), np.zeros(14)], 1)
    plane = np.stack(np.divmod(np.arange(16), 4), 1) + np.array([0.0, 40.0])
    x = np.concatenate([signals(line, seed=1), signals(plane, seed=2)], 1)
    names = [f"l{k}" for k in range(14)] + [f"p{k}" for k in range(16)]
    kept = [0, 1, 2, 3, 5, 6, 8, 9, 11, 13, *range(14, 27)]
    both = np.concatenate([line, plane])
    graph = SharedGraph.from_pos(torch.from_numpy(both[kept]).float(), k=2)
    keep = (graph.edge_index < 10).all(0) | (graph.edge_index >= 10).all(0)
    graph = SharedGraph(
        graph.pos, graph.edge_index[:, keep], graph.edge_weight[keep], part_dim=[2, 1], names=[names[k] for k in kept]
    )
    assert torch.bincount(graph.component).tolist() == [13, 10]
    columns = [*kept, 4, 7, 10, 12]
    grown = graph.place(x[:, columns], [names[k] for k in columns])
    assert torch.bincount(grown.component).tolist() == [14, 13]
    assert grown.part_dim == (1, 2)
    errors = np.linalg.norm(grown.pos[23:].numpy() - line[[4, 7, 10, 12]], axis=1)
    assert errors.max() < 1


def test_a_lattice_stays_for_the_nodes_that_have_a_cell():
    graph = SharedGraph.from_grid((4, 5))
    graph.names = tuple(f"n{k}" for k in range(20))
    pos = np.r_[graph.pos.numpy(), [[1.5, 1.5]]]
    grown = graph.place(signals(pos), [*graph.names, "new"])
    assert torch.equal(grown.lattice.cell[:20], graph.lattice.cell)
    assert grown.lattice.cell[20].tolist() == [-1, -1]
    np.testing.assert_allclose(grown.pos[20].numpy(), pos[20], atol=0.5)


def test_what_does_not_fit_is_told(plane):
    pos, x, names, _ = plane
    graph = named(pos[:70], names[:70])
    with pytest.raises(ValueError, match="the graph has no names"):
        SharedGraph.from_grid((3, 3)).place(x, names)
    with pytest.raises(ValueError, match=r"x must be \[S, 81\], a column for each name, got \[1500, 80\]"):
        graph.place(x[:, :80], names)
    with pytest.raises(
        ValueError, match="at least 5 live nodes of the graph and of one new node, names are those of 4 and"
    ):
        graph.place(x[:, 66:], names[66:])
    with pytest.raises(ValueError, match="of 70 and 0"):
        graph.place(x[:, :70], names[:70])
    with pytest.raises(ValueError, match="names must differ, 'n0' came twice"):
        graph.place(x, ["n0", "n0", *names[2:]])
    edges = SharedGraph(torch.zeros(9, 0), torch.tensor([[0, 1], [1, 0]]), names=names[:9])
    with pytest.raises(ValueError, match="place: this graph has no geometry"):
        edges.place(x, names)
