"""Recordings of sensors from raw files made here: values, names, places and true edges."""

import io
import json
import zipfile

import numpy as np
import pytest
import scipy.io
import torch

from scge_pyg.datasets import ChickenpoxNodes, EEGNodes, METRLANodes, SSTNodes

DATASETS = [ChickenpoxNodes, EEGNodes, METRLANodes, SSTNodes]


def metr_la(names=("7", "5", "9"), places=("7", "5", "9"), steps=10):
    x = np.random.default_rng(0).random((steps, 3)).round(3)
    road = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0.1, 1]])
    table = "\n".join(",".join(map(str, row)) for row in x)
    files = {
        "los_speed.csv": f"{','.join(names)}\n{table}\n".encode(),
        "los_adj.csv": "\n".join(",".join(map(str, row)) for row in road).encode(),
        "graph_sensor_locations.csv": (
            "index,sensor_id,latitude,longitude\n"
            + "".join(f"{i},{name},34.{i},-118.{2 * i}\n" for i, name in enumerate(places))
        ).encode(),
    }
    return files, x


def test_metr_la(raw_folder):
    files, x = metr_la(places=("9", "5", "7"))
    root = raw_folder(METRLANodes, files)
    ds = METRLANodes(root)
    assert torch.equal(ds.x[:, :, 0], torch.from_numpy(x).float())
    assert ds.names == ("7", "5", "9")
    assert ds.y.tolist() == list(range(10))
    assert ds.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    north = (ds.pos[1] - ds.pos[2])[1]
    assert float(north) == pytest.approx(0.1 * 111_195, rel=1e-3)  # a tenth of a degree of latitude, in metres
    assert str(ds) == "METRLANodes(10)"


def test_the_last_fifth_tests(raw_folder):
    root = raw_folder(METRLANodes, metr_la()[0])
    train, test = METRLANodes(root, train=True), METRLANodes(root, train=False)
    assert train.y.tolist() == list(range(8))
    assert test.y.tolist() == [8, 9]
    assert torch.equal(torch.cat([train.x, test.x]), METRLANodes(root).x)
    assert len(list((root / "processed").glob("*.safetensors"))) == 1


def test_files_that_do_not_belong_together(raw_folder):
    root = raw_folder(METRLANodes, metr_la(places=("7", "5", "8"))[0])
    with pytest.raises(ValueError, match=r"3 detectors, speeds \[10, 3\], a graph \[3, 3\] and 2 places"):
        METRLANodes(root)
    assert not (root / "processed").exists()


def eeg(steps=20, cut=0):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((steps, 3)).astype("<f4")
    places = np.array([(name,) for name in ("Cz", "EOG1", "Oz")], dtype=[("labels", object)])
    header = {"nbchan": 3, "pnts": steps, "srate": 128, "chanlocs": places, "data": "eeglab_data.fdt"}
    file = io.BytesIO()
    scipy.io.savemat(file, {"EEG": header})
    locs = b"1\t0\t0\tCz\n2\t23\t0.71\tEOG1\n3\t180\t0.5\tOz\n"
    values = x.tobytes()
    return {
        "eeglab_data.set": file.getvalue(),
        "eeglab_data.fdt": values[: len(values) - cut],
        "eeglab_chan32.locs": locs,
    }, x


def test_eeg(raw_folder):
    files, x = eeg()
    root = raw_folder(EEGNodes, files)
    ds = EEGNodes(root)
    assert torch.equal(ds.x[:, :, 0], torch.from_numpy(x[:, [0, 2]]))
    assert ds.names == ("Cz", "Oz")
    assert ds.rate == 128
    assert torch.allclose(ds.pos, torch.tensor([[0.0, 0, 1], [0, -1, 0]]), atol=1e-6)
    every = EEGNodes(root, train=False, eyes=True)
    assert every.names == ("Cz", "EOG1", "Oz")
    assert torch.equal(every.x[:, :, 0], torch.from_numpy(x[16:]))


def test_a_cut_recording_is_refused(raw_folder):
    root = raw_folder(EEGNodes, eeg(cut=12)[0])
    with pytest.raises(ValueError, match=r"announces 20 steps of 3 electrodes, but eeglab_data.fdt holds 19 of 3"):
        EEGNodes(root)


def chickenpox(counts=None):
    held = {"node_ids": {"VAS": 1, "BACS": 0, "ZALA": 2}, "edges": [[0, 0], [0, 1], [1, 0], [1, 2]]}
    held["FX"] = [[0.5, 1, 2], [3, 4, 5]] if counts is None else counts
    return {"chickenpox.json": json.dumps(held).encode()}


def test_chickenpox(raw_folder):
    ds = ChickenpoxNodes(raw_folder(ChickenpoxNodes, chickenpox()))
    assert ds.x[:, :, 0].tolist() == [[0.5, 1, 2], [3, 4, 5]]
    assert ds.names == ("BACS", "VAS", "ZALA")
    assert ds.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    assert ds.cells is None


def test_counts_that_do_not_fit_are_refused(raw_folder):
    with pytest.raises(ValueError, match=r"holds 3 counties, but counts \[1, 2\]"):
        ChickenpoxNodes(raw_folder(ChickenpoxNodes, chickenpox([[1, 2]])))


def sea():
    rng = np.random.default_rng(0)
    value = rng.standard_normal((6, 2, 3))
    value[:, 0, 1] = 1e20
    path = io.BytesIO()
    with scipy.io.netcdf_file(path, "w") as file:
        for name, values in (("time", range(6)), ("latitude", [-2.5, 2.5]), ("longitude", [117.5, 122.5, 127.5])):
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = list(values)
        field = file.createVariable("sst", "f8", ("time", "latitude", "longitude"))
        field.missing_value = np.float64(1e20)
        field[:] = value
        file.flush()
        content = path.getvalue()
    return content, value


@pytest.mark.parametrize("form", ["field", "wheel"])
def test_sea_temperatures(raw_folder, form):
    content, value = sea()
    if form == "wheel":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("eofs/examples/example_data/sst_ndjfm_anom.nc", content)
            archive.writestr("eofs/__init__.py", "")
        files = {"eofs-2.0.0-py3-none-any.whl": packed.getvalue()}
    else:
        files = {"sst_ndjfm_anom.nc": content}
    ds = SSTNodes(raw_folder(SSTNodes, files))
    on_sea = [0, 2, 3, 4, 5]
    assert torch.equal(ds.x[:, :, 0], torch.from_numpy(value.reshape(6, 6)[:, on_sea]).float())
    assert ds.cells.tolist() == [[place // 3, place % 3] for place in on_sea]
    assert ds.names[0] == "-2.5/117.5"
    assert ds.pos.shape == (5, 2)
    width = float((ds.pos[1] - ds.pos[0]).norm())
    assert width == pytest.approx(10 * 111_195 * np.cos(np.deg2rad(2.5)), rel=3e-3)


def test_a_wheel_that_leaves_its_folder_is_refused(raw_folder):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../sst_ndjfm_anom.nc", sea()[0])
    root = raw_folder(SSTNodes, {"eofs-2.0.0-py3-none-any.whl": packed.getvalue()})
    with pytest.raises(ValueError, match=r"SSTNodes: .*whl is refused, its member '\.\./\.\./sst_ndjfm_anom.nc'"):
        SSTNodes(root)
    assert not (root / "processed").exists()


@pytest.mark.parametrize("dataset", DATASETS)
def test_sums_are_checked(raw_folder, dataset):
    files = {ChickenpoxNodes: chickenpox(), EEGNodes: eeg()[0], METRLANodes: metr_la()[0]}
    root = raw_folder(dataset, files.get(dataset, {"sst_ndjfm_anom.nc": sea()[0]}), sums=False)
    with pytest.raises(ValueError, match=rf"{dataset.__name__}: .* has the MD5 sum .* as published has"):
        dataset(root)
    assert not (root / "processed").exists()


@pytest.mark.parametrize("dataset", DATASETS)
def test_damaged_files_are_refused(raw_folder, dataset):
    files = {ChickenpoxNodes: chickenpox(), EEGNodes: eeg()[0], METRLANodes: metr_la()[0]}
    names = files.get(dataset, {"sst_ndjfm_anom.nc": b""})
    root = raw_folder(dataset, dict.fromkeys(names, b"nonsense, 1\n2"))
    with pytest.raises(ValueError, match=r"damaged|no netCDF file"):
        dataset(root)


@pytest.mark.parametrize("dataset", DATASETS)
def test_files_that_are_not_there_are_downloaded(raw_folder, dataset):
    root = raw_folder(dataset, {})
    with pytest.raises(OSError, match=rf"{dataset.__name__}: could not download https://.* put the file into"):
        dataset(root)


def test_places_come_from_where_they_are():
    assert METRLANodes.url_of(METRLANodes, "los_adj.csv").endswith("/data/los_adj.csv")
    assert "DCRNN" in METRLANodes.url_of(METRLANodes, "graph_sensor_locations.csv")
