"""``torch.load(weights_only=True)``: what holds a graph is read without running code of the file."""

import io
import pickle

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv

from scge_pyg import OnSharedGraph, SCGEConv, SharedGraph, discover
from scge_pyg.graph import Fit


def reloaded(thing):
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def same(one, other):
    """Equal down to the last field."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            same(value, other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            same(*pair)
    elif type(one).__module__.startswith("scge_pyg"):
        same(vars(one), vars(other))
    else:
        assert one == other or (one != one and other != other)


@pytest.fixture(scope="module")
def found(grid_field):
    return discover(grid_field((8, 8)).x)


def test_a_discovered_graph(found):
    assert isinstance(found.fit, Fit)
    assert found.lattice is not None
    same(found, reloaded(found))


@pytest.mark.parametrize("graph", [SharedGraph.from_grid((2, 3)), SharedGraph.from_pos(torch.rand(9, 3))])
def test_inside_a_data(graph):
    data = Data(x=torch.rand(graph.num_nodes, 2), graph=graph, parts=graph.parts())
    again = reloaded(data)
    assert torch.equal(again.x, data.x)
    same(again.graph, graph)
    same(again.parts, data.parts)


class Net(torch.nn.Module):
    def __init__(self, graph):
        super().__init__()
        self.graph, self.scale = graph, torch.nn.Parameter(torch.rand(3))


def test_inside_a_module():
    net = Net(SharedGraph.from_grid((2, 3)))
    with torch.serialization.safe_globals([Net]):
        same(reloaded(net).graph, net.graph)


def test_states_hold_tensors_alone():
    for layer in (SCGEConv(2, 3, num_nodes=6, k=2), OnSharedGraph(GCNConv(2, 3), SharedGraph.from_grid((2, 3)))):
        same(dict(reloaded(layer.state_dict())), dict(layer.state_dict()))


class Harm:
    def __reduce__(self):
        return print, ("code of the file ran",)


def test_code_is_still_refused(capsys):
    graph = SharedGraph.from_grid((2, 3))
    graph.names = Harm()
    with pytest.raises(pickle.UnpicklingError, match="print"):
        reloaded(Data(graph=graph))
    assert not capsys.readouterr().out
