#!/usr/bin/env bash
# scanpy.pp.neighbors(method="gauss") on samples with equal rows, as rounded sensor readings have: some samples become
# their own neighbours although the documentation excludes them, the connectivities of an undirected graph are not
# symmetric, and where most neighbours are copies the width of the kernel is 0 and the weights are NaN. method="umap"
# keeps symmetric, finite weights from the same distances.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check scanpy==1.11.5 anndata==0.12.19 numpy==2.4.6 scipy==1.17.1 \
    scikit-learn==1.9.1 umap-learn==0.5.12 pandas==2.3.3
cd "$work"
OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import anndata
import numpy as np
import scanpy

print("scanpy", scanpy.__version__)
doc = scanpy.pp.neighbors.__doc__
print("documented:", " ".join(doc[doc.index("Each row (cell)"):doc.index("`adata.obsp['connectivities'")].split()))
readings = np.random.default_rng(0).integers(0, 7, (200, 3)).astype("f4")
distinct, place, copies = np.unique(readings, axis=0, return_inverse=True, return_counts=True)
place = place.ravel()
print(f"200 samples of 3 sensors in 7 steps: {len(distinct)} distinct, up to {copies.max()} copies")


def graph(values, method):
    data = anndata.AnnData(values.copy())
    scanpy.pp.neighbors(data, n_neighbors=5, use_rep="X", method=method)
    return data.obsp["distances"].tocsr(), data.obsp["connectivities"].tocsr()


def count(values, method):
    distances, weights = graph(values, method)
    own = sum(row in distances[row].indices for row in range(len(values)))
    dense = weights.toarray()
    nans = int(np.isnan(dense).sum())
    dense = np.nan_to_num(dense)
    uneven = int((np.abs(dense - dense.T) > 1e-6).sum())
    print(f"   {method:5s} of {len(values)} rows: own neighbours {own}, loops {int((dense.diagonal() > 0).sum())},"
          f" uneven entries {uneven}, NaN {nans}")
    return own, uneven, nans


own, uneven, nans = count(readings, "umap")
assert own > 0 and uneven == 0 and nans == 0, "the behaviour changed"
own, uneven, nans = count(readings, "gauss")
assert own > 0 and uneven > 0 and nans > 0, "the behaviour changed"

# Remedy: the graph of the distinct rows; every sample takes the place of its row.
print("remedy, distinct rows:")
assert count(distinct, "gauss") == (0, 0, 0)
assert np.array_equal(distinct[place], readings)
print("   sample i is row place[i]:", place[:8].tolist(), "...")
E
