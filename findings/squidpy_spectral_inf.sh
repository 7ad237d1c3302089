#!/usr/bin/env bash
# squidpy's transform="spectral" is to divide a graph of cells by the roots of its degrees. It takes the degrees from
# the columns: in a graph of nearest neighbours, which is not symmetric, a cell that nobody counts among its nearest has
# none, and its own edges get infinite weight without a word. One outlying cell is enough, uniformly scattered cells
# often have one; Moran's I then refuses the graph.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check squidpy==1.8.2 anndata==0.12.19 \
    scanpy==1.11.5 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 pandas==2.3.3
cd "$work"
OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect
from importlib.metadata import version

import anndata
import numpy as np
import squidpy
from scipy.sparse import csr_matrix
from squidpy.gr import neighbors

print("squidpy", version("squidpy"))
doc = squidpy.gr.spatial_neighbors_knn.__doc__
print("documented:", " ".join(doc[doc.index("transform\n"):].split()[:8]))
source = inspect.getsource(neighbors.symmetric_normalize_csr)
print("of the function behind it:", source.split('"""')[1].strip().splitlines()[0])
print("why:", *(line.strip() for line in source.splitlines() if "degrees = " in line))


def graph(places, transform=None, radius=None):
    cells = anndata.AnnData(np.random.default_rng(1).random((len(places), 2)).astype("f4"))
    cells.obsm["spatial"] = places
    if radius is None:
        squidpy.gr.spatial_neighbors_knn(cells, n_neighs=6, transform=transform)
    else:
        squidpy.gr.spatial_neighbors_radius(cells, radius=radius, transform=transform)
    return cells, cells.obsp["spatial_connectivities"].toarray()


# A patch of cells and one cell beside it.
patch = np.random.default_rng(0).random((60, 2))
outlier = np.concatenate([patch, [[3.0, 3.0]]])
cells, links = graph(outlier)
assert np.isfinite(links).all() and links.sum(1).min() == 6 and links[:, 60].sum() == 0
cells, weights = graph(outlier, "spectral")
print(f"cell 60: edges from it {int(links[60].sum())}, edges to it {int(links[:, 60].sum())}, weights of its edges",
      weights[60][links[60] > 0].tolist())
assert np.isposinf(weights[60][links[60] > 0]).all() and np.isfinite(weights[:60]).all(), "the behaviour changed"
try:
    squidpy.gr.spatial_autocorr(cells, mode="moran", n_perms=None)
    raise SystemExit("Moran's I takes the graph now: the behaviour changed")
except ValueError as error:
    print("spatial_autocorr: ValueError", str(error).splitlines()[0])

# It needs no outlier by hand: uniformly scattered cells.
hit = [int(np.isinf(graph(np.random.default_rng(seed).random((200, 2)), "spectral")[1]).any()) for seed in range(30)]
print(f"30 draws of 200 uniform cells, 6 nearest: {sum(hit)} graphs with infinite weights")
assert sum(hit) > 0

# Degrees of the columns everywhere: with those of the rows, all 6, each weight would be 1/6.
values = np.unique(weights[np.isfinite(weights) & (weights > 0)])
print(f"finite weights: {values.min():.3f} to {values.max():.3f}")
assert values.max() - values.min() > 0.05, "the behaviour changed"

# Remedy: make the graph symmetric first, or take one that is.
both = np.maximum(links, links.T)
root = 1 / np.sqrt(both.sum(0))
mended = neighbors.symmetric_normalize_csr(csr_matrix(both)).toarray()
print(f"remedy, maximum(A, A.T): largest weight {mended.max():.3f}, of cell 60 {mended[60].max():.3f}")
assert np.isfinite(mended).all() and np.allclose(mended, root[:, None] * both * root, atol=1e-6)
assert abs(np.linalg.eigvalsh(mended).max() - 1) < 1e-5
_, ball = graph(patch, "spectral", radius=0.4)
assert np.isfinite(ball).all() and np.allclose(ball, ball.T)
E
