#!/usr/bin/env bash
# neo takes regions of interest in pixels, x along the width and y along the height, from an ImageSequence of
# [frame][row][column]. signal_from_region uses x as the row: a square movie gives the signal of the mirrored place
# without a word, a wide one raises IndexError. Circles lose their outermost pixels of largest x and y besides.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check neo==0.14.6 quantities==0.16.4 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -W ignore - <<'E'
from importlib.metadata import version

import numpy as np
import quantities as pq
from neo.core import ImageSequence
from neo.core.regionofinterest import CircularRegionOfInterest, PolygonRegionOfInterest, RectangularRegionOfInterest

print(*(f"{name} {version(name)}" for name in ("neo", "quantities", "numpy")))
print("documented:", " ".join(ImageSequence.__doc__.split("Inherits")[0].split()))
print("documented:", " ".join(RectangularRegionOfInterest.__doc__.split("properties*:")[1].split()))


def movie(rows, columns):
    """Two frames of pixels that say where they are: 100 * row + column."""
    frame = 100.0 * np.arange(rows)[:, None] + np.arange(columns)
    return ImageSequence(np.stack([frame, frame]), units="V", sampling_rate=1 * pq.Hz, spatial_scale=1 * pq.um)


def signal(sequence, region):
    return float(sequence.signal_from_region(region)[0].magnitude.ravel()[0])


def by_hand(sequence, inside):
    y, x = np.indices(sequence.shape[1:])
    return float(sequence.magnitude[0][inside(x, y)].mean())


square = movie(8, 8)
regions = {
    "rectangle": (RectangularRegionOfInterest, dict(x=6, y=2, width=2, height=4),
                  lambda x, y: (x >= 5) & (x < 7) & (y >= 0) & (y < 4)),
    "polygon": (lambda s, corners: PolygonRegionOfInterest(s, *corners), dict(corners=[(5, 0), (7, 0), (7, 4), (5, 4)]),
                lambda x, y: (x >= 5) & (x < 7) & (y >= 0) & (y < 4)),
}
for name, (kind, place, inside) in regions.items():
    region = kind(square, **place)
    got, want, mirrored = signal(square, region), by_hand(square, inside), by_hand(square, lambda x, y: inside(y, x))
    print(f"{name} {place}: {got} V, pixels of that place {want} V, of the mirrored place {mirrored} V")
    assert got == mirrored != want, "the behaviour changed"

wide = movie(5, 8)
print(f"a movie of {wide.shape[1]} rows and {wide.shape[2]} columns, pixel x=6, y=2, which holds 206 V:")
try:
    signal(wide, RectangularRegionOfInterest(wide, x=6, y=2, width=1, height=1))
    raise SystemExit("x is the column now: the behaviour changed")
except IndexError as error:
    print("   IndexError", error)

print("documented:", CircularRegionOfInterest.pixels_in_region.__doc__)
for radius in (1, 2, 3):
    circle = CircularRegionOfInterest(square, x=4, y=4, radius=radius)
    pixels = {tuple(pixel) for pixel in circle.pixels_in_region()}
    within = {(x, y) for x in range(8) for y in range(8) if circle.is_inside(x, y)}
    print(f"circle of radius {radius}: {len(pixels)} of {len(within)} pixels, lost {sorted(within - pixels)},"
          f" centre {np.mean(list(pixels), axis=0).round(3).tolist()} instead of [4, 4]")
    assert pixels < within and {(4 + radius, 4), (4, 4 + radius)} <= within - pixels, "the behaviour changed"

# Remedy: give the movie with its axes exchanged, so that x is the first one, and the circle a hair more radius.
turned = ImageSequence(square.magnitude.swapaxes(1, 2), units=square.units, sampling_rate=square.sampling_rate,
                       spatial_scale=square.spatial_scale)
for name, (kind, place, inside) in regions.items():
    print("remedy,", name, signal(turned, kind(turned, **place)), "V")
    assert signal(turned, kind(turned, **place)) == by_hand(square, inside)
for radius in (1, 2, 3):
    circle = CircularRegionOfInterest(turned, x=4, y=4, radius=radius + 1e-6)
    assert len(circle.pixels_in_region()) == sum(circle.is_inside(x, y) for x in range(8) for y in range(8))
    assert np.isclose(signal(turned, circle), by_hand(square, lambda x, y: (x - 4) ** 2 + (y - 4) ** 2 <= radius**2))
print("remedy, circles: all pixels whose centres are within, signal as by hand")
E
