#!/usr/bin/env bash
# probeinterface documents Probe.rotate as anticlockwise. A 2-D probe turns clockwise, the same probe lifted to 3-D
# turns anticlockwise: rotating before to_3d and rotating after it give mirror-image tilts of one electrode array.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check probeinterface==0.4.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'E'
import numpy as np
import probeinterface
from probeinterface import Probe

print("probeinterface", probeinterface.__version__)
doc = Probe.rotate.__doc__
print("documented:", " ".join(doc[doc.index("theta :"):doc.index("center :")].split()))
assert "counterclockwise" in doc, "the documentation changed"


def shank():
    probe = Probe(ndim=2, si_units="um")
    probe.set_contacts(positions=np.array([[0.0, 0.0], [30.0, 0.0], [0.0, 100.0]]), shapes="rect",
                       shape_params={"width": 20, "height": 5})
    return probe


angle = 30.0
turn = np.deg2rad(angle)
anticlockwise = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
expected = shank().contact_positions @ anticlockwise.T

flat = shank()
flat.rotate(angle, center=(0, 0))
before = flat.to_3d(axes="xy")
after = shank().to_3d(axes="xy")
after.rotate(angle, center=(0, 0, 0), axis="xy")
print("expected, anticlockwise by 30 degrees:", expected.round(2).tolist())
print("2-D rotate, then to_3d:               ", before.contact_positions[:, :2].round(2).tolist())
print("to_3d, then 3-D rotate:               ", after.contact_positions[:, :2].round(2).tolist())
clockwise = shank().contact_positions @ anticlockwise
assert np.allclose(before.contact_positions[:, :2], clockwise), "the 2-D sense changed"
assert np.allclose(after.contact_positions[:, :2], expected), "the 3-D sense changed"
tip = np.linalg.norm(before.contact_positions[2] - after.contact_positions[2])
print(f"the tip of a 100 um shank lies {tip:.0f} um apart in the two orders")

# The axes of the contacts go with the positions, so nothing looks broken inside one probe.
print("axes of a contact, 2-D", flat.contact_plane_axes[0].round(3).tolist(),
      "3-D", after.contact_plane_axes[0][:, :2].round(3).tolist())
assert np.allclose(flat.contact_plane_axes[0] @ flat.contact_plane_axes[0].T, np.eye(2))
single = shank()
single.rotate_contacts(angle)
assert np.allclose(single.contact_plane_axes[0], flat.contact_plane_axes[0]), "rotate_contacts changed its sense"
print("rotate_contacts turns clockwise too:", single.contact_plane_axes[0].round(3).tolist())

# Remedy: give the 2-D methods the negative angle, or lift to 3-D first.
mended = shank()
mended.rotate(-angle, center=(0, 0))
mended = mended.to_3d(axes="xy")
assert np.allclose(mended.contact_positions, after.contact_positions)
assert np.allclose(mended.contact_plane_axes, after.contact_plane_axes)
print("remedy: 2-D rotate(-30) equals 3-D rotate(30), positions and axes")
E
