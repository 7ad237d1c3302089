#!/usr/bin/env bash
# libpysal's Graph.build_kernel takes metric="haversine" for stations given as longitude and latitude in degrees. With k
# it turns them into radians and puts the latitude first; without k it does neither, so that stations 10 degrees apart
# are 2.57 away and far ones are near. With k the distances are radians on a sphere of radius 1, not kilometres.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check libpysal==4.14.1 geopandas==1.2.0 \
    numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 scikit-learn==1.9.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect
from importlib.metadata import version

import geopandas
import numpy as np
from libpysal.graph import Graph, _kernel
from scipy.spatial.distance import cdist

print(*(f"{name} {version(name)}" for name in ("libpysal", "geopandas", "scikit-learn")))
doc = Graph.build_kernel.__doc__
print("documented of bandwidth:", " ".join(doc[doc.index("distance to use"):doc.index("metric : string")].split()))
print("and of k:", " ".join(doc[doc.index("number of nearest"):doc.index("bandwidth :")].split()))
print("in the source:", [line.strip() for line in inspect.getsource(_kernel._knn).splitlines() if "haversine" in line])

# Thirty stations of a continent; distances in radians by the chord through the globe.
rng = np.random.default_rng(0)
size = 30
longitude, latitude = rng.uniform(-20, 60, size), rng.uniform(30, 70, size)
stations = geopandas.GeoSeries(geopandas.points_from_xy(longitude, latitude), crs=4326)
a, b = np.radians(longitude), np.radians(latitude)
globe = np.stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)], axis=1)
truth = 2 * np.arcsin(cdist(globe, globe) / 2)
lower = np.tril_indices(size, -1)


def dense(**options):
    return Graph.build_kernel(stations, metric="haversine", taper=False, **options).sparse.toarray()


far = size - 1
with_k, without = (dense(kernel="identity", **options) for options in ({"k": far}, {}))
print(f"all {far} neighbours, k={far}: off by {np.abs(with_k - truth).max():.1e} rad;"
      f" the same graph without k: off by up to {np.abs(without - truth).max():.2f} rad,"
      f" correlation with the distances {np.corrcoef(without[lower], truth[lower])[0, 1]:.2f}")
assert np.allclose(with_k, truth), "the distances of k are radians no more: the behaviour changed"
assert np.abs(without - truth).max() > 1 and np.corrcoef(without[lower], truth[lower])[0, 1] < 0.5, "it changed"
by_hand = dense(kernel="identity")
degrees = np.stack([longitude, latitude], axis=1)
half = np.sin((degrees[:, None] - degrees) / 2) ** 2
read = 2 * np.arcsin(np.sqrt(half[..., 0] + np.cos(longitude[:, None]) * np.cos(longitude) * half[..., 1]))
print(f"haversine of degrees read as radians, the longitude as latitude: off by {np.abs(by_hand - read).max():.0e}")
assert np.allclose(by_hand, read), "the behaviour changed"

# Kernel weights, and the strongest partner of each station.
np.fill_diagonal(truth, np.inf)
weights = dense(kernel="exponential", bandwidth=0.2)
hits = (weights.argmax(axis=1) == truth.argmin(axis=1)).sum()
print(f"exponential kernel without k: the strongest neighbour is the nearest station for {hits} of {size}")
assert hits < size / 3, "the behaviour changed"
kilometres = dense(kernel="exponential", bandwidth=1000, k=5)
print("exponential kernel, k=5, bandwidth of 1000 for 1000 km: weights from"
      f" {kilometres[kilometres > 0].min():.4f} to {kilometres.max():.4f}, all alike")
assert np.ptp(kilometres[kilometres > 0]) < 1e-3, "the distances are kilometres now: the behaviour changed"

# Remedy: distances by hand, in the unit of the bandwidth, as metric="precomputed".
np.fill_diagonal(truth, 0)
options = dict(kernel="exponential", bandwidth=1000, metric="precomputed", taper=False)
mended = Graph.build_kernel(truth * 6371, **options).sparse.toarray()
expected = np.exp(-truth * 6371 / 1000)
np.fill_diagonal(mended, 0)
np.fill_diagonal(expected, 0)
ratio = mended[lower] / expected[lower]
print(f"remedy: weights are exp(-distance / 1000 km), times {ratio.min():.6f} to {ratio.max():.6f}")
assert np.ptp(ratio) < 1e-9
E
