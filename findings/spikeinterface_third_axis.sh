#!/usr/bin/env bash
# probeinterface holds electrodes in three dimensions and SpikeInterface takes such a probe without a word. Everything
# that asks for places or distances then looks at x and y only: a probe that lies in the x-z plane has its shanks
# collapsed into points. Local references and whitening mix the wrong channels, depth order and interpolation fail.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check spikeinterface==0.105.3 probeinterface==0.4.2 \
    numpy==2.4.6 scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
from importlib.metadata import version

import numpy as np
import spikeinterface as si
import spikeinterface.preprocessing as preprocessing
from probeinterface import Probe
from spikeinterface.core import get_channel_distances, get_closest_channels
from spikeinterface.preprocessing.common_reference import CommonReferenceRecording

print(*(f"{name} {version(name)}" for name in ("spikeinterface", "probeinterface", "numpy")))
doc = CommonReferenceRecording.__doc__
print("documented of distances:", " ".join(get_channel_distances.__doc__.split()))
print("of the local reference:", " ".join(doc[doc.index('"local": the median'):doc.index("The parameters of")].split()))

# Two shanks 30 um apart with four electrodes each, 40 um from one to the next along the shank.
size, samples = 8, 3000
flat = Probe(ndim=2, si_units="um")
flat.set_contacts(np.stack([np.repeat([0.0, 30.0], 4), np.tile(40.0 * np.arange(4), 2)], axis=1),
                  shapes="circle", shape_params={"radius": 5})
flat.set_device_channel_indices(np.arange(size))
signals = np.random.default_rng(0).standard_normal((samples, size)).astype("float32")


def record(probe):
    recording = si.NumpyRecording([signals], 30000.0)
    recording.set_property("gain_to_uV", np.ones(size))
    recording.set_property("offset_to_uV", np.zeros(size))
    recording.set_probe(probe)
    return recording


def mixed(processed, channel=0):
    """Weights of the channels in a processed channel, by least squares."""
    weights = np.linalg.lstsq(signals.astype(float), processed.get_traces()[:, channel].astype(float), rcond=None)[0]
    return weights.round(3) + 0.0


def local_reference(recording):
    options = dict(reference="local", local_radius=(10, 90), min_local_neighbors=1, operator="average")
    return mixed(preprocessing.common_reference(recording, **options))


def local_whitening(recording):
    return mixed(preprocessing.whiten(recording, mode="local", radius_um=35.0, dtype="float32", regularize=False,
                                      num_chunks_per_segment=1, chunk_size=samples - 10))


def bad_channel(recording):
    return mixed(preprocessing.interpolate_bad_channels(recording, [1]), channel=1)


probes = {axes: flat.to_3d(axes=axes) for axes in ("xy", "xz", "yz")}
known = {axes: np.linalg.norm(probe.contact_positions[:, None] - probe.contact_positions, axis=2)
         for axes, probe in probes.items()}
seen = {axes: get_channel_distances(record(probe)) for axes, probe in probes.items()}
for axes in probes:
    print(f"probe in the {axes} plane, distances of the first electrode: {seen[axes][0].round().astype(int).tolist()},"
          f" true {known[axes][0].round().astype(int).tolist()}")
assert np.allclose(seen["xy"], known["xy"]) and np.allclose(known["xy"], known["xz"])
assert np.all(seen["xz"][:4, :4] == 0) and np.all(seen["yz"][:4, :4] == 0), "the third axis counts: it changed"
print("three nearest of electrode 0:", {axes: get_closest_channels(record(probe))[0][0][:3].tolist()
                                         for axes, probe in probes.items()})

for name, step in (("local reference", local_reference), ("interpolation of electrode 1", bad_channel)):
    upright, lying = step(record(probes["xy"])), step(record(probes["xz"]))
    print(f"{name}, weights of the channels, x-y plane: {upright.tolist()}, x-z plane: {lying.tolist()}")
    assert np.abs(upright - lying).max() > 0.1, "the behaviour changed"
share = {axes: int((np.abs(local_whitening(record(probes[axes]))) > 1e-4).sum()) for axes in ("xy", "xz")}
print("local whitening within 35 um mixes", share, "channels into the first")
assert share["xz"] > share["xy"], "the behaviour changed"
order = {axes: preprocessing.depth_order(record(probes[axes])).channel_ids.tolist() for axes in ("xy", "xz")}
print("depth order:", order)
assert order["xy"] == [0, 4, 1, 5, 2, 6, 3, 7] and order["xz"] == list(range(size)), "the behaviour changed"

# Remedy: hand over the probe in two dimensions, in the plane it lies in; check distances where it fills all three.
mended = record(probes["xz"].to_2d(axes="xz"))
print("remedy, to_2d(axes='xz'): distances off by", np.abs(get_channel_distances(mended) - known["xz"]).max(),
      "local reference", local_reference(mended).tolist())
assert np.allclose(get_channel_distances(mended), known["xz"])
assert np.allclose(local_reference(mended), local_reference(record(flat)))
E
