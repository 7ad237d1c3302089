"""Files of graphs: every field comes back bit for bit, and files of version 1 are read."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from scge_pyg import SharedGraph
from scge_pyg.graph import Fit, Lattice
from scge_pyg.graph.graph_file import pack
from scge_pyg.graph.tensor_file import write_tensors

FORMAT = "scge_pyg.SharedGraph"
TENSORS = ("pos", "edge_index", "edge_weight", "live", "confidence", "component", "sign", "lag")


def full_graph():
    pos = torch.tensor([[0.0, 0.0], [0.0, 1.0], [torch.nan, torch.nan], [5.0, 0.0], [6.0, 0.0], [7.0, 0.0]])
    cell = torch.tensor([[0, 0], [0, 1], [-1, -1], [-1, -1], [-1, -1], [-1, -1]])
    fit = Fit(
        "|correlation|",
        1.0 / 3,
        0.7,
        0.01,
        0.9,
        float("nan"),
        "undecided",
        2,
        (0.1, 1.0 / 3),
        torch.tensor([0.1, 0.2, torch.nan, 0.4, 0.5, 0.6]),
        1000,
        333.25,
        {"maps": 0.125},
    )
    return SharedGraph(
        pos,
        torch.tensor([[5, 4, 4, 3, 0, 1], [4, 5, 3, 4, 1, 0]]),
        torch.rand(6, generator=torch.Generator().manual_seed(0)),
        part_dim=(1, 2),
        confidence=torch.linspace(0, 1, 6),
        lattice=Lattice(cell, (1, 2), (False, False), (0.0, 0.5), (1.0, 2.0)),
        names=["a", "b", "ü \U0001f9ed", "", "d e", "f\n"],
        sign=torch.tensor([1, -1, 0, 0, 1, 1]),
        lag=torch.tensor([1, -1, 0, 0, 4, -4]),
        fit=fit,
    )


def test_a_count_of_samples_that_is_none(tmp_path):
    path = tmp_path / "graph.safetensors"
    graph = full_graph()
    tensors, header = pack(graph)
    write_tensors(path, FORMAT, tensors, {**header, "fit": {**header["fit"], "num_samples": float("inf")}})
    with pytest.raises(ValueError, match="holds a damaged graph"):
        SharedGraph.load(path)


def assert_same(one, other):
    for name in TENSORS:
        a, b = getattr(one, name), getattr(other, name)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.numpy().tobytes() == b.numpy().tobytes()
    for name in ("dim", "part_dim", "names"):
        assert getattr(one, name) == getattr(other, name)
    assert repr(one) == repr(other)
    assert (one.lattice is None) == (other.lattice is None)
    if one.lattice is not None:
        assert torch.equal(one.lattice.cell, other.lattice.cell)
        assert vars(one.lattice) | {"cell": 0} == vars(other.lattice) | {"cell": 0}
    for a, b in zip((one.fit, *one.part_fit), (other.fit, *other.part_fit), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert repr(vars(a) | {"node_gain": 0}) == repr(vars(b) | {"node_gain": 0})
            assert a.node_gain.numpy().tobytes() == b.node_gain.numpy().tobytes()


def tangle():
    return SharedGraph(torch.empty(4, 0), torch.tensor([[0, 1, 2], [1, 2, 0]]))


@pytest.mark.parametrize(
    "graph",
    [full_graph(), tangle(), *full_graph().parts(), SharedGraph.from_grid((4, 3), (True, False)).to("cpu")],
    ids=["full", "no geometry", "chain", "pair", "grid"],
)
def test_every_field_comes_back(graph, tmp_path):
    graph.save(tmp_path / "g")
    assert_same(SharedGraph.load(tmp_path / "g"), graph)
    assert_same(graph.to("cpu"), graph)


def test_the_file_is_tensors_and_a_header(tmp_path):
    full_graph().save(tmp_path / "g")
    with safe_open(tmp_path / "g", framework="pt") as file:
        metadata, keys = file.metadata(), set(file.keys())
    header = json.loads(metadata["header"])
    assert keys == {*TENSORS, "cell", "node_gain", "node_gain_0"} - {"component"}
    assert (metadata["format"], header["version"]) == (FORMAT, 2)
    assert header["part_dim"] == [1, 2]
    assert header["fit"]["verdict"] == "undecided"


def version_1():
    """Tensors and header as files of version 1 held them."""
    tensors = {
        "pos": torch.tensor([[0.0], [1.0], [torch.nan], [9.0]]),
        "edge_index": torch.tensor([[0, 1], [1, 0]]),
        "edge_weight": torch.tensor([0.5, 0.5]),
        "live": torch.tensor([True, True, False, True]),
        "confidence": torch.tensor([1.0, 0.5, 0.0, 0.25]),
        "component": torch.tensor([1, 1, -1, 0]),
        "cell": torch.tensor([[3], [4], [-1], [-1]]),
    }
    lattice = {"shape": [6], "periodic": [True], "origin": [0.0], "stride": [1.0]}
    return tensors, {"version": 1, "dim": 1, "lattice": lattice}


def test_version_1_is_read(tmp_path):
    tensors, header = version_1()
    write_tensors(tmp_path / "old", FORMAT, tensors, header)
    graph = SharedGraph.load(tmp_path / "old")
    for name in ("pos", "edge_index", "edge_weight", "live", "confidence"):
        assert torch.equal(getattr(graph, name).nan_to_num(-9), tensors[name].nan_to_num(-9))
    assert graph.component.tolist() == [0, 0, -1, 1]
    assert graph.lattice.cell.tolist() == tensors["cell"].tolist()
    assert graph.lattice.periodic == (True,)
    assert (graph.dim, graph.part_dim, graph.names, graph.fit) == (1, (1,), None, None)
    assert graph.sign.tolist() == [1, 1, 0, 1]
    assert graph.lag.tolist() == [0, 0]
    graph.save(tmp_path / "new")
    assert_same(SharedGraph.load(tmp_path / "new"), graph)


def test_files_of_version_2_without_fits_of_parts_are_read(tmp_path):
    full_graph().save(tmp_path / "g")
    with safe_open(tmp_path / "g", framework="pt") as file:
        header = json.loads(file.metadata()["header"])
        tensors = {name: file.get_tensor(name) for name in set(file.keys()) - {"node_gain_0"}}
    assert header.pop("part_fit")[1] is None
    write_tensors(tmp_path / "old", FORMAT, tensors, header)
    assert_same(SharedGraph.load(tmp_path / "old"), full_graph())


def test_a_fit_of_older_files_has_no_factors(tmp_path):
    full_graph().save(tmp_path / "g")
    with safe_open(tmp_path / "g", framework="pt") as file:
        header = json.loads(file.metadata()["header"])
        tensors = {name: file.get_tensor(name) for name in set(file.keys())}
    for fit in (header["fit"], header["part_fit"][0]):
        assert fit.pop("factors") == 0
    write_tensors(tmp_path / "old", FORMAT, tensors, header)
    assert_same(SharedGraph.load(tmp_path / "old"), full_graph())


def test_damaged_files_are_refused(tmp_path):
    full_graph().save(tmp_path / "g")
    with safe_open(tmp_path / "g", framework="pt") as file:
        header = json.loads(file.metadata()["header"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    damaged = [
        ({}, {"version": 3}),
        ({}, {"version": None}),
        ({}, {"names": ["a"] * 6}),
        ({}, {"names": [1, 2, 3, 4, 5, 6]}),
        ({}, {"names": "abcdef"}),
        ({}, {"part_dim": [1]}),
        ({}, {"part_dim": 1}),
        ({}, {"part_dim": ["1", "2"]}),
        ({}, {"dim": 2}),
        ({}, {"dim": "1"}),
        ({}, {"fit": {"gain": 1.0}}),
        ({}, {"fit": header["fit"] | {"verdict": "yes"}}),
        ({}, {"fit": header["fit"] | {"gain": "much"}}),
        ({}, {"fit": header["fit"] | {"seconds": 3}}),
        ({}, {"fit": 7}),
        ({}, {"part_fit": [None]}),
        ({}, {"part_fit": 7}),
        ({}, {"part_fit": [header["fit"], header["fit"]]}),
        ({"sign": torch.full((6,), 2)}, {}),
        ({"lag": torch.zeros(6)}, {}),
        ({"lag": torch.zeros(5, dtype=torch.long)}, {}),
        ({"node_gain": torch.zeros(5)}, {}),
        ({"component": torch.zeros(6, dtype=torch.long)}, {}),
        *[({name: None}, {}) for name in tensors],
    ]
    for change, other in damaged:
        kept = {name: tensor for name, tensor in (tensors | change).items() if tensor is not None}
        save_file(kept, tmp_path / "bad", metadata={"format": FORMAT, "header": json.dumps(header | other)})
        with pytest.raises(ValueError, match="holds a damaged graph"):
            SharedGraph.load(tmp_path / "bad")


def test_tensors_that_share_memory_or_need_gradients_are_written(tmp_path):
    shared = torch.ones(4, requires_grad=True)
    graph = SharedGraph.from_grid((2, 2))
    alike = SharedGraph(graph.pos, graph.edge_index[:, :4], shared, confidence=shared)
    alike.save(tmp_path / "g")
    assert SharedGraph.load(tmp_path / "g").confidence.tolist() == [1.0] * 4


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"save: the folder .*nowhere does not exist; make it first with pathlib"
    ):
        SharedGraph.from_grid((2, 3)).save(tmp_path / "nowhere" / "graph.safetensors")
