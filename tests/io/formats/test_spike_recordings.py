"""Recordings of SpikeInterface against their own traces (`make test-extras`)."""

import numpy as np
import pytest

from scge_pyg.io import read

core = pytest.importorskip("spikeinterface.core")
RNG = np.random.default_rng(0)


@pytest.fixture
def recording():
    """Two segments of four channels with ids that are no numbers, gains, and a probe in another order."""
    pi = pytest.importorskip("probeinterface")
    traces = [RNG.integers(-99, 99, (size, 4)).astype("int16") for size in (50, 30)]
    found = core.NumpyRecording(traces, 30000.0, channel_ids=["d", "c", "b", "a"])
    found.set_channel_gains([0.5, 1.0, 2.0, 0.25])
    found.set_channel_offsets([0.0] * 4)
    probe = pi.generate_linear_probe(num_elec=4, ypitch=20)
    probe.set_device_channel_indices([3, 1, 0, 2])
    found.set_probe(probe)
    return found


def test_names_places_and_values_agree_channel_by_channel(recording):
    signals = read(recording)
    assert signals.names == tuple(map(str, recording.channel_ids))
    place = dict(zip(signals.names, signals.layout.positions.tolist(), strict=True))
    assert place == {"a": [0, 0], "c": [0, 20], "d": [0, 40], "b": [0, 60]}
    assert (signals.rate, signals.unit, signals.samples.shape) == (30000.0, "uV", (80, 4))
    whole = np.concatenate([recording.get_traces(k, return_in_uV=True) for k in range(2)])
    for first, last in ((0, 80), (40, 60), (55, 70), (79, 80)):
        np.testing.assert_array_equal(signals.rows(first, last), whole[first:last])
    raw = read(recording, scaled=False)
    assert raw.unit is None
    np.testing.assert_array_equal(raw.rows(0, 50), recording.get_traces(0))
    assert signals.layout.names == signals.names
    np.testing.assert_array_equal(signals.layout.positions, recording.get_channel_locations())
    assert signals.notes == ("2 segments, one after the other",)


def test_a_selection_keeps_its_names_and_places(recording):
    some = recording.select_channels(["a", "d"])
    signals = read(some)
    assert signals.names == ("a", "d")
    np.testing.assert_array_equal(signals.rows(0, 50), some.get_traces(0, return_in_uV=True))
    place = dict(zip(recording.channel_ids, recording.get_channel_locations().tolist(), strict=True))
    assert signals.layout.positions.tolist() == [place["a"], place["d"]]


def test_without_gains_and_probe():
    signals = read(core.NumpyRecording([np.zeros((9, 3), "float32")], 1000.0))
    assert signals.names == ("0", "1", "2")
    assert signals.layout is None
    assert signals.unit is None


def test_a_probe_in_the_x_z_plane_keeps_its_shanks():
    pi = pytest.importorskip("probeinterface")
    places = np.array([[0.0, 0, 0], [0, 0, 20], [0, 0, 40], [50, 0, 0]])
    probe = pi.Probe(ndim=3, si_units="um")
    axes = np.tile(np.eye(3)[[0, 2]], (4, 1, 1))
    probe.set_contacts(positions=places, shapes="circle", shape_params={"radius": 5}, plane_axes=axes)
    probe.set_device_channel_indices([3, 1, 0, 2])
    recording = core.NumpyRecording([np.zeros((9, 4), "float32")], 1000.0, channel_ids=list("dcba"))
    recording.set_probe(probe)
    layout = read(recording).layout
    found = dict(zip(layout.names, layout.positions.tolist(), strict=True))
    assert found == {"a": [0, 0, 0], "c": [0, 0, 20], "d": [0, 0, 40], "b": [50, 0, 0]}
