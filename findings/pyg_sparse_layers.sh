#!/usr/bin/env bash
# PyTorch Geometric documents ToSparseTensor as the same graph in a smaller format. Without torch-sparse it gives a
# torch.sparse tensor, and layers read that by other rules than the edge list: SAGEConv and GINConv,
# which have no weights, multiply by edge_weight; GCNConv counts a self-loop that is there already twice.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check -c "$here/../constraints.txt" torch==2.13.0 \
    torch-geometric==2.8.1 numpy
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect

import torch
import torch_geometric
from torch_geometric.data import Data
from torch_geometric.nn import APPNP, GCNConv, GINConv, GraphConv, SAGEConv, SGConv
from torch_geometric.transforms import RemoveSelfLoops, ToSparseTensor

torch.set_num_threads(1)
print("torch_geometric", torch_geometric.__version__, "torch", torch.__version__)
print("documented:", " ".join(ToSparseTensor.__doc__.split("Args:")[1].split("remove_edge_index")[0].split()))

# Five sensors on a line, both directions, weights such as correlations. The second graph has two self-loops as well.
line = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 4], [1, 0, 2, 1, 3, 2, 4, 3]])
loops = torch.cat([line, torch.tensor([[0, 3], [0, 3]])], dim=1)
x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0], [1.0, 1.0], [2.0, 5.0]])
weighted = Data(x=x, edge_index=line, edge_weight=torch.tensor([0.9, 0.9, 0.5, 0.5, 0.2, 0.2, 0.7, 0.7]))
looped = Data(x=x, edge_index=loops)


def apart(layer, data, transform=None, weight=None):
    """Largest difference between the layer on the edge list and the layer on the sparse tensor of the same graph."""
    sparse = (transform or ToSparseTensor())(data.clone()).adj_t
    with torch.no_grad():
        listed = layer(data.x, data.edge_index) if weight is None else layer(data.x, data.edge_index, weight)
        return float((listed - layer(data.x, sparse)).abs().max())


torch.manual_seed(0)
blind = {"SAGEConv mean": SAGEConv(2, 3), "SAGEConv max": SAGEConv(2, 3, aggr="max"),
         "GINConv": GINConv(torch.nn.Linear(2, 3))}
print("GraphConv, weights given to both:", apart(GraphConv(2, 3), weighted, weight=weighted.edge_weight))
for name, layer in blind.items():
    print(f"{name}, takes {list(inspect.signature(layer.forward).parameters)}: apart by {apart(layer, weighted):.3f}")
assert apart(GraphConv(2, 3), weighted, weight=weighted.edge_weight) < 1e-6
assert not any("edge_weight" in inspect.signature(layer.forward).parameters for layer in blind.values())
assert all(apart(layer, weighted) > 0.01 for layer in blind.values()), "the behaviour changed"
source = inspect.getsource(SAGEConv.message_and_aggregate)
print("SAGEConv drops the values of a torch_sparse.SparseTensor, and of nothing else:\n" + source.rstrip())
assert "isinstance(adj_t, SparseTensor)" in source, "the behaviour changed"

# GCNConv by hand, identity weights: D^-1/2 A D^-1/2 x with loops of weight 1 or, where one was there, 2.
gcn = GCNConv(2, 2, bias=False)
torch.nn.init.eye_(gcn.lin.weight)


def by_hand(loop):
    adjacency = torch.zeros(5, 5).index_put((line[1], line[0]), torch.ones(8)) + torch.diag(loop)
    scale = adjacency.sum(1).rsqrt()
    return scale[:, None] * adjacency * scale @ x


with torch.no_grad():
    listed, sparse = gcn(x, loops), gcn(x, ToSparseTensor()(looped.clone()).adj_t)
print("GCNConv of node 0, edge list:", listed[0].tolist(), "sparse:", sparse[0].tolist())
assert torch.allclose(listed, by_hand(torch.ones(5))), "the behaviour changed"
assert torch.allclose(sparse, by_hand(torch.tensor([2.0, 1, 1, 2, 1]))), "the behaviour changed"
for name, layer in {"APPNP": APPNP(3, 0.1), "SGConv": SGConv(2, 3)}.items():
    print(f"{name}, self-loops: apart by {apart(layer, looped):.3f}")
    assert apart(layer, looped) > 0.01, "the behaviour changed"

# Remedy: ToSparseTensor(attr=None) for layers without weights; RemoveSelfLoops before, for layers that add their own.
print("remedy, attr=None:", {name: apart(layer, weighted, ToSparseTensor(attr=None)) for name, layer in blind.items()})
assert all(apart(layer, weighted, ToSparseTensor(attr=None)) < 1e-6 for layer in blind.values())
bare = RemoveSelfLoops()(looped.clone())
print("remedy, RemoveSelfLoops:", apart(gcn, bare))
assert apart(gcn, bare) < 1e-6 and torch.allclose(gcn(x, bare.edge_index), listed)
E
