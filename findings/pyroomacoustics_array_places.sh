#!/usr/bin/env bash
# Two of pyroomacoustics' array makers put microphones elsewhere than asked. spiral_2D_array documents the centre of the
# array and ignores it: the spiral lies around (0, 0), partly outside the room. circular_microphone_array_xyplane takes
# its rotation in degrees and hands it on as radians: the places turn by another angle than the directivities on them.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check pyroomacoustics==0.10.1 numpy==2.4.6 \
    scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
from importlib.metadata import version

import numpy as np
from pyroomacoustics import ShoeBox, circular_2D_array, circular_microphone_array_xyplane, spiral_2D_array
from pyroomacoustics.directivities import CardioidFamily, DirectionVector

print(*(f"{name} {version(name)}" for name in ("pyroomacoustics", "numpy")))
doc = spiral_2D_array.__doc__
print("documented of the spiral:", " ".join(doc[doc.index("center:"):doc.index("M:")].split()))
doc = circular_microphone_array_xyplane.__doc__
print("documented of the circle:", " ".join(doc[doc.index("phi0:"):doc.index("fs:")].split()))

room = ShoeBox([8, 6], fs=16000)
places = {centre: spiral_2D_array(centre, 16, radius=0.5, angle=0) for centre in ((4, 3), (2, 5))}
for centre, spiral in places.items():
    apart = np.linalg.norm(spiral - np.array(centre)[:, None], axis=0).max()
    inside = sum(bool(room.is_inside(place)) for place in spiral.T)
    print(f"spiral of radius 0.5 around {centre}: mean place {spiral.mean(axis=1).round(2).tolist()}, farthest one"
          f" {apart:.2f} m from there, {inside} of 16 inside a room of 8 x 6 m")
    assert apart > 4 and inside < 16, "the centre counts: the behaviour changed"
assert np.array_equal(*places.values()), "the behaviour changed"
try:
    room.add_microphone_array(places[4, 3])
    print("the room takes them without a word")
except ValueError as error:
    print("the room refuses them:", error)

listener = CardioidFamily(orientation=DirectionVector(azimuth=0, colatitude=90, degrees=True), p=0.5)
for turn in (0, 30, 90):
    circle = circular_microphone_array_xyplane([4, 3], 4, turn, 0.5, 16000, directivity=listener)
    east, north = circle.R - np.array([[4], [3]])
    stand = np.degrees(np.arctan2(north, east)) % 360
    look = np.array([each.get_response(np.arange(360), np.full(360, 90), degrees=True).argmax()
                     for each in circle.directivity])
    gap = (stand - look + 180) % 360 - 180
    print(f"circle turned by {turn} degrees: microphones at {stand.round(1).tolist()} degrees look towards"
          f" {look.tolist()}, {gap.round(1).tolist()} apart")
    assert np.allclose(look, (turn + 90 * np.arange(4)) % 360, atol=0.5)
    assert np.allclose(stand, (np.degrees(turn) + 90 * np.arange(4)) % 360), "places turn by degrees: it changed"

# Remedy: add the centre; make the places of the circle in radians, and the directivities apart from them.
mended = spiral_2D_array((0, 0), 16, radius=0.5, angle=0) + np.array([[4], [3]])
print("remedy, centre added:", sum(bool(room.is_inside(place)) for place in mended.T), "of 16 inside")
assert all(room.is_inside(place) for place in mended.T)
circle = circular_2D_array([4, 3], 4, np.radians(30), 0.5) - np.array([[4], [3]])
print("remedy, circular_2D_array with radians:", np.degrees(np.arctan2(*circle[::-1])).round(1).tolist())
assert np.allclose(np.degrees(np.arctan2(*circle[::-1])) % 360, 30 + 90 * np.arange(4))
E
