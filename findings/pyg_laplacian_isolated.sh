#!/usr/bin/env bash
# A Laplacian has one eigenvalue 0 for each connected part of its graph. torch_geometric.utils.get_laplacian with
# normalization="sym" or "rw" gives a node without neighbours the eigenvalue 1, in the middle of the spectrum, where
# SciPy and networkx give it 0, as PyG itself does with normalization=None. Spectral embeddings, positional encodings
# and counts of parts then disagree between these libraries.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check -c "$here/../constraints.txt" torch==2.13.0 \
    torch-geometric==2.8.1 numpy scipy networkx
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import networkx as nx
import numpy as np
import scipy
import torch_geometric
from scipy.sparse.csgraph import laplacian
from torch_geometric.utils import from_networkx, get_laplacian, to_dense_adj

print("torch_geometric", torch_geometric.__version__, "scipy", scipy.__version__, "networkx", nx.__version__)
print("documented:", " ".join(get_laplacian.__doc__.split("Args:")[0].split()))

# Two chains of sensors, and one sensor that no other is like.
graph = nx.disjoint_union(nx.path_graph(4), nx.path_graph(3))
graph.add_node(7)
edges = from_networkx(graph).edge_index
parts = nx.number_connected_components(graph)
zeros = {}
for kind in (None, "sym", "rw"):
    index, weight = get_laplacian(edges, normalization=kind, num_nodes=8)
    ours = to_dense_adj(index, edge_attr=weight, max_num_nodes=8)[0].double().numpy()
    values = np.linalg.eigvals(ours).real
    zeros[kind] = int((abs(values) < 1e-6).sum())
    print(f"PyG, normalization={kind}: entry of the lonely node {ours[7, 7]:.0f}, eigenvalues 0: {zeros[kind]}")
theirs = laplacian(nx.to_scipy_sparse_array(graph, dtype=float), normed=True).toarray()
named = nx.normalized_laplacian_matrix(graph).toarray()
for name, matrix in (("scipy", theirs), ("networkx", named)):
    count = int((abs(np.linalg.eigvalsh(matrix)) < 1e-6).sum())
    print(f"{name}, normalized: entry of the lonely node {matrix[7, 7]:.0f}, eigenvalues 0: {count}")
    assert count == parts == 3 and matrix[7, 7] == 0
assert zeros[None] == 3 and zeros["sym"] == zeros["rw"] == 2, "it has changed"

# Remedy: set the diagonal of nodes without neighbours to 0.
index, weight = get_laplacian(edges, normalization="sym", num_nodes=8)
lonely = np.bincount(edges[0].numpy(), minlength=8) == 0
weight[(index[0] == index[1]).numpy() & lonely[index[0]]] = 0
mended = to_dense_adj(index, edge_attr=weight, max_num_nodes=8)[0].double().numpy()
assert np.allclose(mended, theirs, atol=1e-6)
print("with the diagonal of lonely nodes set to 0: equal to scipy")
E
