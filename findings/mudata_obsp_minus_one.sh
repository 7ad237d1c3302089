#!/usr/bin/env bash
# A MuData keeps graphs of its cells or sensors in obsp. When a modality brings an observation that was not there,
# update() adds a row and a column for it to every graph, filled with -1: the newcomer has an edge to every node and to
# itself, of negative weight, or True in a graph of booleans. Separate pieces become one, kernels are none any more.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check mudata==0.3.10 anndata==0.12.19 numpy==2.4.6 \
    scipy==1.17.1 pandas==2.3.3
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect
from importlib.metadata import version

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData, read_h5mu
from scipy.sparse import csr_matrix, issparse
from scipy.sparse.csgraph import connected_components, laplacian

print(*(f"{name} {version(name)}" for name in ("mudata", "anndata", "numpy", "scipy")))
print("documented of update:", " ".join(MuData.update.__doc__.split(".. note")[0].split()))
print("documented of obsp:", MuData.obsp.__doc__.strip().split("\n")[0])
source = inspect.getsource(inspect.getmodule(MuData)).splitlines()
print("in the source:", [line.strip() for line in source if "== -1" in line and line.endswith("= -1")])


def modality(names, columns):
    values = np.ones((len(names), len(columns)), dtype="float32")
    return AnnData(values, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=columns))


# Two pieces of tissue, chains of three cells each, as a graph of weights, a graph of booleans and a kernel.
cells = [f"cell{i}" for i in range(6)]
chain = np.zeros((6, 6))
for i, j in ((0, 1), (1, 2), (3, 4), (4, 5)):
    chain[i, j] = chain[j, i] = 0.5
kernel = np.kron(np.eye(2), np.full((3, 3), 0.5)) + 0.5 * np.eye(6)


def tissue():
    data = MuData({"rna": modality(cells, ["a", "b"])})
    data.obsp["weights"], data.obsp["linked"], data.obsp["kernel"] = csr_matrix(chain), csr_matrix(chain > 0), kernel
    return data


def dense(data, name):
    matrix = data.obsp[name]
    return matrix.toarray() if issparse(matrix) else np.asarray(matrix)


# A second modality with the same cells in another order leaves everything as it was; one with a cell more does not.
before, same, after = tissue(), tissue(), tissue()
same.mod["protein"] = modality(cells[::-1], ["c"])
same.update()
assert same.obs_names.tolist() == cells and np.array_equal(dense(same, "weights"), chain)
after.mod["protein"] = modality([*cells[::-1], "newcomer"], ["c"])
after.update()
assert after.obs_names.tolist() == [*cells, "newcomer"]
print("row of the newcomer:", {name: dense(after, name)[6].tolist() for name in ("weights", "linked")})
assert np.all(dense(after, "weights")[6] == -1) and np.all(dense(after, "weights")[:, 6] == -1), "it changed"
assert np.all(dense(after, "linked")[6]) and np.all(dense(after, "kernel")[6] == -1), "the behaviour changed"
for data, name in ((before, "before"), (after, "after")):
    weights = csr_matrix(dense(data, "weights"))
    spectrum = np.linalg.eigvalsh(laplacian(weights).toarray())
    print(f"{name}: {weights.nnz // 2} edges, {connected_components(weights)[0]} pieces, smallest eigenvalue of the"
          f" Laplacian {spectrum[0]:.3f}, of the kernel {np.linalg.eigvalsh(dense(data, 'kernel'))[0]:.3f}")
assert connected_components(csr_matrix(dense(before, "weights")))[0] == 2
assert connected_components(csr_matrix(dense(after, "weights")))[0] == 1, "the behaviour changed"
after.write_h5mu("after.h5mu")
assert np.all(dense(read_h5mu("after.h5mu"), "weights")[6] == -1)

# Remedy: take the graphs out by name before, and put them back into zeros.
mended = tissue()
graphs, old = {name: dense(mended, name) for name in ("weights", "linked", "kernel")}, mended.obs_names
mended.mod["protein"] = modality([*cells[::-1], "newcomer"], ["c"])
mended.update()
where = mended.obs_names.get_indexer(old)
for name, graph in graphs.items():
    wide = np.zeros((mended.n_obs, mended.n_obs), dtype=graph.dtype)
    wide[np.ix_(where, where)] = graph
    mended.obsp[name] = csr_matrix(wide)
print("remedy: row of the newcomer", dense(mended, "weights")[6].tolist(),
      f"{connected_components(csr_matrix(dense(mended, 'weights')))[0]} pieces, the newcomer alone in one")
assert np.array_equal(dense(mended, "weights")[:6, :6], chain) and not dense(mended, "weights")[6].any()
assert connected_components(csr_matrix(dense(mended, "weights")))[0] == 3
E
