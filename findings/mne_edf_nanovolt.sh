#!/usr/bin/env bash
# EDF+ has prefixes for the physical dimension of a channel, n for nano among them. MNE-Python knows uV and mV and takes
# every other dimension for volts: 10 nV become 10 V, without a word, while the same object says that the channel was in
# nV; units= cannot mend it. One such channel among others in uV takes over the average reference and all correlations.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check mne==1.13.2 edfio==0.4.18 pyEDFlib==0.1.42 \
    numpy==2.4.6 scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" - <<'E'
import warnings
from importlib.metadata import version

import edfio
import mne
import numpy as np
import pyedflib

warnings.simplefilter("error")  # a warning of the reader would end this script
mne.set_log_level("WARNING")
print(*(f"{name} {version(name)}" for name in ("mne", "edfio", "pyEDFlib", "numpy")))
doc = mne.io.read_raw_edf.__doc__
print("documented of units:", " ".join(doc[doc.index("The units of the channels"):doc.index("encoding : str")].split()))

# Five electrodes of one strip whose neighbours share a field, some 10 uV. The third one's amplifier stores nV.
names = ["A1", "A2", "A3", "A4", "A5"]
dimensions = ["uV", "uV", "nV", "uV", "uV"]
per_volt = {"uV": 1e6, "nV": 1e9, "mV": 1e3, "V": 1.0}
places = np.arange(5)
rng = np.random.default_rng(0)
field = np.exp(-np.abs(np.subtract.outer(places, places)) / 1.5)
volts = 1e-5 * (rng.standard_normal((4000, 5)) @ np.linalg.cholesky(field).T).T


def write(path, dimensions):
    signals = []
    for name, unit, signal in zip(names, dimensions, volts * [[per_volt[unit]] for unit in dimensions]):
        reach = float(np.ceil(np.abs(signal).max()))
        options = dict(label=name, physical_dimension=unit, physical_range=(-reach, reach))
        signals.append(edfio.EdfSignal(signal, 200, **options))
    edfio.Edf(signals).write(path)


def relative(found):
    return (np.abs(found).max(axis=1) / np.abs(volts).max(axis=1)).round(3)


for path, units in (("same.edf", ["uV"] * 5), ("mixed.edf", dimensions)):
    write(path, units)
raw = mne.io.read_raw_edf("mixed.edf", preload=True)
print("MNE, amplitudes / true ones:", relative(raw.get_data()).tolist(), "which were in", raw._orig_units)
assert np.allclose(relative(raw.get_data()), [1, 1, 1e9, 1, 1], rtol=1e-3), "nV is known: the behaviour changed"
assert raw._orig_units["A3"] == "nV" and np.allclose(raw.get_data(units="uV"), raw.get_data() * 1e6)
with pyedflib.EdfReader("mixed.edf") as file:
    other = np.stack([file.readSignal(i) / per_volt[file.getPhysicalDimension(i)] for i in range(5)])
print("pyEDFlib, by its dimensions:", relative(other).tolist())
assert np.allclose(other, volts, atol=1e-9)

named = mne.io.read_raw_edf("mixed.edf", preload=True, units={"A3": "nV"})
print("MNE with units={'A3': 'nV'}:", relative(named.get_data()).tolist())
assert np.array_equal(named.get_data(), raw.get_data()), "units= counts: the behaviour changed"
try:
    mne.io.read_raw_edf("mixed.edf", units={"A3": "uV"})
    raise SystemExit("units= may overrule the file: the behaviour changed")
except ValueError as error:
    print("MNE with units={'A3': 'uV'}: ValueError,", error)

# The average reference, a usual step before correlations.
known = mne.io.read_raw_edf("same.edf", preload=True).set_eeg_reference("average", verbose="ERROR")
spoilt = raw.copy().set_eeg_reference("average", verbose="ERROR")
truth, seen = (np.corrcoef(each.get_data()) for each in (known, spoilt))
print("correlations with A1 after the average reference, all in uV:", truth[0].round(3).tolist(),
      "mixed:", seen[0].round(3).tolist())
assert np.all(np.abs(seen) > 0.999) and np.abs(truth[~np.eye(5, dtype=bool)]).max() < 0.6, "the behaviour changed"

# Remedy: scale by the dimension that the reader has kept.
strange = [name for name, unit in raw._orig_units.items() if unit == "nV"]
mended = raw.copy().apply_function(lambda signal: signal * 1e-9, picks=strange)
print("remedy, apply_function on", strange, relative(mended.get_data()).tolist())
assert np.allclose(mended.get_data(), volts, atol=1e-9)
E
