import networkx as nx
import pytest
import torch

from scge_pyg.models.cgae.density.chow_liu import chow_liu_tree


def edges(parent):
    return {frozenset((v, u)) for v, u in enumerate(parent) if u >= 0}


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("least", [0.0, -1.0, -10.0])
def test_no_spanning_tree_has_more_information(count, least):
    generator = torch.Generator().manual_seed(count)
    information = torch.rand(count, count, generator=generator) + least
    information = (information + information.T).fill_diagonal_(5.0)
    parent = chow_liu_tree(information)
    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_weighted_edges_from((a, b, float(information[a, b])) for a in range(count) for b in range(a))
    assert edges(parent) == {frozenset(edge) for edge in nx.maximum_spanning_edges(graph, data=False)}
    assert parent.count(-1) == 1


def test_equal_informations_give_a_tree():
    parent = chow_liu_tree(torch.zeros(5, 5))
    assert nx.is_tree(nx.Graph([tuple(edge) for edge in edges(parent)]))


def test_the_root_is_the_best_informed():
    information = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 2.0], [0.0, 2.0, 0.0]])
    assert chow_liu_tree(information) == (1, -1, 1)
