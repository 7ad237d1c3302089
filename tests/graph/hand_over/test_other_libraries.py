"""Names and places compared after each hand-over to mne, SpikeInterface and anndata (`make test-extras`)."""

import numpy as np
import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.graph.hand_over.places import places

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def cap():
    """A cap of mne seen from above, turned, mirrored and scaled, in a shuffled order: what discovery could give."""
    mne = pytest.importorskip("mne")
    positions = mne.channels.make_standard_montage("biosemi64").get_positions()
    names = [list(positions["ch_pos"])[k] for k in RNG.permutation(64)]
    unit = np.array([positions["ch_pos"][name] for name in names])
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    flat = unit[:, :2] * (np.arccos(unit[:, 2]) / np.linalg.norm(unit[:, :2], axis=1).clip(1e-9))[:, None]
    turn = np.array([[0.6, 0.8], [0.8, -0.6]])
    graph = SharedGraph.from_pos(torch.from_numpy(flat @ turn * 5 + [3, -2]))
    return SharedGraph(graph.pos, graph.edge_index, graph.edge_weight, names=names), positions


def test_montage_lies_on_its_template(cap):
    graph, positions = cap
    found = graph.to_montage(align_to="biosemi64").get_positions()
    assert list(found["ch_pos"]) == list(graph.names)
    for name, place in found["ch_pos"].items():
        np.testing.assert_allclose(place, positions["ch_pos"][name], atol=1e-6)
    for mark in ("nasion", "lpa", "rpa"):
        np.testing.assert_array_equal(found[mark], positions[mark])


def test_unknown_names_get_places_too(cap):
    graph, positions = cap
    foreign = {graph.names[k]: f"sensor {k}" for k in range(40)}
    renamed = SharedGraph(graph.pos, graph.edge_index, names=[foreign.get(name, name) for name in graph.names])
    found = renamed.to_montage(align_to="biosemi64").get_positions()["ch_pos"]
    for old, new in foreign.items():
        np.testing.assert_allclose(found[new], positions["ch_pos"][old], atol=1e-6)
    with pytest.raises(ValueError, match="names 0 of the 64 nodes, three are needed"):
        SharedGraph(graph.pos, graph.edge_index).to_montage(align_to="biosemi64")


@pytest.mark.filterwarnings("error")
def test_the_name_that_mne_gave_up_is_understood(cap):
    graph, _ = cap
    montage = graph.to_montage(align_to="standard_1005")
    assert len(montage.ch_names) == 64
    with pytest.raises(ValueError, match=r"align_to must be a montage or one of .*, got 'no_such_cap'"):
        graph.to_montage(align_to="no_such_cap")
    with pytest.raises(ValueError, match="give align_to='standard_1005' or another montage, or scale= in metres"):
        graph.to_montage()


def test_montage_arrives_in_a_recording(cap):
    mne = pytest.importorskip("mne")
    graph, _ = cap
    montage = graph.to_montage(align_to="biosemi64")
    names = sorted(graph.names)
    raw = mne.io.RawArray(np.zeros((64, 10)), mne.create_info(names, 100.0, "eeg"), verbose="ERROR")
    raw.set_montage(montage)
    got = raw.get_montage().get_positions()["ch_pos"]
    sent = montage.get_positions()["ch_pos"]
    assert list(got) == names
    here, there = (np.array([one[name] for name in names]) for one in (got, sent))
    for pair in (here, there):  # up to the rigid change of frame from the template's to the head's
        pair -= pair.mean(0)
    np.testing.assert_allclose(here @ here.T, there @ there.T, atol=1e-8)


def test_scale_alone_puts_a_map_on_a_head():
    pytest.importorskip("mne")
    graph = SharedGraph.from_grid((5, 5))
    places_ = graph.to_montage(scale=0.02).get_positions()["ch_pos"]
    assert list(places_) == list(map(str, range(25)))
    points = np.array(list(places_.values()))
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 0.095)
    arc = 0.095 * np.arccos((points[12] @ points[13]) / 0.095**2)
    assert arc == pytest.approx(0.02)


def test_places_in_three_dimensions_are_taken_as_they_are(cap):
    _, positions = cap
    names = list(positions["ch_pos"])
    truth = np.array([positions["ch_pos"][name] for name in names])
    graph = SharedGraph.from_pos(torch.from_numpy(truth * 30))
    graph = SharedGraph(graph.pos, graph.edge_index, names=names)
    wide = np.linalg.norm(truth[:, None] - truth[None], axis=-1).max()
    found = graph.to_montage(scale=("diameter", wide)).get_positions()["ch_pos"]
    np.testing.assert_allclose([found[name] for name in names], truth - truth.mean(0), atol=1e-8)
    found = graph.to_montage(align_to="biosemi64").get_positions()["ch_pos"]
    np.testing.assert_allclose([found[name] for name in names], truth, atol=1e-8)


def test_probe_carries_names_places_and_channels(tmp_path):
    pi = pytest.importorskip("probeinterface")
    pos = torch.tensor([[0.0, 0], [0, 1], [torch.nan, torch.nan], [1, 0], [1, 1]])
    graph = SharedGraph(pos, torch.tensor([[0, 1], [1, 0]]), names=["e", "d", "c", "b", "a"])
    probe = graph.to_probe(scale=20.0)
    pi.write_probeinterface(tmp_path / "p.json", probe)
    again = pi.read_probeinterface(tmp_path / "p.json").probes[0]
    for one in (probe, again):
        assert one.contact_ids.tolist() == ["e", "d", "b", "a"]
        assert one.device_channel_indices.tolist() == [0, 1, 3, 4]
        np.testing.assert_allclose(one.contact_positions, places("f", graph, 20.0)[[0, 1, 3, 4]])
        assert one.si_units == "um"


@pytest.mark.parametrize("dim", [1, 3])
def test_probes_of_other_dimensions_keep_their_ids(dim):
    pytest.importorskip("probeinterface")
    graph = SharedGraph.from_pos(torch.arange(4.0)[:, None] * torch.eye(3)[0, :dim])
    named = SharedGraph(graph.pos, graph.edge_index, names=list("dcba"))
    probe = named.to_probe(scale=20.0)
    assert probe.contact_ids.tolist() == list("dcba")
    assert probe.ndim == (2 if dim == 1 else 3)
    np.testing.assert_allclose(np.linalg.norm(np.diff(probe.contact_positions, axis=0), axis=1), 20)


def test_probe_arrives_in_a_recording_channel_by_channel():
    core = pytest.importorskip("spikeinterface.core")
    pytest.importorskip("probeinterface")
    graph = SharedGraph.from_pos(torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]))
    graph = SharedGraph(graph.pos, graph.edge_index, names=list("dcba"))
    recording = core.NumpyRecording([np.zeros((9, 4), "float32")], 1000.0, channel_ids=list("dcba"))
    recording.set_probe(graph.to_probe(scale=20.0))
    assert recording.channel_ids.tolist() == list("dcba")
    np.testing.assert_allclose(recording.get_channel_locations(), places("f", graph, 20.0))


@pytest.mark.parametrize("nodes", ["obs", "var"])
def test_anndata_finds_nodes_by_name(nodes, tmp_path):
    anndata = pytest.importorskip("anndata")
    names = ["n3", "n0", "n2", "n1"]
    adata = anndata.AnnData(np.zeros((4, 4), "float32"))
    adata.obs_names = adata.var_names = names
    graph = SharedGraph.from_pos(torch.tensor([[0.0, 0], [0, 1], [0, 2], [0, 4]]), k=1)
    graph = SharedGraph(graph.pos, graph.edge_index, graph.edge_weight, names=[f"n{k}" for k in range(4)])
    graph.to_anndata(adata, nodes)
    adata.write_h5ad(tmp_path / "a.h5ad")
    again = anndata.read_h5ad(tmp_path / "a.h5ad")
    order = [3, 0, 2, 1]
    np.testing.assert_array_equal(getattr(again, f"{nodes}m")["X_scge"], graph.pos.double().numpy()[order])
    pairs = getattr(again, f"{nodes}p")[again.uns["scge"]["connectivities_key"]]
    _, _, matrix = graph.to_dcrnn()
    np.testing.assert_array_equal(pairs.toarray(), matrix[np.ix_(order, order)])
    assert getattr(again, nodes)["scge_live"].tolist() == [True] * 4
    with pytest.raises(ValueError, match="nodes must be 'obs' or 'var', got 'cells'"):
        graph.to_anndata(adata, "cells")
    with pytest.raises(ValueError, match=rf"{nodes}_names of the AnnData are 3, the graph has 4 nodes"):
        graph.to_anndata(adata[:3, :3].copy(), nodes)
