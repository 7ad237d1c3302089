import pytest
import torch
from torch_geometric.data import Batch, Data

from scge_pyg import SharedGraph
from scge_pyg.transforms import ShuffleNodes


def test_one_permutation_for_a_modality():
    shuffle = ShuffleNodes(3)
    order = shuffle.permutation(50)
    assert torch.equal(order.sort().values, torch.arange(50))
    assert torch.equal(order, ShuffleNodes(3).permutation(50))
    assert not torch.equal(order, ShuffleNodes(4).permutation(50))
    assert not torch.equal(order, torch.arange(50))


@pytest.mark.parametrize("shape", [(7,), (5, 7), (5, 7, 2), (2, 5, 7, 3)])
def test_tensors_are_permuted_along_the_nodes_and_back(shape):
    shuffle = ShuffleNodes(1)
    x = torch.rand(shape)
    axis = shape.index(7)
    assert torch.equal(shuffle(x), x.index_select(axis, shuffle.permutation(7)))
    assert torch.equal(shuffle.inverse(shuffle(x)), x)


def test_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    ShuffleNodes(9)(torch.zeros(2, 4))
    assert torch.equal(torch.get_rng_state(), state)


def test_data_moves_with_its_nodes():
    grid = SharedGraph.from_grid((3, 4))
    data = grid.to_data(torch.rand(12, 2))
    data.y = torch.tensor([1])
    data.cells = grid.lattice.cell
    shuffle = ShuffleNodes(2)
    order = shuffle.permutation(12)
    shuffled = shuffle(data)
    assert torch.equal(shuffled.x, data.x[order])
    assert torch.equal(shuffled.pos, data.pos[order])
    assert torch.equal(shuffled.cells, data.cells[order])
    assert torch.equal(shuffled.y, data.y)
    step = (shuffled.cells[shuffled.edge_index[0]] - shuffled.cells[shuffled.edge_index[1]]).abs().sum(1)
    assert torch.equal(step, torch.ones_like(step))
    assert torch.equal(data.cells, grid.lattice.cell)
    restored = shuffle.inverse(shuffled)
    for key in ("x", "pos", "cells", "edge_index", "edge_weight"):
        assert torch.equal(restored[key], data[key])


def test_data_and_tensors_agree():
    x = torch.rand(4, 9, 2)
    shuffle = ShuffleNodes(5)
    assert torch.equal(shuffle(Data(x=x[1])).x, shuffle(x)[1])


def test_batches_and_other_things_are_refused():
    batch = Batch.from_data_list([Data(x=torch.rand(3, 1))] * 2)
    with pytest.raises(TypeError, match="before batching"):
        ShuffleNodes(0)(batch)
    with pytest.raises(TypeError, match="got list"):
        ShuffleNodes(0)([1, 2])
    with pytest.raises(TypeError, match="expected a tensor"):
        ShuffleNodes(0)(torch.tensor(1.0))
    assert str(ShuffleNodes(4)) == "ShuffleNodes(seed=4)"
