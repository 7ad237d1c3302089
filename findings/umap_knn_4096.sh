#!/usr/bin/env bash
# UMAP takes neighbours found before, for instance once for the largest of several n_neighbors, and cuts them to
# n_neighbors. Below 4096 points it does not: the graph has the edges of all neighbours given. Refitting the same object
# cuts them after all, because the first fit leaves a switch behind.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check umap-learn==0.5.12 pynndescent==0.7.0 \
    numba==0.68.1 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect
from importlib.metadata import version

import numpy as np
from sklearn.neighbors import NearestNeighbors
from umap import UMAP

print("umap-learn", version("umap-learn"))
doc = UMAP.__doc__
print("documented:", " ".join(doc[doc.index("If the k-nearest"):doc.index("This should be a tuple")].split()))
print("documented of n_neighbors:", " ".join(doc[doc.index("The size of local"):doc.index("Larger values")].split()))
lines = [line.strip() for line in inspect.getsource(UMAP._validate_parameters).splitlines()]
start = next(i for i, line in enumerate(lines) if "knn_dists.shape[0] < 4096" in line)
print("the source:", *(lines[i] for i in range(start - 1, start + 10)), sep="\n    ")

# Sensors spread over a square, with their 15 nearest, each one's nearest being itself, as the documentation asks.
places = np.random.default_rng(0).random((4096, 2)).astype("f4")


def neighbours(count):
    distances, rows = NearestNeighbors(n_neighbors=15).fit(places[:count]).kneighbors(places[:count])
    assert np.array_equal(rows[:, 0], np.arange(count))
    return rows, distances


def model(known, given):
    """UMAP of 5 neighbours that gets the first ``given`` of the known ones; it returns its graph and draws nothing."""
    rows, distances = known
    return UMAP(n_neighbors=5, transform_mode="graph", random_state=0,
                precomputed_knn=(rows[:, :given].copy(), distances[:, :given].copy()))


edges = {}
for count in (4096, 4095):
    known = neighbours(count)
    right = model(known, 5).fit_transform(places[:count])
    long = model(known, 15)
    first = long.fit_transform(places[:count])
    second = long.fit_transform(places[:count])
    edges[count] = (right.nnz, first.nnz, second.nnz)
    off = [round(float(abs(graph - right).max()), 4) for graph in (first, second)]
    print(f"{count} points, n_neighbors=5: {right.nnz} entries of the graph from 5 neighbours;"
          f" from 15: {first.nnz}, weights off by {off[0]}; that object fitted again: {second.nnz}, off by {off[1]}")
    assert second.nnz == right.nnz and off[1] < 1e-4, "the second fit: the behaviour changed"
assert edges[4096][1] == edges[4096][0], "the behaviour changed at 4096 points"
assert edges[4095][1] > 3 * edges[4095][0], "the behaviour changed below 4096 points"
degree = {given: edges[4095][index] / 4095 for index, given in ((0, 5), (1, 15))}
print("mean degree of 4095 points:", {given: round(value, 2) for given, value in degree.items()})

# Remedy: cut the neighbours before. The result is that of UMAP's own search.
own = UMAP(n_neighbors=5, transform_mode="graph", random_state=0).fit_transform(places[:1000])
cut = model(neighbours(1000), 5).fit_transform(places[:1000])
uncut = model(neighbours(1000), 15).fit_transform(places[:1000])
print(f"1000 points, own search {own.nnz} entries, remedy {cut.nnz}, uncut {uncut.nnz};"
      f" remedy off by {abs(own - cut).max():.0e}")
assert own.nnz == cut.nnz < uncut.nnz and abs(own - cut).max() < 1e-4
E
