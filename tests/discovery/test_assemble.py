import numpy as np
import pytest
import torch

from scge_pyg.discovery.assemble import assemble
from scge_pyg.discovery.lattices.snapping import Cells
from scge_pyg.discovery.parts.part import Part
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read


def chain(num_nodes, columns=1, lattice=False):
    """A part that is a chain along the first column."""
    pos = np.zeros((num_nodes, columns))
    pos[:, :1] = np.arange(num_nodes)[:, None] - 3.0 * (not lattice)
    edges = np.stack([np.arange(num_nodes - 1), np.arange(1, num_nodes)])
    cells = None
    if lattice:
        cells = Cells(np.arange(num_nodes)[:, None], (num_nodes,), (False,), np.ones(num_nodes), 0.0)
    confidence, sign = np.linspace(0.1, 1, num_nodes), np.ones(num_nodes, dtype=np.int64)
    rows = np.zeros(0, dtype=np.int64)
    return Part(pos, edges, np.full(num_nodes - 1, 0.5), 1, confidence, sign, cells, None, None, rows, "")


@pytest.fixture
def signals():
    """Nine distinct nodes of twelve: one is dead, one the twin of another, one its inverted twin."""
    x = torch.randn(200, 12, generator=torch.Generator().manual_seed(0))
    x[:, 10], x[:, 11], x[:, 5] = x[:, 2], -x[:, 3], 1.0
    return prepare(read(x))


def built(signals, parts, names=None):
    return assemble(signals, parts, 12, names, 200, {})


def test_parts_stand_apart_in_the_order_of_the_samples(signals):
    rows = np.arange(9)
    graph = built(signals, [(rows[:5], chain(5, columns=2)), (rows[5:], chain(4))])
    order = torch.from_numpy(signals.order)
    assert graph.pos.dtype == torch.float32
    first, second = graph.pos[order[:5]], graph.pos[order[5:]]
    assert (first[1:] - first[:-1]).tolist() == [[1.0, 0.0]] * 4
    assert (second[1:] - second[:-1]).tolist() == [[1.0, 0.0]] * 3
    assert second[:, 0].min() - first[:, 0].max() == 64
    assert graph.part_dim == (1, 1)
    assert graph.pos[5].isnan().all()
    assert graph.component[5] == -1


def test_twins_take_after_their_originals(signals):
    graph = built(signals, [(np.arange(9), chain(9))])
    for one, other in ((2, 10), (3, 11)):
        assert torch.equal(graph.pos[one], graph.pos[other])
        assert graph.confidence[one] == graph.confidence[other]
        joined = (graph.edge_index[0] == one) & (graph.edge_index[1] == other)
        assert graph.edge_weight[joined].tolist() == [1.0]
    assert graph.sign[2] == graph.sign[10] == 1
    assert sorted(graph.sign[[3, 11]].tolist()) == [-1, 1]
    assert graph.num_undirected_edges == 8 + 2


def test_the_first_lattice_stands_at_the_origin(signals):
    rows = np.arange(9)
    graph = built(signals, [(rows[:5], chain(5)), (rows[5:], chain(4, lattice=True))])
    order = torch.from_numpy(signals.order)
    assert graph.lattice.origin == (0.0,)
    assert torch.equal(graph.pos[order[5:]], graph.lattice.cell[order[5:]].float())
    assert (graph.lattice.cell[order[:5]] == -1).all()


def test_further_lattices_know_where_they_begin(signals):
    rows = np.arange(9)
    graph = built(signals, [(rows[:5], chain(5, lattice=True)), (rows[5:], chain(4, lattice=True))])
    order = torch.from_numpy(signals.order)
    assert [lattice.shape for lattice in graph.lattices] == [(5,), (4,)]
    for lattice, nodes in zip(graph.lattices, (order[:5], order[5:]), strict=True):
        assert torch.equal(graph.pos[nodes], lattice.cell[nodes] + torch.tensor(lattice.origin))


def test_nothing_but_edges(signals):
    graph = built(signals, [(np.arange(9), chain(9).without_map())])
    assert (graph.dim, graph.pos.shape) == (0, (12, 0))
    assert graph.num_undirected_edges == 8 + 2


def test_names_and_live_nodes_are_kept(signals):
    names = tuple("abcdefghijkl")
    graph = built(signals, [(np.arange(9), chain(9))], names)
    assert graph.names == names
    assert graph.live.tolist() == [node != 5 for node in range(12)]
    assert graph.fit is None
