"""Recordings as mne itself gives them (`make test-extras`)."""

import os
from pathlib import Path

import numpy as np
import pytest

from scge_pyg.io import read
from scge_pyg.io.edf_header import rates

mne = pytest.importorskip("mne")
RNG = np.random.default_rng(0)


@pytest.fixture
def raw():
    """Six channels at 128 Hz of which four are EEG; one is bad, one second is annotated as bad."""
    names = ["Fz", "Cz", "EOG1", "Pz", "Oz", "STI"]
    info = mne.create_info(names, 128.0, ["eeg", "eeg", "eog", "eeg", "eeg", "stim"])
    found = mne.io.RawArray(RNG.normal(size=(6, 640)) * 1e-5, info, verbose="ERROR")
    found.set_montage(mne.channels.make_standard_montage("biosemi64"), on_missing="ignore")
    found.info["bads"] = ["Pz"]
    found.set_annotations(mne.Annotations([2.0], [1.0], ["BAD_motion"]))
    return found


def test_raw_keeps_names_order_bads_and_places(raw):
    signals = read(raw)
    assert signals.names == ("Fz", "Cz", "Pz", "Oz")
    assert signals.dead.tolist() == [False, False, True, False]
    assert (signals.rate, signals.unit) == (128.0, "V")
    spoilt = np.zeros(640, bool)
    spoilt[256:384] = True
    np.testing.assert_array_equal(signals.samples[~spoilt], raw.get_data(picks=signals.names).T[~spoilt])
    assert np.isnan(signals.samples[spoilt]).all()
    assert signals.notes == ("left out 2 channels: EOG1 (eog), STI (stim); picks= chooses others",)
    positions = raw.get_montage().get_positions()
    theirs = np.array([positions["ch_pos"][name] for name in signals.names])
    np.testing.assert_allclose(signals.layout.positions, theirs)
    np.testing.assert_allclose(signals.layout.landmarks["nasion"], positions["nasion"])


def test_picks_choose_by_type_or_name(raw):
    assert read(raw, picks="eog").names == ("EOG1",)
    named = read(raw, picks=["Oz", "EOG1"])
    assert named.names == ("Oz", "EOG1")
    np.testing.assert_array_equal(named.samples[:100], raw.get_data(picks=["Oz", "EOG1"])[:, :100].T)
    with pytest.raises(ValueError, match=r"picks names 'Fpz'; the recording has Fz, Cz, .* of types eeg, eog, stim"):
        read(raw, picks=["Fpz"])
    with pytest.raises(ValueError, match=r"no channel measures the brain \(1 stim\); choose some with picks="):
        read(raw.copy().pick(["STI"]))


def test_epochs_follow_each_other(raw):
    epochs = mne.make_fixed_length_epochs(raw, 1.0, preload=True, reject_by_annotation=False, verbose="ERROR")
    signals = read(epochs)
    np.testing.assert_array_equal(signals.samples, raw.get_data(picks=signals.names)[:, :640].T)
    assert signals.dead.tolist() == [False, False, True, False]


def test_fif_raw_and_epochs(raw, tmp_path):
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    signals = read(tmp_path / "a_raw.fif")
    np.testing.assert_allclose(signals.samples, read(raw).samples, rtol=1e-6)
    assert signals.dead.tolist() == [False, False, True, False]
    epochs = mne.make_fixed_length_epochs(raw, 1.0, preload=True, reject_by_annotation=False, verbose="ERROR")
    epochs.save(tmp_path / "a-epo.fif", verbose="ERROR")
    np.testing.assert_allclose(read(tmp_path / "a-epo.fif").samples, read(epochs).samples, rtol=1e-6)


@pytest.mark.parametrize("ending", [".vhdr", ".edf", ".set"])
def test_exported_files_hold_the_same(raw, tmp_path, ending):
    pytest.importorskip({".vhdr": "pybv", ".edf": "edfio", ".set": "eeglabio"}[ending])
    whole = raw.copy().pick("eeg").set_annotations(None).set_montage(None)
    path = tmp_path / f"a{ending}"
    mne.export.export_raw(path, whole, verbose="ERROR")
    signals = read(path)
    assert signals.names == ("Fz", "Cz", "Pz", "Oz")
    assert signals.rate == 128.0
    values = whole.get_data().T
    step = np.ptp(values) / 2**15
    np.testing.assert_allclose(signals.samples[: len(values)], values, atol=step)


def edf(path, *channels):
    edfio = pytest.importorskip("edfio")
    signals = [
        edfio.EdfSignal(values, rate, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for name, rate, values in channels
    ]
    edfio.Edf(signals).write(path)
    return signals


def test_channels_of_other_rates_are_left_out_and_the_rest_not_resampled(tmp_path):
    path = tmp_path / "night.edf"
    values = {name: RNG.normal(size=128 * 10) * 50 for name in ("Fz", "Cz")}
    written = edf(
        path,
        ("Fz", 128, values["Fz"]),
        ("ECG", 512, RNG.normal(size=5120) * 50),
        ("Cz", 128, values["Cz"]),
        ("SpO2", 1, RNG.normal(size=10) * 50),
    )
    assert rates(path) == [("Fz", 128.0), ("ECG", 512.0), ("Cz", 128.0), ("SpO2", 1.0)]
    assert mne.io.read_raw_edf(path, verbose="ERROR").info["sfreq"] == 512  # what mne makes of all of them
    signals = read(path)
    assert signals.names == ("Fz", "Cz")
    assert signals.rate == 128.0
    np.testing.assert_allclose(signals.samples * 1e6, np.stack([written[0].data, written[2].data], 1), atol=1e-9)
    assert signals.notes == ("left out 2 channels whose rate is not 128 Hz: ECG (512 Hz), SpO2 (1 Hz)",)
    assert read(path, picks=["ECG"]).rate == 512.0
    with pytest.raises(ValueError, match=r"different rates \(Fz at 128 Hz, ECG at 512 Hz\); choose channels of one"):
        read(path, picks=["Fz", "ECG"])


@pytest.mark.filterwarnings("ignore:MNE-Python currently only supports header:RuntimeWarning")
def test_what_is_no_recording_says_so(tmp_path):
    for name in ("a.edf", "a.vhdr", "a.set", "a_raw.fif"):
        (tmp_path / name).write_bytes(b"0       " * 8)
        with pytest.raises(ValueError, match=f"{name} can't be read as a recording of mne"):
            read(tmp_path / name)


def test_the_eeg_that_eeglab_ships():
    folder = Path(os.environ.get("SCGE_DATA", "none")) / "eeg_eeglab"
    if not folder.exists():
        pytest.skip("SCGE_DATA names no folder with eeg_eeglab")
    signals = read(folder / "eeglab_data.set")
    values = np.fromfile(folder / "eeglab_data.fdt", "<f4").reshape(-1, 32)
    columns = [k for k in range(32) if k not in (1, 5)]
    assert signals.samples.shape == (30504, 30)
    assert signals.notes == ("left out 2 channels: EOG1 (eeg), EOG2 (eeg); picks= chooses others",)
    assert read(folder / "eeglab_data.set", picks="eeg").num_nodes == 32
    np.testing.assert_allclose(signals.samples * 1e6, values[:, columns], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Loading an EDF with mixed sampling:RuntimeWarning")
def test_a_recording_that_was_opened_lazily_is_read_whole(tmp_path):
    """mne resamples channels of other rates block by block, which differs at their borders."""
    path = tmp_path / "lazy.edf"
    edf(path, ("Fz", 100, RNG.normal(size=1000) * 50), ("Cz", 50, RNG.normal(size=500).cumsum()))
    lazy = mne.io.read_raw_edf(path, preload=False, verbose="ERROR")
    signals = read(lazy, picks=["Fz", "Cz"])
    whole = mne.io.read_raw_edf(path, preload=True, verbose="ERROR")
    np.testing.assert_array_equal(signals.samples, whole.get_data().T)
    assert not lazy.preload
    assert np.abs(lazy[:, 137:263][0] - whole[:, 137:263][0]).max() > 0  # what a block read lazily would have been
