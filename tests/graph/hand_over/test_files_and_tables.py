"""What other programs read from the files of a graph, and what stands beside the data of xarray."""

import json

import numpy as np
import pandas
import pytest
import scipy.sparse as sp
import torch
import xarray

from scge_pyg import SharedGraph
from scge_pyg.graph.hand_over.places import places
from scge_pyg.io import read_layout

NAMES = ("Cz", "a/b", "x,y", "Ö 1", "dead", "last")


@pytest.fixture
def graph():
    """Six nodes on two rows, one of them without a place."""
    pos = torch.tensor([[0.0, 0], [0, 1], [0, 2], [1, 0], [torch.nan, torch.nan], [1, 2]])
    edge_index = torch.tensor([[0, 1, 1, 2, 0, 3, 2, 5], [1, 0, 2, 1, 3, 0, 5, 2]])
    weight = torch.tensor([0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 1 / 3, 1 / 3])
    return SharedGraph(pos, edge_index, weight, names=NAMES)


def dense(graph):
    matrix = np.zeros((6, 6), np.float32)
    for (source, target), weight in zip(graph.edge_index.T.tolist(), graph.edge_weight.tolist(), strict=True):
        matrix[source, target] = weight
    return matrix


def test_adjacency_in_every_kind_of_file(graph, tmp_path):
    for ending in (".csv", ".npy", ".npz"):
        graph.write_adjacency(tmp_path / f"a{ending}")
    frame = pandas.read_csv(tmp_path / "a.csv", index_col=0)
    assert tuple(frame.index) == tuple(frame.columns) == NAMES
    np.testing.assert_array_equal(frame.to_numpy(np.float32), dense(graph))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), dense(graph))
    np.testing.assert_array_equal(sp.load_npz(tmp_path / "a.npz").toarray(), dense(graph))
    assert tuple(np.load(tmp_path / "a.npz")["names"].tolist()) == NAMES
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(ValueError, match=r"path must end in \.csv, \.npy or \.npz, got 'a.txt'"):
        graph.write_adjacency(tmp_path / "a.txt")


def test_triple_of_dcrnn(graph):
    ids, index, matrix = graph.to_dcrnn()
    assert ids == list(NAMES)
    assert [index[name] for name in ids] == list(range(6))
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, dense(graph))


def test_electrodes_come_back_with_names_places_and_unit(graph, tmp_path):
    graph.write_electrodes(tmp_path / "sub-1_electrodes.tsv", scale=30.0)
    layout = read_layout(tmp_path / "sub-1_electrodes.tsv")
    assert layout.names == NAMES
    assert layout.unit == "mm"
    np.testing.assert_array_equal(np.isnan(layout.positions).all(1), ~graph.live.numpy())
    steps = np.linalg.norm(layout.positions[[1, 2, 3]] - layout.positions[[0, 1, 0]], axis=1)
    np.testing.assert_allclose(steps, 30, rtol=1e-6)
    assert json.loads((tmp_path / "sub-1_coordsystem.json").read_text())["EEGCoordinateUnits"] == "mm"
    with pytest.raises(ValueError, match=r"must end in electrodes\.tsv and unit be one of m, cm, mm, got 'a.tsv'"):
        graph.write_electrodes(tmp_path / "a.tsv")


def test_scale_of_a_spacing_and_of_a_diameter(graph):
    live = graph.live.numpy()
    assert np.array_equal(places("f", graph)[live], graph.pos.double().numpy()[live])
    spaced = places("f", graph, 20)
    assert np.linalg.norm(spaced[1] - spaced[0]) == pytest.approx(20)
    assert np.nanmean(spaced, 0) == pytest.approx(0)
    wide = places("f", graph, ("diameter", 10.0))[live]
    assert np.linalg.norm(wide[:, None] - wide[None], axis=-1).max() == pytest.approx(10)
    for wrong in (0, -1, True, "20", ("radius", 3.0), float("nan")):
        with pytest.raises(ValueError, match="f: scale must be a number above 0"):
            places("f", graph, wrong)


def test_the_diameter_of_many_nodes():
    graph = SharedGraph.from_grid((40, 41))
    wide = places("f", graph, ("diameter", 1.0))
    assert np.linalg.norm(wide[0] - wide[-1]) == pytest.approx(1, rel=1e-3)


def test_xarray_finds_nodes_by_label(graph):
    order = [3, 0, 5, 1, 4, 2]
    values = np.random.default_rng(0).normal(size=(4, 6))
    array = xarray.DataArray(values, dims=("time", "site"), coords={"site": [NAMES[k] for k in order]})
    placed = graph.to_xarray(array, "site", scale=2.0)
    expected = places("f", graph, 2.0)
    for k in range(6):
        one = placed.sel(site=NAMES[k])
        np.testing.assert_allclose([one.scge_x, one.scge_y], expected[k])
        assert bool(one.scge_live) == bool(graph.live[k])
    np.testing.assert_array_equal(placed.values, values)
    with pytest.raises(ValueError, match="coordinate 'site' has 'other', which is no node"):
        graph.to_xarray(array.assign_coords(site=["other", *(NAMES[k] for k in order[1:])]), "site")
    with pytest.raises(ValueError, match="dim must be one of time, site, got 'node'"):
        graph.to_xarray(array, "node")
    with pytest.raises(ValueError, match="dimension 'site' has 5 entries, the graph 6 nodes"):
        graph.to_xarray(array.drop_vars("site")[:, :5], "site")


def test_a_graph_without_a_geometry_gives_edges_alone(tmp_path):
    graph = SharedGraph(torch.zeros(3, 0), torch.tensor([[0, 1], [1, 0]]))
    graph.write_adjacency(tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy").sum() == 2
    with pytest.raises(ValueError, match="write_electrodes: this graph has no geometry"):
        graph.write_electrodes(tmp_path / "electrodes.tsv")
