#!/usr/bin/env bash
# SciPy adds up the entries of a sparse array that stand at one place, which pools the contact counts of two runs.
# networkx takes the last of them and igraph the largest; csgraph adds them in laplacian and takes the smallest in
# shortest_path and minimum_spanning_tree. A look at A.sum() or A.max() pools A in place and changes the later graph.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check networkx==3.6.1 igraph==1.0.0 numpy==2.4.6 scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import igraph
import networkx as nx
import numpy as np
import scipy
from scipy.sparse import coo_array, coo_matrix, csr_array, csr_matrix
from scipy.sparse.csgraph import laplacian, minimum_spanning_tree, shortest_path

print("scipy", scipy.__version__, "networkx", nx.__version__, "igraph", igraph.__version__)
doc = coo_array.__doc__
print("documented of scipy:", " ".join(doc[doc.index("- By default"):doc.index("This facilitates")].split()))
print("documented of networkx and igraph: the word duplicate:", "duplicate" in nx.from_scipy_sparse_array.__doc__,
      "duplicate" in igraph.Graph.Weighted_Adjacency.__doc__)

# Contacts of four beads on a string, 0-1, 1-2 and 2-3, counted in two runs: pooled 9, 10 and 11.
pairs = np.array([[0, 1], [1, 2], [2, 3]])
runs = np.array([[7, 4, 6], [2, 6, 5]])
total = runs.sum(0).tolist()


def pooled():
    row, column = np.tile(pairs, (2, 1)).T
    return coo_array((np.tile(runs.ravel(), 2), (np.r_[row, column], np.r_[column, row])), shape=(4, 4))


def path(edges):
    """Weights of the three contacts, in order along the string."""
    found = {tuple(sorted(edge)): weight for *edge, weight in edges}
    return [int(found[tuple(pair)]) for pair in pairs.tolist()]


def of_networkx(source):
    return path(nx.from_scipy_sparse_array(source).edges(data="weight"))


def of_igraph(source):
    graph = igraph.Graph.Weighted_Adjacency(source, mode="undirected")
    return path([(*edge.tuple, edge["weight"]) for edge in graph.es])


dense = pooled().toarray()
assert np.array_equal(dense, dense.T) and dense.diagonal(1).tolist() == total
print("scipy:", total, "networkx:", of_networkx(pooled()), "igraph:", of_igraph(coo_matrix(pooled())))
assert of_networkx(pooled()) == runs[1].tolist(), "networkx takes the last no more: the behaviour changed"
assert of_igraph(coo_matrix(pooled())) == runs.max(0).tolist(), "igraph takes the largest no more: behaviour changed"
again = nx.to_scipy_sparse_array(nx.from_scipy_sparse_array(pooled()))
print("contacts in all, before a round through networkx", pooled().sum(), "after it", again.sum())

for name, look in {"toarray": coo_array.toarray, "sum": coo_array.sum, "max": coo_array.max}.items():
    seen = pooled()
    look(seen)
    print(f"the same array after a look by .{name}(): {seen.nnz} entries, networkx {of_networkx(seen)}")
    assert of_networkx(seen) == (runs[1].tolist() if name == "toarray" else total), "the behaviour changed"

# The same entries as CSR, row by row, which SciPy takes as they are.
entries = pooled()
order = np.argsort(entries.row, kind="stable")
ends = np.concatenate([[0], np.cumsum(np.bincount(entries.row, minlength=4))])
stacked = csr_array((entries.data[order].astype(float), entries.col[order], ends), shape=(4, 4))
assert np.array_equal(stacked.toarray(), dense) and not stacked.has_canonical_format
joins, steps = -laplacian(stacked).toarray().diagonal(1), shortest_path(stacked, directed=False).diagonal(1)
print("CSR: networkx", of_networkx(stacked), "igraph", of_igraph(csr_matrix(stacked)), "laplacian", joins.tolist(),
      "shortest_path", steps.tolist(), "weight of the spanning tree", minimum_spanning_tree(stacked).sum())
assert joins.tolist() == total and np.array_equal(steps, runs.min(0)), "the behaviour changed"
assert minimum_spanning_tree(stacked).sum() == runs.min(0).sum(), "the behaviour changed"

# Remedy: pool first. tocsr() pools a COO array, sum_duplicates() pools in place what is CSR already.
mended = pooled().tocsr()
stacked.sum_duplicates()
print("remedy: networkx", of_networkx(mended), "igraph", of_igraph(csr_matrix(mended)),
      "shortest_path", shortest_path(stacked, directed=False).diagonal(1).tolist())
assert of_networkx(mended) == of_igraph(csr_matrix(mended)) == total
assert shortest_path(stacked, directed=False).diagonal(1).tolist() == total
assert minimum_spanning_tree(stacked).sum() == sum(total)
E
