import copy
import io

import pytest
import safetensors.torch
import torch
from torch_geometric import nn as pyg

from scge_pyg.graph import Lattice, SharedGraph
from scge_pyg.nn import ClusterPool, ClusterUnpool, NodeBatchNorm, NodeEmbedding, NodeMean, OnSharedGraph, SCGEConv
from scge_pyg.nn.fixed.fingerprint import fingerprint_of


def lattice_of(shape, order=None):
    """A grid, in another node order if one is given."""
    graph = SharedGraph.from_grid(shape)
    if order is None:
        return graph
    edges = order.argsort()[graph.edge_index]
    return SharedGraph(graph.pos[order], edges, lattice=Lattice(graph.lattice.cell[order], shape))


def irregular(seed=1, shift=0.0):
    pos = torch.rand(64, 2, generator=torch.Generator().manual_seed(seed)) * 6
    pos[5] += shift
    pos[9] = torch.nan
    return SharedGraph.from_pos(pos)


def strided(graph, **options):
    return SCGEConv(1, 4, (graph, graph.coarsen(stride=2)[0]), **options)


def pooled(graph):
    return ClusterPool(graph, *graph.coarsen(stride=2))


def unpooled(graph):
    return ClusterUnpool(graph, *graph.coarsen(stride=2))


LAYERS = {
    "taps": lambda graph: SCGEConv(1, 4, graph),
    "strided": strided,
    "content": lambda graph: SCGEConv(1, 4, graph, content="dot"),
    "nearest": lambda graph: SCGEConv(1, 4, graph, k=5),
    "edges": lambda graph: SCGEConv(1, 4, graph, kernel=None, neighbors="edges", content="gat"),
    "half trained": lambda graph: SCGEConv(1, 4, (graph, NodeEmbedding(10)), k=4),
    "gcn": lambda graph: OnSharedGraph(pyg.GCNConv(1, 4), graph),
    "trained weights": lambda graph: OnSharedGraph(pyg.GCNConv(1, 4), graph, train_edge_weight=True),
    "pool": pooled,
    "unpool": unpooled,
}
SHUFFLED = torch.randperm(64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    "pair",
    [
        (lattice_of((8, 8)), lattice_of((4, 16))),
        (lattice_of((8, 8)), lattice_of((8, 8), SHUFFLED)),
        (irregular(1), irregular(2)),
        (lattice_of((8, 8)), irregular(1)),
    ],
    ids=["other shape", "other order", "other places", "other kind"],
)
@pytest.mark.parametrize("strict", [True, False])
def test_a_state_is_refused_on_another_graph(name, pair, strict):
    one, two = (torch.nn.Sequential(torch.nn.Identity(), LAYERS[name](graph)) for graph in pair)
    before = copy.deepcopy(two.state_dict())
    with pytest.raises(RuntimeError, match=rf"{type(one[1]).__name__} '1': the state .*transfer\(state, layer\)"):
        two.load_state_dict(one.state_dict(), strict=strict)
    assert all(torch.equal(value, before[key]) for key, value in two.state_dict().items())


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("make", [lambda: lattice_of((8, 8), SHUFFLED), irregular], ids=["lattice", "irregular"])
def test_a_state_returns_to_its_graph(name, make):
    one, two = LAYERS[name](make()), LAYERS[name](make())
    assert str(two.load_state_dict(one.state_dict())) == "<All keys matched successfully>"
    for key, value in one.state_dict().items():
        assert torch.equal(two.state_dict()[key], value)


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # at the import of the compiler
@pytest.mark.parametrize("name", LAYERS)
def test_it_is_the_same_whatever_happens_to_the_layer(name):
    graph = irregular()
    layer = LAYERS[name](graph)
    mark = layer.state_dict()["_extra_state"]
    assert mark.shape == (16,)
    assert mark.dtype == torch.int64
    doubtful = SharedGraph(
        graph.pos, graph.edge_index, graph.edge_weight, live=graph.live, confidence=torch.full((64,), 0.3)
    )
    double = SharedGraph(graph.pos.double(), graph.edge_index, graph.edge_weight.double())
    others = [copy.deepcopy(layer).half(), copy.deepcopy(layer).double(), copy.deepcopy(layer).bfloat16()]
    others += [LAYERS[name](doubtful)]
    if name not in ("strided", "pool", "unpool"):  # k-means centres move with the precision
        others += [LAYERS[name](double)]
    for other in others:
        assert torch.equal(other.state_dict()["_extra_state"], mark)
    assert torch.equal(torch.compile(layer).state_dict()["_orig_mod._extra_state"], mark)


@pytest.mark.parametrize("name", LAYERS)
def test_files_keep_it(name, tmp_path):
    layer, other = LAYERS[name](lattice_of((8, 8))), LAYERS[name](lattice_of((4, 16)))
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    safetensors.torch.save_file(layer.state_dict(), tmp_path / "layer.safetensors")
    for state in (torch.load(buffer, weights_only=True), safetensors.torch.load_file(tmp_path / "layer.safetensors")):
        LAYERS[name](lattice_of((8, 8))).load_state_dict(state)
        with pytest.raises(RuntimeError, match="on another graph"):
            other.load_state_dict(state)


@pytest.mark.parametrize("name", [name for name in LAYERS if "pool" not in name])
def test_a_state_without_one_loads_with_a_warning(name):
    layer = torch.nn.Sequential(LAYERS[name](irregular()))
    older = {key: value for key, value in layer.state_dict().items() if "_extra_state" not in key}
    for strict in (True, False):
        twin = torch.nn.Sequential(LAYERS[name](irregular()))
        with pytest.warns(UserWarning, match=r"'0': the state has no fingerprint .*transfer"):
            result = twin.load_state_dict(older, strict=strict)
        assert result.missing_keys == result.unexpected_keys == []
        for key, value in older.items():
            assert torch.equal(twin.state_dict()[key], value)


def test_a_state_of_other_modules_alone_says_nothing():
    model = torch.nn.Sequential(SCGEConv(1, 4, irregular()), torch.nn.Linear(4, 2))
    model.load_state_dict({"1.weight": torch.zeros(2, 4)}, strict=False)
    assert not model[1].weight.any()


def test_real_faults_are_still_found():
    layer = SCGEConv(1, 4, irregular())
    state = layer.state_dict()
    del state["bias"]
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "bias"\. $'):
        layer.load_state_dict(state)
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        SCGEConv(2, 4, irregular()).load_state_dict(layer.state_dict())


def test_averages_of_states_load():
    layer = SCGEConv(1, 4, irregular())
    state = layer.state_dict()
    averaged = {key: value.double() * 0.99999999 for key, value in state.items()}
    assert not torch.equal(averaged["_extra_state"].long(), state["_extra_state"])  # just below
    for other in (averaged, {key: (value + value + value) / 3 for key, value in state.items()}):
        SCGEConv(1, 4, irregular()).load_state_dict(other)
    moved = torch.optim.swa_utils.AveragedModel(layer, use_buffers=True)
    for _ in range(5):
        moved.update_parameters(layer)
    layer.load_state_dict(moved.module.state_dict())


def test_only_what_the_layer_reads_counts():
    graph = irregular()
    moved, edges = irregular(shift=0.01), graph.edge_index
    weight = graph.edge_weight
    same_edges = SharedGraph(moved.pos, edges, weight)
    LAYERS["gcn"](same_edges).load_state_dict(LAYERS["gcn"](graph).state_dict())
    LAYERS["edges"](same_edges).load_state_dict(LAYERS["edges"](graph).state_dict())
    other_weights = SharedGraph(graph.pos, edges, weight + 0.01)
    LAYERS["taps"](other_weights).load_state_dict(LAYERS["taps"](graph).state_dict())
    LAYERS["trained weights"](other_weights).load_state_dict(LAYERS["trained weights"](graph).state_dict())
    for name, other in (("taps", same_edges), ("gcn", other_weights)):
        with pytest.raises(RuntimeError, match="on another graph"):
            LAYERS[name](other).load_state_dict(LAYERS[name](graph).state_dict())


@pytest.mark.parametrize("make", [lambda graph: NodeBatchNorm(3, graph), NodeMean])
def test_active_nodes_count_for_statistics(make):
    whole, holed = lattice_of((8, 8)), lattice_of((8, 8))
    live = torch.arange(64) != 7
    holed = SharedGraph(holed.pos, holed.edge_index, live=live)
    make(lattice_of((4, 16))).load_state_dict(make(whole).state_dict())
    with pytest.raises(RuntimeError, match="on another graph"):
        make(holed).load_state_dict(make(whole).state_dict())


def test_a_strided_layer_knows_where_its_coarse_cells_lie():
    one = SCGEConv.from_conv2d(torch.nn.Conv2d(1, 1, 3, stride=2, padding=1), (8, 8))
    SCGEConv.from_conv2d(torch.nn.Conv2d(1, 1, 3, stride=2, padding=1), (8, 8)).load_state_dict(one.state_dict())
    source, shifted = one.source, copy.copy(one.target.lattice)
    shifted.origin = tuple(origin + 1 for origin in shifted.origin)
    other = SCGEConv(1, 1, (source, SharedGraph(shifted.pos, one.target.edge_index, lattice=shifted)))
    with pytest.raises(RuntimeError, match="on another graph"):
        other.load_state_dict(one.state_dict())


def test_trained_places_have_none():
    layer = SCGEConv(1, 4, NodeEmbedding(20), k=4)
    assert "_extra_state" not in layer.state_dict()
    SCGEConv(1, 4, NodeEmbedding(20, seed=5), k=4).load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match="size mismatch"):
        SCGEConv(1, 4, NodeEmbedding(21), k=4).load_state_dict(layer.state_dict())


def test_parts_are_told_apart_by_value_shape_and_number():
    marks = [
        fingerprint_of(torch.zeros(2, 3)),
        fingerprint_of(torch.zeros(3, 2)),
        fingerprint_of(torch.zeros(6)),
        fingerprint_of(torch.zeros(3), torch.zeros(3)),
        fingerprint_of(torch.tensor([0.0, 0, 0, 0, 0, 0.001])),
    ]
    assert len(set(marks)) == len(marks)
    assert fingerprint_of(torch.tensor([torch.nan, -0.0])) == fingerprint_of(torch.tensor([0.0, 0.0003]))


def test_single_precision_rounds_as_double_does():
    """Where the last digits of float64 decide to which side a value goes."""
    value = (torch.arange(200, dtype=torch.float64) + 0.5) / 1000
    near = torch.cat([value - 1e-9, value + 1e-9])
    assert not torch.equal((near * 1000).round(), (near.float().double() * 1000).round())
    assert fingerprint_of(near) == fingerprint_of(near.float())
