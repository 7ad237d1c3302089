#!/usr/bin/env bash
# probeinterface.write_prb writes the repr of NumPy scalars into the .prb text. Since NumPy 2 that is np.int64(2), not 2:
# probeinterface reads its own file back, because np happens to be a name in its module, and phylib cannot. The unit of
# the probe is left out as well, and read_prb takes every number as micrometres.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check probeinterface==0.4.2 phylib==2.7.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -W ignore - <<'E'
from importlib.metadata import version

import numpy as np
from phylib.electrode.mea import load_probe
from probeinterface import Probe, ProbeGroup, read_prb, write_prb

print(*(f"{name} {version(name)}" for name in ("probeinterface", "phylib", "numpy")))


def group(unit, pitch):
    probe = Probe(ndim=2, si_units=unit)
    probe.set_contacts(positions=np.array([[0.0, pitch * row] for row in range(4)]), shapes="circle",
                       shape_params={"radius": pitch / 5})
    probe.set_device_channel_indices([2, 0, 3, 1])
    both = ProbeGroup()
    both.add_probe(probe)
    return both


write_prb("micro.prb", group("um", 25.0))
text = open("micro.prb").read()
print("".join(line + "\n" for line in text.splitlines() if "np." in line), end="")
assert "np.int64(2)" in text and "np.float64(25.0)" in text, "the file holds plain numbers now: the behaviour changed"
own = read_prb("micro.prb").probes[0]
print("read_prb of probeinterface:", own.device_channel_indices.tolist(), own.contact_positions[:, 1].tolist(), own.si_units)
try:
    load_probe("micro.prb")
    raise SystemExit("phylib reads the file now: the behaviour changed")
except NameError as error:
    print("load_probe of phylib: NameError", error)

write_prb("milli.prb", group("mm", 0.025))
milli = read_prb("milli.prb").probes[0]
print("a pitch of 0.025 mm comes back as", milli.contact_positions[1, 1], milli.si_units)
doc = write_prb.__doc__
print("documented:", " ".join(doc[doc.index("Note: much"):doc.index("Note:\n")].split()))
assert milli.si_units == "um" and np.isclose(milli.contact_positions[1, 1], 0.025), "the behaviour changed"

# Remedy: go to micrometres, and write under NumPy's older repr.
source = group("mm", 0.025)
scale = {"um": 1.0, "mm": 1e3, "m": 1e6}
fixed = ProbeGroup()
for probe in source.probes:
    new = Probe(ndim=2, si_units="um")
    new.set_contacts(positions=probe.contact_positions * scale[probe.si_units], shapes="circle", shape_params={"radius": 5})
    new.set_device_channel_indices(probe.device_channel_indices)
    fixed.add_probe(new)
with np.printoptions(legacy="1.25"):
    write_prb("fixed.prb", fixed)
assert "np." not in open("fixed.prb").read()
with open("fixed.prb", "a") as file:  # "graph", documented as not handled by write_prb, is required by phylib
    file.write('for _group in channel_groups.values():\n    _group["graph"] = []\n')
array = load_probe("fixed.prb")
again = read_prb("fixed.prb").probes[0]
print("remedy: phylib reads channels", list(array.channels), "positions", np.asarray(array.positions).tolist())
assert list(array.channels) == [2, 0, 3, 1]
assert np.allclose(array.positions, [[0, 0], [0, 25], [0, 50], [0, 75]])
assert np.allclose(again.contact_positions, np.asarray(array.positions))
assert again.device_channel_indices.tolist() == [2, 0, 3, 1]
E
