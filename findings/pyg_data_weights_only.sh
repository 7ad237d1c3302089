#!/usr/bin/env bash
# torch.load(weights_only=True), the default since torch 2.6, refuses a plain PyTorch Geometric Data that was written with
# torch.save: the package allows Data, but not three classes that every Data holds. Remedy: allow the three.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check -c "$here/../constraints.txt" torch==2.13.0 \
    torch-geometric==2.8.1 numpy
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import pickle

import torch
import torch_geometric
from torch.serialization import add_safe_globals, get_unsafe_globals_in_checkpoint
from torch_geometric.data import Data
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage

print("torch_geometric", torch_geometric.__version__, "torch", torch.__version__)
torch.save(Data(x=torch.ones(3, 1), edge_index=torch.tensor([[0], [1]])), "data.pt")
print("not allowed:", get_unsafe_globals_in_checkpoint("data.pt"))
try:
    torch.load("data.pt")
    raise SystemExit("the behaviour changed")
except pickle.UnpicklingError as error:
    print("torch.load:", str(error).split("WeightsUnpickler error: ")[1].split(". ")[0])

add_safe_globals([DataEdgeAttr, DataTensorAttr, GlobalStorage])
print("remedy:", torch.load("data.pt"))
E
