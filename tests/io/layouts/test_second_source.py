"""Every kind of layout file as the library of its field reads it (`make test-extras`)."""

import json
from pathlib import Path

import numpy as np
import pytest

from scge_pyg.io import read_layout


def assert_same_places(layout, places):
    """Names in the same order, places up to one scale, as mne gives lengths in metres or on a head of its own."""
    assert list(layout.names) == list(places)
    theirs = np.array(list(places.values()))
    scale = np.linalg.norm(theirs) / np.linalg.norm(layout.positions)
    np.testing.assert_allclose(layout.positions * scale, theirs, rtol=0, atol=2e-7 * np.abs(theirs).max())


def test_locs_as_mne_reads_them(tmp_path):
    mne = pytest.importorskip("mne")
    rng = np.random.default_rng(0)
    names = ["Fz", "Cz", "C3", "O2", "EOG1"]
    lines = [
        f"{k}\t{angle:.3f}\t{arc:.4f}\t{name}"
        for k, (angle, arc, name) in enumerate(
            zip(rng.uniform(-180, 180, 5), rng.uniform(0.05, 0.6, 5), names, strict=True), 1
        )
    ]
    path = tmp_path / "cap.locs"
    path.write_text("\n".join(lines) + "\n")
    assert_same_places(read_layout(path), mne.channels.read_custom_montage(path).get_positions()["ch_pos"])


def test_the_elc_files_that_mne_ships():
    mne = pytest.importorskip("mne")
    folder = Path(mne.__file__).parent / "channels" / "data" / "montages"
    found = [path for path in sorted(folder.glob("*.elc")) if "10" in path.name or "fixed" in path.name]
    assert len(found) > 3
    for path in found:
        theirs = mne.channels.read_custom_montage(path, head_size=None).get_positions()
        layout = read_layout(path)
        assert layout.unit == "mm"
        assert_same_places(
            layout, {key: place for key, place in theirs["ch_pos"].items() if key not in ("Nz", "LPA", "RPA")}
        )
        np.testing.assert_allclose(np.array(layout.landmarks["nasion"]) / 1000, theirs["nasion"])
        np.testing.assert_allclose(np.array(layout.landmarks["lpa"]) / 1000, theirs["lpa"])


def test_the_sfp_and_locs_files_that_mne_ships():
    mne = pytest.importorskip("mne")
    folder = Path(mne.__file__).parent / "channels" / "data" / "montages"
    found = sorted([*folder.glob("*.sfp"), *folder.glob("*.loc*")])
    assert found
    for path in found:
        theirs = mne.channels.read_custom_montage(path, head_size=None).get_positions()
        layout = read_layout(path)
        marks = {name for name in theirs["ch_pos"] if name.lower() in ("nz", "lpa", "rpa") or name.startswith("Fid")}
        assert_same_places(layout, {name: place for name, place in theirs["ch_pos"].items() if name not in marks})
        if theirs["nasion"] is not None:
            np.testing.assert_allclose(np.array(layout.landmarks["nasion"]), theirs["nasion"])


def test_probes_as_probeinterface_writes_them(tmp_path):
    pi = pytest.importorskip("probeinterface")
    first = pi.generate_multi_columns_probe(num_columns=2, num_contact_per_column=5)
    first.set_contact_ids([f"e{k}" for k in range(10)])
    first.set_shank_ids(np.arange(10) // 5)
    first.set_device_channel_indices(np.random.default_rng(0).permutation(10))
    second = pi.generate_linear_probe(num_elec=4)
    second.set_contact_ids([f"f{k}" for k in range(4)])
    second.set_device_channel_indices(np.arange(10, 14))
    group = pi.ProbeGroup()
    group.add_probe(first)
    group.add_probe(second)
    pi.write_probeinterface(tmp_path / "group.json", group)
    layout = read_layout(tmp_path / "group.json")
    again = pi.read_probeinterface(tmp_path / "group.json").to_numpy(complete=True)
    assert list(layout.names) == again["contact_ids"].tolist()
    np.testing.assert_array_equal(layout.positions, np.stack([again["x"], again["y"]], 1))
    np.testing.assert_array_equal(layout.channel, again["device_channel_indices"])
    assert layout.unit == set(again["si_units"]).pop() == "um"
    assert len(set(layout.group)) == 3


def test_prb_as_probeinterface_writes_and_reads_it(tmp_path):
    pi = pytest.importorskip("probeinterface")
    probe = pi.generate_multi_columns_probe(num_columns=2, num_contact_per_column=5)
    probe.set_device_channel_indices(np.random.default_rng(0).permutation(10))
    group = pi.ProbeGroup()
    group.add_probe(probe)
    pi.write_prb(tmp_path / "one.prb", group)
    layout = read_layout(tmp_path / "one.prb")
    np.testing.assert_array_equal(layout.positions, probe.contact_positions)
    np.testing.assert_array_equal(layout.channel, probe.device_channel_indices)
    again = pi.read_prb(tmp_path / "one.prb").probes[0]
    np.testing.assert_array_equal(layout.positions, again.contact_positions)
    np.testing.assert_array_equal(layout.channel, again.device_channel_indices)


def test_electrodes_of_bids_as_mne_reads_them(tmp_path):
    mne = pytest.importorskip("mne")
    montage = mne.channels.make_standard_montage("biosemi32")
    places = dict(list(montage.get_positions()["ch_pos"].items())[:12])
    rows = [f"{name}\t" + "\t".join(f"{1000 * value:.9f}" for value in place) for name, place in places.items()]
    (tmp_path / "sub-1_electrodes.tsv").write_text("name\tx\ty\tz\n" + "\n".join(rows) + "\n")
    (tmp_path / "sub-1_coordsystem.json").write_text(json.dumps({"EEGCoordinateUnits": "mm"}))
    layout = read_layout(tmp_path / "sub-1_electrodes.tsv")
    assert layout.unit == "mm"
    assert_same_places(layout, places)
