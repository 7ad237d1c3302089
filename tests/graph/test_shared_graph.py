import json
import os
import stat

import networkx
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch_geometric.nn import GCNConv

from scge_pyg import OnSharedGraph, SharedGraph
from scge_pyg.graph import Fit, Lattice, knn


@pytest.fixture
def graph():
    """Five nodes, one of them dead, in two components, four of them on a grid."""
    pos = torch.tensor([[0.0, 0.0], [0.0, 1.0], [torch.nan, torch.nan], [5.0, 5.0], [5.0, 6.0]])
    edges = torch.tensor([[4, 1, 0, 3], [3, 0, 1, 4]])
    cell = torch.tensor([[0, 0], [0, 1], [-1, -1], [5, 5], [5, 6]])
    return SharedGraph(
        pos,
        edges,
        torch.tensor([0.25, 0.5, 0.5, 0.25]),
        confidence=torch.tensor([1.0, 0.5, 0.0, 0.25, 0.75]),
        lattice=Lattice(cell, (6, 7)),
    )


def assert_same(one, other):
    for name in ("pos", "edge_index", "edge_weight", "live", "confidence", "component"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype
        assert a.numpy().tobytes() == b.numpy().tobytes()
    assert one.dim == other.dim
    assert (one.lattice is None) == (other.lattice is None)
    if one.lattice is not None:
        assert torch.equal(one.lattice.cell, other.lattice.cell)
        for name in ("shape", "periodic", "origin", "stride"):
            assert getattr(one.lattice, name) == getattr(other.lattice, name)


def test_edges_are_sorted_and_merged():
    pos = torch.rand(3, 2)
    edges = torch.tensor([[2, 0, 1, 0, 1], [1, 1, 0, 1, 2]])
    graph = SharedGraph(pos, edges, torch.tensor([1.0, 2.0, 2.0, 3.0, 1.0]))
    assert graph.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert graph.edge_weight.tolist() == [3.0, 2.0, 1.0, 1.0]
    assert graph.num_edges == 4


def test_live_and_components(graph):
    assert graph.live.tolist() == [True, True, False, True, True]
    first, second = graph.component[0], graph.component[3]
    assert graph.component.tolist() == [first, first, -1, second, second]
    assert (int(first), int(second)) == (0, 1)
    shut = SharedGraph(torch.rand(3, 2), torch.empty(2, 0, dtype=torch.long), live=torch.tensor([True, False, True]))
    assert shut.pos[1].isnan().all()
    assert shut.confidence.tolist() == [1.0, 0.0, 1.0]
    assert shut.component.tolist() == [0, -1, 1]


@pytest.mark.parametrize(
    ("shape", "periodic"),
    [
        ((7,), (False,)),
        ((7,), (True,)),
        ((4, 5), (False, False)),
        ((4, 5), (True, False)),
        ((3, 4), (True, True)),
        ((2, 3, 4), (False, False, True)),
        ((1, 5), (False, False)),
        ((2, 4), (True, False)),
    ],
)
def test_from_grid_equals_networkx(shape, periodic):
    graph = SharedGraph.from_grid(shape, periodic)
    # networkx numbers the axes from the last one and drops the tuple in one dimension
    truth = networkx.grid_graph(dim=shape[::-1], periodic=periodic[::-1])
    cells = {tuple(cell): node for node, cell in enumerate(graph.lattice.cell.tolist())}
    names = {name: cells[name if isinstance(name, tuple) else (name,)] for name in truth}
    assert len(names) == graph.num_nodes
    edges = {(names[a], names[b]) for a, b in truth.edges} | {(names[b], names[a]) for a, b in truth.edges}
    assert graph.edge_index.t().tolist() == sorted(map(list, edges))
    assert list(cells.values()) == sorted(cells.values(), key=lambda node: tuple(graph.lattice.cell[node].tolist()))
    assert torch.equal(graph.pos, graph.lattice.cell.float())
    assert graph.lattice.periodic == periodic


def test_from_pos_joins_the_nearest():
    pos = torch.rand(30, 2, generator=torch.Generator().manual_seed(0))
    pos[4] = torch.nan
    graph = SharedGraph.from_pos(pos, k=3)
    live = torch.arange(30)[torch.arange(30) != 4]
    distance, index = knn(pos[live], pos[live], 3, exclude_self=True)
    half = {(int(live[i]), int(live[j])) for i in range(29) for j in index[i]}
    assert {tuple(e) for e in graph.edge_index.t().tolist()} == half | {(b, a) for a, b in half}
    spacing = distance[:, 0].median()
    length = (pos[graph.edge_index[0]] - pos[graph.edge_index[1]]).norm(dim=1)
    torch.testing.assert_close(graph.edge_weight, (-((length / spacing) ** 2)).exp())
    assert graph.spacing == pytest.approx(float(spacing))
    assert graph.dim == 2
    assert not graph.live[4]


def test_from_pos_survives_coinciding_nodes():
    graph = SharedGraph.from_pos(torch.zeros(6, 2), k=2)
    assert torch.isfinite(graph.edge_weight).all()


def test_to_data_has_no_nan(graph):
    x = torch.rand(5, 3)
    data = graph.to_data(x)
    assert data.validate()
    assert torch.isfinite(data.pos).all()
    assert torch.equal(data.pos[graph.live], graph.pos[graph.live])
    assert torch.equal(data.x, x)
    assert torch.equal(data.live, graph.live)
    assert torch.equal(data.edge_index, graph.edge_index)
    assert graph.to_data(x[:, 0]).x.shape == (5, 1)
    assert graph.to_data().num_nodes == 5
    assert graph.pos.isnan().any()


def test_to_networkx(graph):
    result = graph.to_networkx()
    assert sorted(result.nodes) == [0, 1, 2, 3, 4]
    assert {frozenset(edge) for edge in result.edges} == {frozenset((0, 1)), frozenset((3, 4))}
    assert result.edges[3, 4]["weight"] == 0.25
    assert result.nodes[4]["pos"] == (5.0, 6.0)
    assert not result.nodes[2]["live"]


def test_to_keeps_everything(graph):
    assert_same(graph.to("cpu"), graph)


def test_save_and_load_keep_every_bit(graph, tmp_path):
    path = tmp_path / "g.safetensors"
    graph.save(path)
    assert_same(SharedGraph.load(path), graph)
    double = SharedGraph(graph.pos.double() / 3, graph.edge_index, dim=1)
    double.save(path)
    assert_same(SharedGraph.load(str(path)), double)
    ring = SharedGraph.from_grid((6, 4), (True, False)).coarsen(stride=2)[0]
    ring.save(path)
    assert_same(SharedGraph.load(path), ring)
    assert list(tmp_path.iterdir()) == [path]


def test_saved_files_have_the_usual_permissions(graph, tmp_path):
    usual = tmp_path / "usual"
    usual.touch()
    graph.save(tmp_path / "g.safetensors")
    modes = {stat.S_IMODE(os.stat(path).st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_failing_save_leaves_the_old_file(graph, tmp_path, monkeypatch):
    path = tmp_path / "g.safetensors"
    graph.save(path)
    before = path.read_bytes()

    def fail(path, content):
        with path.open("wb") as file:
            file.write(content[:9])
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        SharedGraph.from_grid((3, 3)).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_foreign_files_are_refused(graph, tmp_path):
    path = tmp_path / "g.safetensors"
    for content in (b"", b"\x80\x04 a pickle?", b"PK\x03\x04" + bytes(50)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a readable safetensors file"):
            SharedGraph.load(path)
    save_file({"weight": torch.rand(2)}, path)
    with pytest.raises(ValueError, match=r"not a graph written by SharedGraph\.save"):
        SharedGraph.load(path)


def test_damaged_files_are_refused(graph, tmp_path):
    path = tmp_path / "g.safetensors"
    graph.save(path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        SharedGraph.load(path)
    names = ("pos", "edge_index", "edge_weight", "live", "confidence", "component")
    whole = {name: getattr(graph, name) for name in names}
    header = {"version": 1, "dim": 2, "lattice": None}

    def write(tensors, text):
        save_file(tensors, path, metadata={"format": "scge_pyg.SharedGraph", "header": text})

    write(whole, json.dumps(header))
    assert SharedGraph.load(path).num_nodes == 5
    for tensors, text in [
        (whole, "{"),
        (whole, "[]"),
        (whole, "[" * 100_000),
        (whole, json.dumps({"version": 1})),
        (whole, json.dumps({**header, "version": "one"})),
        (whole, json.dumps({**header, "version": 2})),
        (whole, json.dumps({**header, "version": 3})),
        ({name: whole[name] for name in names[:-1]}, json.dumps(header)),
        (whole, json.dumps({**header, "dim": 3})),
        (whole, json.dumps({**header, "dim": None, "lattice": {"shape": [6, 7]}})),
        (whole, json.dumps({**header, "lattice": {"sides": 3}})),
        ({**whole, "cell": torch.zeros(5, 2)}, json.dumps({**header, "lattice": {"shape": [6, 7]}})),
        ({**whole, "edge_index": graph.edge_index + 3}, json.dumps(header)),
        ({**whole, "more": graph.edge_index + 3}, json.dumps(header)),
        ({"pos": graph.pos}, json.dumps(header)),
        ({**whole, "live": torch.ones(5, dtype=torch.bool)}, json.dumps(header)),
        ({**whole, "confidence": torch.rand(4)}, json.dumps(header)),
    ]:
        write(tensors, text)
        with pytest.raises(ValueError, match="holds a damaged graph"):
            SharedGraph.load(path)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        SharedGraph.load(tmp_path / "none.safetensors")


def test_repr(graph):
    assert str(graph) == "SharedGraph(num_nodes=5, live=4, dim=2, edges=2 (undirected), components=2, lattice=6x7)"
    assert "lattice=None" in str(SharedGraph.from_pos(torch.rand(9, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pos": torch.rand(4)}, r"pos must be a float tensor \[N, d\]"),
        ({"pos": torch.ones(4, 2, dtype=torch.long)}, "pos must be a float tensor"),
        ({"edge_index": torch.tensor([0, 1])}, r"edge_index must be int64 \[2, E\]"),
        ({"edge_index": torch.rand(2, 3)}, "edge_index must be int64"),
        ({"edge_index": torch.tensor([[0], [4]])}, r"names nodes 0\.\.4, but there are 4 nodes"),
        ({"edge_index": torch.tensor([[-1], [0]])}, r"names nodes -1\.\.0"),
        ({"edge_weight": torch.ones(3)}, "edge_weight must be"),
        ({"edge_weight": torch.tensor([-1.0, 1.0])}, "edge_weight must be"),
        ({"edge_weight": torch.tensor([torch.nan, 1.0])}, "edge_weight must be"),
        ({"edge_weight": torch.tensor([torch.inf, 1.0])}, "edge_weight must be"),
        ({"live": torch.ones(3, dtype=torch.bool)}, "live must be"),
        ({"pos": torch.full((4, 2), torch.nan), "live": torch.ones(4, dtype=torch.bool)}, "needs finite coordinates"),
        ({"dim": 3}, r"dim must lie in 1\.\.2, got 3"),
        ({"dim": 0}, r"dim must lie in 1\.\.2, got 0"),
        ({"dim": 0}, r"a graph without a geometry \(dim 0\) has pos without columns"),
        ({"pos": torch.empty(4, 0), "dim": 2}, r"dim must lie in 0\.\.0, got 2"),
        ({"edge_index": torch.ones(2, 2, dtype=torch.bool)}, "edge_index must be int64"),
        ({"names": ["a", "b"]}, "names must be 4, one a node, got 2"),
        ({"names": ["a", "b", "c", "b"]}, "names must differ, 'b' came twice"),
        ({"sign": torch.ones(3)}, r"sign must be \[4\] with entries -1, 0 and 1"),
        ({"sign": torch.tensor([0, 1, 2, 1])}, "sign must be"),
        ({"lag": torch.zeros(2)}, r"lag must be int64 \[2\], one entry an edge, got torch.float32"),
        ({"lag": torch.zeros(3, dtype=torch.long)}, r"lag must be int64 \[2\]"),
        ({"confidence": torch.ones(3)}, r"confidence must be \[4\], one entry a node, got \[3\]"),
        ({"confidence": torch.tensor([0.0, 1.0, 1.5, 0.0])}, r"confidence must lie in \[0, 1\], got"),
        ({"confidence": torch.tensor([0.0, 1.0, torch.nan, 0.0])}, "confidence must lie in"),
        (
            {"lattice": Lattice(torch.tensor([[0, 0]]), (1, 1))},
            r"lattice.cell must be \[4\], one entry a node, got \[1\]",
        ),
    ],
)
def test_bad_input_is_refused(options, message):
    whole = {"pos": torch.rand(4, 2), "edge_index": torch.tensor([[0, 1], [1, 0]])}
    with pytest.raises(ValueError, match=message):
        SharedGraph(**{**whole, **options})


def test_bad_constructor_input_is_refused():
    for shape in ((), (3, 0), (-1, 2)):
        with pytest.raises(ValueError, match="positive sizes"):
            SharedGraph.from_grid(shape)
    with pytest.raises(ValueError, match="must have 2 entries"):
        SharedGraph.from_grid((2, 3), (True,))
    with pytest.raises(ValueError, match=r"pos must be \[N, d\]"):
        SharedGraph.from_pos(torch.rand(4))
    with pytest.raises(ValueError, match="at least 2 nodes with finite coordinates are needed, got 1"):
        SharedGraph.from_pos(torch.tensor([[0.0, 1.0], [torch.nan, 0.0]]))
    with pytest.raises(ValueError, match=r"x must be \[6, C\]"):
        SharedGraph.from_grid((2, 3)).to_data(torch.rand(5, 1))


def test_from_edge_index_lays_out_a_known_grid():
    grid = SharedGraph.from_grid((7, 9))
    half = grid.edge_index[:, grid.edge_index[0] < grid.edge_index[1]]
    graph = SharedGraph.from_edge_index(half, grid.num_nodes)
    assert graph.dim == 2
    assert torch.equal(graph.edge_index, grid.edge_index)
    distance, true_distance = (torch.cdist(g.pos, g.pos) for g in (graph, grid))
    assert (distance - true_distance).abs().max() < 0.5


def test_from_edge_index_keeps_weights_and_sets_lonely_nodes_aside():
    edges = torch.tensor([[0, 1, 2], [1, 2, 2]])
    graph = SharedGraph.from_edge_index(edges, 4, torch.tensor([0.5, 2.0, 9.0]))
    assert graph.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert graph.edge_weight.tolist() == [0.5, 0.5, 2.0, 2.0]
    assert graph.component.tolist() == [0, 0, 0, 1]
    assert torch.isfinite(graph.pos).all()


def test_from_edge_index_takes_dimensions_that_can_be_drawn():
    edges = torch.tensor([[0, 1, 2], [1, 2, 3]])
    for dim in (1, 4):
        assert SharedGraph.from_edge_index(edges, 4, dim=dim).dim == dim
    for dim in (0, 5, -1):
        with pytest.raises(ValueError, match=f"dim must be an integer from 1 to 4, got {dim}"):
            SharedGraph.from_edge_index(edges, 4, dim=dim)
    with pytest.raises(TypeError, match=r"dim must be an integer from 1 to 4, got 2\.0 \(float\)"):
        SharedGraph.from_edge_index(edges, 4, dim=2.0)
    with pytest.raises(ValueError, match="num_nodes must be an integer of at least 1, got 0"):
        SharedGraph.from_edge_index(edges[:, :0], 0)


def test_from_edge_index_names_nodes_out_of_range():
    with pytest.raises(ValueError, match=r"names nodes 0\.\.2, but there are 2 nodes, numbered 0\.\.1"):
        SharedGraph.from_edge_index(torch.tensor([[0], [2]]), 2)


def test_names_and_signs(graph):
    assert graph.names is None
    assert graph.sign.tolist() == [1, 1, 0, 1, 1]
    sign = torch.tensor([-1.0, 1.0, 0.0, 0.0, 1.0])
    named = SharedGraph(graph.pos, graph.edge_index, names=np.array(["a", "b", "c", "d", "e"]), sign=sign)
    assert named.names == ("a", "b", "c", "d", "e")
    assert all(type(name) is str for name in named.names)
    assert named.sign.tolist() == [-1, 1, 0, 0, 1]
    assert named.sign.dtype == torch.int64
    nodes = named.to_networkx().nodes
    assert [nodes[i]["name"] for i in range(5)] == list("abcde")
    assert [nodes[i]["sign"] for i in range(5)] == [-1, 1, 0, 0, 1]
    assert "name" not in graph.to_networkx().nodes[0]
    assert graph.to_networkx().nodes[3]["confidence"] == 0.25


def test_lags_follow_their_edges():
    half = torch.tensor([[3, 0, 2], [1, 3, 0]])
    lag = torch.tensor([2, -1, 4])
    graph = SharedGraph(torch.rand(4, 2), torch.cat([half, half.flip(0)], 1), lag=torch.cat([lag, -lag]))
    found = dict(zip(map(tuple, graph.edge_index.t().tolist()), graph.lag.tolist(), strict=True))
    assert found == {(3, 1): 2, (1, 3): -2, (0, 3): -1, (3, 0): 1, (2, 0): 4, (0, 2): -4}
    twice = torch.tensor([[0, 1, 0], [1, 0, 1]])
    weight = torch.tensor([0.25, 0.5, 0.75])
    merged = SharedGraph(torch.rand(2, 1), twice, weight, lag=torch.tensor([1, 2, 3]))
    assert merged.edge_weight.tolist() == [0.75, 0.5]
    assert merged.lag.tolist() == [3, 2]
    assert SharedGraph(torch.rand(2, 1), twice).lag.tolist() == [0, 0]


def test_a_fit_belongs_to_the_nodes(graph):
    fit = Fit("correlation", 1.0, 1.0, 0.0, 1.0, 0.1, "geometry", 2, (1.0,), torch.ones(5), 9, 9.0, {})
    assert SharedGraph(graph.pos, graph.edge_index, fit=fit).fit is fit
    with pytest.raises(ValueError, match=r"fit.node_gain must be \[3\], one entry a node, got \[5\]"):
        SharedGraph(torch.rand(3, 2), graph.edge_index[:, :0], fit=fit)


def test_foreign_types_are_refused(graph):
    with pytest.raises(
        TypeError, match=r"pos must be a float tensor \[N, d\], got ndarray; SharedGraph.from_pos takes"
    ):
        SharedGraph(np.zeros((3, 2)), graph.edge_index)
    with pytest.raises(TypeError, match=r"edge_index must be an int64 tensor \[2, E\], got list"):
        SharedGraph(graph.pos, [[0], [1]])
    with pytest.raises(TypeError, match="edge_index must be an int64 tensor"):
        SharedGraph.from_edge_index(np.zeros((2, 1), dtype=np.int64), 2)
    with pytest.raises(TypeError, match="names must be strings, got 3"):
        SharedGraph(graph.pos, graph.edge_index, names=["a", "b", 3, "d", "e"])
    with pytest.raises(TypeError, match="names must be a sequence of 5 strings, got one string"):
        SharedGraph(graph.pos, graph.edge_index, names="abcde")


def test_from_pos_takes_arrays_and_lists():
    pos = np.random.default_rng(0).random((20, 3))
    truth = SharedGraph.from_pos(torch.from_numpy(pos).float())
    for given in (pos, pos.tolist(), pos.astype(np.float32)):
        assert_same(SharedGraph.from_pos(given), truth)
    assert SharedGraph.from_pos(torch.from_numpy(pos)).pos.dtype == torch.float64
    assert SharedGraph.from_pos([[0], [1], [3]]).edge_index.tolist() == [[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]]
    for wrong in ("places", {"x": 1}, [[0.0, 1.0], [2.0]], object()):
        with pytest.raises(TypeError, match=r"pos must be a tensor, array or nested list of numbers \[N, d\], got"):
            SharedGraph.from_pos(wrong)
    with pytest.raises(ValueError, match="pos has no columns"):
        SharedGraph.from_pos(np.empty((4, 0)))


# Without a geometry -------------------------------------------------------------------------------------------


@pytest.fixture
def tangle():
    """Seven nodes of which one is dead and two stand alone, joined by edges without a map."""
    edges = torch.tensor([[0, 1, 2, 3, 0], [1, 2, 3, 0, 2]])
    live = torch.arange(7) != 5
    return SharedGraph(torch.empty(7, 0), torch.cat([edges, edges.flip(0)], 1), live=live, names=list("abcdefg"))


def test_a_graph_without_a_geometry_is_its_edges(tangle):
    assert str(tangle) == "SharedGraph(num_nodes=7, live=6, dim=0, edges=5 (undirected), components=3, lattice=None)"
    assert tangle.pos.shape == (7, 0)
    assert tangle.component.tolist() == [0, 0, 0, 0, 1, -1, 2]
    assert tangle.confidence.tolist() == [1.0] * 5 + [0.0, 1.0]
    assert SharedGraph(torch.empty(3, 0), torch.empty(2, 0, dtype=torch.long)).live.all()
    nodes = tangle.to_networkx().nodes
    assert set(nodes[5]) == {"live", "confidence", "sign", "name"}
    data = tangle.to_data(torch.rand(7, 2))
    assert data.validate()
    assert data.pos.shape == (7, 0)
    (part,) = tangle.parts()
    assert (part.num_nodes, part.dim, part.names) == (4, 0, ("a", "b", "c", "d"))


def test_what_needs_places_says_what_to_do_without(tangle):
    for name, ask in {
        "coarsen": tangle.coarsen,
        "spacing": lambda: tangle.spacing,
        "a layer": lambda: tangle.check_geometry("a layer"),
    }.items():
        with pytest.raises(ValueError, match=rf"{name}: this graph has no geometry.*OnSharedGraph.*discover\(x, dim="):
            ask()
    SharedGraph.from_grid((3,)).check_geometry("a layer")


def test_pyg_operators_run_without_a_geometry(tangle):
    layer = OnSharedGraph(GCNConv(2, 3), tangle)
    x = torch.rand(4, 7, 2)
    torch.testing.assert_close(layer(x)[1], layer.conv(x[1], tangle.edge_index, tangle.edge_weight))
