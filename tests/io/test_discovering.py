"""`discover` takes what `read` knows: names, dead nodes and gaps arrive in the graph."""

import json

import numpy as np
import pytest
import torch
import xarray

from scge_pyg import SharedGraph, discover
from scge_pyg.cli import main
from scge_pyg.io import Signals, read

RNG = np.random.default_rng(0)


def _chain(samples, nodes):
    """Each node is like the one before it."""
    x = RNG.normal(size=(samples, nodes))
    for k in range(1, nodes):
        x[:, k] = 0.85 * x[:, k - 1] + np.sqrt(1 - 0.85**2) * x[:, k]
    return x


LINE = _chain(600, 24)
NAMES = tuple("abcdefghijklmnopqrstuvwx")
DEAD = np.arange(24) == 4


def assert_same(graph, names=NAMES, dead=DEAD):
    """The graph of the samples with NaN at dead nodes, and the names."""
    with pytest.warns(UserWarning, match="1 node carries no signal"):
        expected = discover(np.where(DEAD, np.nan, LINE))
    assert graph.names == names
    assert torch.equal(graph.live, torch.from_numpy(~dead))
    torch.testing.assert_close(graph.pos, expected.pos, equal_nan=True)
    assert torch.equal(graph.edge_index, expected.edge_index)


def test_signals():
    with pytest.warns(UserWarning, match="1 node carries no signal"):
        graph = discover(Signals(LINE, NAMES, dead=DEAD))
    assert_same(graph)


def test_xarray_in_any_order_of_dimensions():
    field = xarray.DataArray(np.where(DEAD, np.nan, LINE).T, dims=("site", "time"), coords={"site": list(NAMES)})
    with pytest.warns(UserWarning, match="1 node carries no signal"):
        assert_same(discover(field))
    grid = xarray.DataArray(LINE.reshape(600, 4, 6), dims=("time", "lat", "lon"))
    torch.testing.assert_close(discover(grid).pos, discover(LINE).pos)


def test_what_was_left_out_is_a_warning():
    with pytest.warns(UserWarning, match="discover: left out 3 channels: EOG"):
        discover(Signals(LINE, notes=("left out 3 channels: EOG",)))


def test_counts_and_paths_are_told_where_they_belong():
    with pytest.raises(ValueError, match=r"these are counts and no samples; pass them as discover\(counts="):
        discover(Signals(np.ones((5, 4)), kind="counts"))
    with pytest.raises(TypeError, match=r"got str; pass scge_pyg\.io\.read\(x\)"):
        discover("night.edf")


def test_contacts_bring_their_names_and_dead_bins():
    step = np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    counts = np.random.default_rng(0).poisson(400 / (1 + step) ** 1.5)
    counts = counts + counts.T
    signals = Signals(counts, tuple(f"bin {k}" for k in range(40)), kind="affinity", dead=np.arange(40) == 7)
    with pytest.warns(UserWarning, match="1 of 40 rows of affinity have no counts"):
        graph = discover(affinity=signals, dim=1)
    assert graph.names == signals.names
    assert (~graph.live).nonzero().flatten().tolist() == [7]
    with pytest.raises(ValueError, match=r"these are samples and no matrix; pass them as discover\(signals\)"):
        discover(affinity=Signals(LINE))


@pytest.mark.parametrize("preload", [True, False])
def test_raw_of_mne(tmp_path, preload):
    mne = pytest.importorskip("mne")
    info = mne.create_info([*NAMES, "STI"], 100.0, ["eeg"] * 24 + ["stim"])
    raw = mne.io.RawArray(np.c_[LINE, np.zeros(600)].T * 1e-5, info, verbose="ERROR")
    raw.info["bads"] = ["e"]
    raw.save(tmp_path / "a_raw.fif", fmt="double", verbose="ERROR")
    if not preload:
        raw = mne.io.read_raw_fif(tmp_path / "a_raw.fif", preload=False, verbose="ERROR")
    with pytest.warns(UserWarning, match=r"left out 1 channels: STI \(stim\)|1 node carries no signal") as told:
        graph = discover(raw)
    assert len(told) == 2
    assert_same(graph)
    code = main(["discover", str(tmp_path / "a_raw.fif"), "-o", str(tmp_path / "out"), "--no-plot", "-q"])
    assert code == 0
    assert_same(SharedGraph.load(tmp_path / "out" / "graph.safetensors"))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["table"]["notes"] == ["left out 1 channels: STI (stim); picks= chooses others"]


def test_anndata_by_variables_and_by_cells():
    anndata = pytest.importorskip("anndata")
    adata = anndata.AnnData(LINE)
    adata.var_names = NAMES
    graph = discover(adata)
    assert graph.names == NAMES
    torch.testing.assert_close(graph.pos, discover(LINE).pos)
    turned = anndata.AnnData(LINE.T)
    turned.obs_names = NAMES
    again = discover(read(turned, nodes="obs"))
    assert again.names == NAMES
    torch.testing.assert_close(again.pos, graph.pos)


def test_recording_of_spikeinterface():
    core = pytest.importorskip("spikeinterface.core")
    recording = core.NumpyRecording([LINE[:250], LINE[250:]], 100.0, channel_ids=list(NAMES))
    with pytest.warns(UserWarning, match="2 segments, one after the other"):
        graph = discover(recording)
    assert graph.names == NAMES
    torch.testing.assert_close(graph.pos, discover(LINE).pos)


def test_masked_bins_of_a_cooler_have_no_place(tmp_path):
    cooler = pytest.importorskip("cooler")
    pandas = pytest.importorskip("pandas")
    step = np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    counts = RNG.poisson(400 / (1 + step) ** 1.5)
    bins = pandas.DataFrame({"chrom": "chr1", "start": np.arange(0, 400, 10), "end": np.arange(10, 410, 10)})
    bins["weight"] = np.where(np.arange(40) == 7, np.nan, 1.0)
    first, second = np.triu_indices(40)
    pixels = pandas.DataFrame({"bin1_id": first, "bin2_id": second, "count": counts[first, second]})
    cooler.create_cooler(str(tmp_path / "a.cool"), bins, pixels)
    code = main(["discover", "--affinity", str(tmp_path / "a.cool"), "-o", str(tmp_path / "out"), "--no-plot", "-q"])
    assert code == 0
    graph = SharedGraph.load(tmp_path / "out" / "graph.safetensors")
    assert graph.names[:2] == ("chr1:0-10", "chr1:10-20")
    assert (~graph.live).nonzero().flatten().tolist() == [7]
    place = graph.pos[graph.live, 0].argsort().argsort().numpy()
    assert abs(np.corrcoef(place, np.arange(39))[0, 1]) > 0.95
