#!/usr/bin/env bash
# MNE-Python reads the electrodes and the fiducials of one EEGLAB .set file with two different rules: electrodes are
# turned from EEGLAB's axes (+X nose, +Y left) into MNE's (+X right, +Y nose) and scaled to metres, fiducials are
# neither. The nasion of a file in millimetres ends 114 m away, beside the left-right axis.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check mne==1.13.2 numpy==2.4.6 scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" - <<'E'
import mne
import numpy as np
from scipy.io import savemat

mne.set_log_level("ERROR")
print("mne", mne.__version__)
NAMES = ["Fz", "Cz", "Pz", "C3", "C4", "O1", "O2", "Fp1", "Fp2", "T7", "T8"]
FIDUCIALS = {"nasion": "Nasion", "lpa": "Left periauricular point", "rpa": "Right periauricular point"}


def write_set(path, truth, unit):
    """An EEGLAB data set: chanlocs and chaninfo.nodatchans share the axes (+X nose, +Y left, +Z up) and the unit."""
    def eeglab(point):
        return np.array([point[1], -point[0], point[2]]) * unit

    chanlocs = np.zeros(len(NAMES), dtype=[(key, object) for key in ("labels", "X", "Y", "Z", "type")])
    for row, name in enumerate(NAMES):
        chanlocs[row] = (name, *eeglab(truth["ch_pos"][name]), "EEG")
    others = np.zeros(3, dtype=[(key, object) for key in ("labels", "X", "Y", "Z", "type", "description")])
    for row, (name, description) in enumerate(FIDUCIALS.items()):
        others[row] = (name, *eeglab(truth[name]), "FID", description)
    data = np.random.default_rng(0).standard_normal((len(NAMES), 512)).astype("f4")
    savemat(path, {"EEG": dict(data=data, setname="x", nbchan=float(len(NAMES)), pnts=512.0, trials=1.0, srate=128.0,
                               xmin=0.0, xmax=511 / 128, ref="common", chanlocs=chanlocs,
                               chaninfo=dict(nodatchans=others, nosedir="+X"),
                               icawinv=[], icasphere=[], icaweights=[], event=[])})


template = mne.io.RawArray(np.zeros((len(NAMES), 8)), mne.create_info(NAMES, 128.0, "eeg"))
template.set_montage(mne.channels.make_standard_montage("standard_1020"))
truth = template.get_montage().get_positions()
doc = mne.io.read_raw_eeglab.__doc__
print("documented:", " ".join(doc[doc.index("montage_units :"):doc.index(".. versionadded", doc.index("montage_units"))].split()))

for unit, label in ((1, "m"), (1000, "mm")):
    write_set("one.set", truth, unit)
    raw = mne.io.read_raw_eeglab("one.set", preload=True)
    got = raw.get_montage().get_positions()
    worst = max(np.linalg.norm(got["ch_pos"][name] - truth["ch_pos"][name]) for name in NAMES)
    print(f"file in {label}: frame {got['coord_frame']!r}, electrodes off by {worst:.1e} m")
    for name in FIDUCIALS:
        print(f"   {name:6s} written {np.round(truth[name], 4)} read {np.round(got[name], 4)} m")
    assert worst < 1e-9, "electrodes are not restored: the behaviour changed"
    # Expected of the 'head' frame: +Y goes through the nasion, +X through the right preauricular point.
    assert got["coord_frame"] == "head"
    assert np.allclose(got["nasion"], [truth["nasion"][1] * unit, 0, 0], atol=1e-6 * unit), "behaviour changed"
    assert np.allclose(got["rpa"], [0, -truth["rpa"][0] * unit, 0], atol=1e-6 * unit), "behaviour changed"

    # What it does further on: the same points given back to set_montage, the way a digitiser file would be.
    again = raw.copy().set_montage(mne.channels.make_dig_montage(
        ch_pos=got["ch_pos"], nasion=got["nasion"], lpa=got["lpa"], rpa=got["rpa"], coord_frame="unknown"))
    turned = again.get_montage().get_positions()["ch_pos"]["Fz"]
    print(f"   Fz after set_montage by these fiducials: {np.round(turned, 3)} (was {np.round(truth['ch_pos']['Fz'], 3)})")
    assert turned[0] < -0.09 and abs(turned[1]) < 0.005, "behaviour changed"

    # Remedy: give the fiducials the rule of the electrodes (the file's unit is known from the ratio above or the file).
    right = {name: np.array([-got[name][1], got[name][0], got[name][2]]) / unit for name in FIDUCIALS}
    mended = raw.copy().set_montage(mne.channels.make_dig_montage(ch_pos=got["ch_pos"], coord_frame="unknown", **right))
    after = mended.get_montage().get_positions()
    off = max(np.linalg.norm(after["ch_pos"][name] - truth["ch_pos"][name]) for name in NAMES)
    off = max(off, *(np.linalg.norm(after[name] - truth[name]) for name in FIDUCIALS))
    print(f"   remedy (-y, x, z) / {unit}: electrodes and fiducials off by {off:.1e} m")
    assert off < 1e-6
E
