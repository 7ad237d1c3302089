from types import SimpleNamespace

import networkx
import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.metrics import edge_scores, grid_edges


def brute_force(found, true, mask):
    def pairs(edges):
        return {
            frozenset(edge) for edge in edges.t().tolist() if edge[0] != edge[1] and mask[edge[0]] and mask[edge[1]]
        }

    found, true = pairs(found), pairs(true)
    precision = len(found & true) / len(found) if found else 0.0
    recall = len(found & true) / len(true)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return precision, recall, f1


@pytest.mark.parametrize("seed", range(5))
def test_equals_brute_force(seed):
    generator = torch.Generator().manual_seed(seed)
    found = torch.randint(0, 12, (2, 40), generator=generator)
    true = torch.randint(0, 12, (2, 30), generator=generator)
    mask = torch.rand(12, generator=generator) > 0.2
    graph = SimpleNamespace(edge_index=found, live=mask)
    assert edge_scores(graph, true) == pytest.approx(brute_force(found, true, mask))
    everything = torch.ones(12, dtype=torch.bool)
    assert edge_scores(graph, true, everything) == pytest.approx(brute_force(found, true, everything))


def test_directions_do_not_matter():
    graph = SharedGraph.from_grid((3, 4))
    one_way = graph.edge_index[:, graph.edge_index[0] < graph.edge_index[1]]
    scores = edge_scores(graph, one_way)
    assert (scores.precision, scores.recall, scores.f1) == (1.0, 1.0, 1.0)


def test_nothing_found_scores_zero():
    graph = SimpleNamespace(edge_index=torch.empty(2, 0, dtype=torch.long), live=torch.ones(3, dtype=torch.bool))
    assert edge_scores(graph, torch.tensor([[0], [1]])) == (0.0, 0.0, 0.0)


def test_bad_input_is_refused():
    graph = SharedGraph.from_grid((4,))
    with pytest.raises(ValueError, match=r"true_edge_index must be int64 \[2, E\]"):
        edge_scores(graph, graph.edge_index.t())
    with pytest.raises(ValueError, match=r"names nodes 0\.\.4, but the graph has 4"):
        edge_scores(graph, torch.tensor([[0], [4]]))
    with pytest.raises(ValueError, match=r"mask must be bool \[4\]"):
        edge_scores(graph, graph.edge_index, torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="no true edge"):
        edge_scores(graph, graph.edge_index, torch.tensor([True, False, True, False]))


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4)])
def test_grid_edges_are_those_of_networkx(shape):
    generator = torch.Generator().manual_seed(0)
    cells = SharedGraph.from_grid(shape).lattice.cell
    cells = cells[torch.randperm(cells.shape[0], generator=generator)] - 3
    node = {tuple((cell + 3).tolist()): index for index, cell in enumerate(cells)}
    # networkx numbers the axes from the last one and drops the tuple in one dimension
    truth = networkx.grid_graph(dim=shape[::-1])
    names = {name: node[name if isinstance(name, tuple) else (name,)] for name in truth}
    edges = {(names[a], names[b]) for a, b in truth.edges} | {(names[b], names[a]) for a, b in truth.edges}
    assert grid_edges(cells).t().tolist() == sorted(map(list, edges))


def test_grid_edges_of_an_outline_with_a_hole():
    full = SharedGraph.from_grid((3, 3)).lattice.cell
    ring = full[torch.arange(9) != 4]
    edges = grid_edges(ring)
    assert edges.shape == (2, 16)
    assert torch.equal(edges[0].bincount(), torch.full((8,), 2))
    assert grid_edges(full[:0]).shape == (2, 0)


def test_grid_edges_refuses_shared_cells():
    with pytest.raises(ValueError, match="share one cell"):
        grid_edges(torch.tensor([[0, 0], [0, 0]]))
    with pytest.raises(ValueError, match="integer tensor"):
        grid_edges(torch.rand(3, 2))
