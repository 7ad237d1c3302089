#!/usr/bin/env bash
# PyTorch Geometric's LSTMAggregation and GRUAggregation document that the elements to aggregate are read as a sequence
# and the last output is the result. They read it after the padding: a node's value depends on how many neighbours the
# largest neighbourhood of the batch has, so a sample alone and the same sample in a batch differ, and a node of few
# neighbours has been fed zeros since.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check -c "$here/../constraints.txt" torch==2.13.0 \
    torch-geometric==2.8.1 numpy
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import torch
import torch_geometric
from torch_geometric.data import Batch, Data
from torch_geometric.nn import SAGEConv
from torch_geometric.nn.aggr import GRUAggregation, LSTMAggregation

print("torch_geometric", torch_geometric.__version__)
for kind in (LSTMAggregation, GRUAggregation):
    print("documented of", kind.__name__ + ":", " ".join(kind.__doc__.split("Args:")[0].split()))

torch.manual_seed(0)
path = Data(x=torch.randn(3, 4), edge_index=torch.tensor([[1, 0, 2, 1], [0, 1, 1, 2]]))  # at most two neighbours
star = Data(x=torch.randn(9, 4), edge_index=torch.stack([torch.arange(1, 9), torch.zeros(8, dtype=torch.long)]))
conv = SAGEConv(4, 4, aggr="lstm").eval()
alone = conv(path.x, path.edge_index)
batch = Batch.from_data_list([path, star])
together = conv(batch.x, batch.edge_index)[:3]
difference = float((alone - together).abs().max())
print(f"SAGEConv(aggr='lstm'): the same path alone and beside a star of eight differs by {difference:.3f}")
assert difference > 1e-3, "it has changed"
mean = SAGEConv(4, 4, aggr="mean")
assert torch.allclose(mean(path.x, path.edge_index), mean(batch.x, batch.edge_index)[:3], atol=1e-6)

for kind in (LSTMAggregation, GRUAggregation):
    aggregation = kind(4, 4).eval()
    cell = aggregation.lstm if kind is LSTMAggregation else aggregation.gru
    x, index = torch.randn(7, 4), torch.tensor([0, 0, 1, 1, 1, 1, 1])
    found = aggregation(x, index)
    own = torch.stack([cell(x[index == node][None])[0][0, -1] for node in range(2)])  # each at its own length
    padded = cell(torch.cat([x[:2], torch.zeros(3, 4)])[None])[0][0, -1]
    print(kind.__name__, "off the state after the last neighbour by",
          [round(float(d), 3) for d in (found - own).abs().amax(1)], "(two neighbours, five neighbours)")
    assert torch.allclose(found[1], own[1], atol=1e-6)
    assert torch.allclose(found[0], padded, atol=1e-6) and not torch.allclose(found[0], own[0], atol=1e-3)

    # Remedy: keep all outputs and take the one at each node's own length.
    dense, mask = aggregation.to_dense_batch(x, index)
    last = mask.sum(1) - 1
    mended = cell(dense)[0][torch.arange(2), last]
    assert torch.allclose(mended, own, atol=1e-6)
print("read at each node's own length: right")
E
