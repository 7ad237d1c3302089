#!/usr/bin/env bash
# pyroomacoustics' PointCloud finds the places of microphones from squared distances by classical scaling. It takes
# the eigenvectors from a solver for general matrices, which are not orthogonal where eigenvalues repeat, as they do in
# every regular array: squares, circles and cubes come back bent by a quarter to half of their width, others exactly.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check pyroomacoustics==0.10.1 numpy==2.4.6 \
    scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect
from importlib.metadata import version

import numpy as np
from pyroomacoustics import circular_2D_array, square_2D_array
from pyroomacoustics.experimental.point_cloud import PointCloud

print(*(f"{name} {version(name)}" for name in ("pyroomacoustics", "numpy")))
print("documented:", " ".join(inspect.getmodule(PointCloud).__doc__.split("class.")[1].split()))
source = inspect.getsource(PointCloud.classical_mds)
print("in the source:", [line.strip() for line in source.splitlines() if "eig" in line])


def squares(places):
    return ((places[:, :, None] - places[:, None]) ** 2).sum(axis=0)


def general(distances, dimension):
    return PointCloud(EDM=distances, dim=dimension).X


def symmetric(distances, dimension):
    size = len(distances)
    centre = np.eye(size) - 1 / size
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances @ centre)
    return np.sqrt(values[::-1][:dimension, None]) * vectors.T[::-1][:dimension]


def off(places, scale):
    """Largest error of a distance, in widths of the array; infinite where a place is complex."""
    distances = squares(places)
    found = scale(distances, len(places))
    if np.abs(np.imag(found)).max() > 1e-9:
        return np.inf
    return np.abs(np.sqrt(squares(np.real(found))) - np.sqrt(distances)).max() / np.sqrt(distances.max())


rng = np.random.default_rng(0)
turns = rng.uniform(0, 2 * np.pi, 20)
cube = np.stack(np.meshgrid([0.0, 0.1], [0.0, 0.1], [0.0, 0.1])).reshape(3, -1)
spun = [np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in turns]
arrays = {
    "square of 2 x 2": [square_2D_array([0, 0], 2, 2, turn, 0.1) for turn in turns],
    "square of 4 x 4": [square_2D_array([0, 0], 4, 4, turn, 0.1) for turn in turns],
    "circle of 6": [circular_2D_array([0, 0], 6, turn, 0.1) for turn in turns],
    "circle of 8": [circular_2D_array([0, 0], 8, turn, 0.1) for turn in turns],
    "cube of 8": [turn @ cube for turn in spun],
    "oblong of 2 x 3": [square_2D_array([0, 0], 2, 3, turn, 0.1) for turn in turns],
    "seven anywhere": [rng.uniform(0, 0.2, (2, 7)) for _ in turns],
}
spoilt = {}
for name, group in arrays.items():
    errors = np.array([off(places, general) for places in group])
    mended = max(off(places, symmetric) for places in group)
    real = errors[np.isfinite(errors)]
    spoilt[name] = int((errors > 0.01).sum())
    print(f"{name}, {len(turns)} orientations: {spoilt[name]} with a distance wrong by more than 1 % of the width,"
          f" worst {real.max() if len(real) else np.nan:.1%}, {len(errors) - len(real)} complex;"
          f" with eigh {mended:.0e}")
    # Remedy: an eigensolver for symmetric matrices.
    assert mended < 1e-6
regular = [name for name in arrays if name not in ("oblong of 2 x 3", "seven anywhere")]
assert sum(spoilt[name] for name in regular) > 20, "regular arrays come back right: the behaviour changed"
assert spoilt["oblong of 2 x 3"] == spoilt["seven anywhere"] == 0, "the behaviour changed"
E
