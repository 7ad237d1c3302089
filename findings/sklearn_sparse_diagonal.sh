#!/usr/bin/env bash
# Distances between points as a SciPy sparse matrix have no entries on their diagonal. scikit-learn documents that a
# point is not its own neighbour, and that distances which are not stored are absent. NearestNeighbors,
# LocalOutlierFactor and Isomap then take each point's nearest neighbour for the point itself and drop it, HDBSCAN goes
# one neighbour further than min_samples, DBSCAN and OPTICS put the diagonal back and agree with the dense matrix.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect

import numpy as np
import sklearn
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from sklearn.cluster import DBSCAN, HDBSCAN, OPTICS
from sklearn.manifold import Isomap
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

print("scikit-learn", sklearn.__version__)
doc = NearestNeighbors.kneighbors.__doc__
print("documented of kneighbors:", " ".join(doc[doc.index("The query point"):doc.index("n_neighbors : int")].split()))
doc = HDBSCAN.__doc__
print("documented of HDBSCAN, min_samples:",
      " ".join(doc[doc.index("The parameter `k` used"):doc.index("cluster_selection_epsilon")].split()))

# Four groups of sensors. Every distance is stored but those of 0, from a sensor to itself.
rng = np.random.default_rng(0)
places = np.concatenate([rng.normal(centre, 1, (30, 2)) for centre in [(0, 0), (5, 0), (0, 5), (6, 6)]])
dense = cdist(places, places)
bare = csr_matrix(dense)
assert bare.nnz == dense.size - len(dense) and np.array_equal(bare.toarray(), dense)
stored = bare.copy()
stored.setdiag(0.0)  # the same matrix, with zeros stored
assert stored.nnz == dense.size and np.array_equal(stored.toarray(), dense)


def hdbscan(distances, samples=5):
    """Which points are noise at a cut of 1.0; a cut does not depend on the order of equal distances."""
    found = HDBSCAN(min_cluster_size=5, min_samples=samples, metric="precomputed", copy=True).fit(distances)
    return (found.dbscan_clustering(1.0) < 0).astype(int)


methods = {
    "NearestNeighbors": lambda d: NearestNeighbors(n_neighbors=5, metric="precomputed").fit(d).kneighbors()[0],
    "LocalOutlierFactor": lambda d: LocalOutlierFactor(5, metric="precomputed").fit(d).negative_outlier_factor_,
    "Isomap": lambda d: Isomap(n_neighbors=12, metric="precomputed").fit(d).dist_matrix_,
    "HDBSCAN": hdbscan,
    "DBSCAN": lambda d: DBSCAN(eps=0.6, min_samples=5, metric="precomputed").fit(d.copy()).labels_,
    "OPTICS": lambda d: OPTICS(min_samples=5, metric="precomputed").fit(d.copy()).core_distances_,
}
off = {}
for name, method in methods.items():
    truth = method(dense)
    off[name] = [float(np.abs(method(distances) - truth).max()) for distances in (bare, stored)]
    print(f"{name}: off the dense result by {off[name][0]:.3f} without diagonal, by {off[name][1]:.3f} with it stored")

first = NearestNeighbors(n_neighbors=1, metric="precomputed")
print("nearest of sensor 0: dense", *first.fit(dense).kneighbors()[1][0], "sparse", *first.fit(bare).kneighbors()[1][0],
      "second nearest:", np.argsort(dense[0])[2])
assert np.array_equal(first.fit(bare).kneighbors()[1][:, 0], np.argsort(dense, 1)[:, 2]), "the behaviour changed"
assert all(off[name][0] > 0.01 for name in ("NearestNeighbors", "LocalOutlierFactor", "Isomap")), "behaviour changed"
assert off["DBSCAN"][0] == off["OPTICS"][0] == 0, "the behaviour changed"
noise = {"dense, 5": hdbscan(dense), "dense, 6": hdbscan(dense, 6), "sparse, 5": hdbscan(bare)}
print("HDBSCAN, matrix and min_samples, points of noise:", {name: int(value.sum()) for name, value in noise.items()})
assert np.array_equal(noise["sparse, 5"], noise["dense, 6"]), "the behaviour changed"
assert not np.array_equal(noise["sparse, 5"], noise["dense, 5"]), "the behaviour changed"
source = inspect.getsource(DBSCAN.fit)
print("why: DBSCAN has", *(line.strip() for line in source.splitlines() if "setdiag" in line))

# Remedy: store the zeros of the diagonal, as DBSCAN does: .setdiag(0.0).
assert all(stored_off < 1e-9 for bare_off, stored_off in off.values())
E
