#!/usr/bin/env bash
# torch.load(weights_only=True), the default since torch 2.6, refuses a plain PyTorch Geometric Data: the package allows
# Data, but not three classes that every Data holds. Its own torch_load, which data sets and loaders call, then warns
# and loads the file with pickle, which runs what code is in it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check -c "$here/../constraints.txt" torch==2.13.0 \
    torch-geometric==2.8.1 numpy
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import pickle
import warnings

import torch
import torch_geometric
from torch.serialization import add_safe_globals, get_unsafe_globals_in_checkpoint
from torch_geometric.data import Data
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage
from torch_geometric.io.fs import torch_load

print("torch_geometric", torch_geometric.__version__, "torch", torch.__version__)
torch.save(Data(x=torch.ones(3, 1), edge_index=torch.tensor([[0], [1]])), "data.pt")
print("not allowed:", get_unsafe_globals_in_checkpoint("data.pt"))
try:
    torch.load("data.pt")
    raise SystemExit("the behaviour changed")
except pickle.UnpicklingError as error:
    print("torch.load:", str(error).split("WeightsUnpickler error: ")[1].split(". ")[0])


class Harm:
    def __reduce__(self):
        return print, ("code of the file ran",)


torch.save(Harm(), "harm.pt")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    torch_load("harm.pt")
print("torch_load warned:", str(caught[0].message).split(" Please use")[0])

# Remedy: allow the three, and read files of others with torch.load alone.
add_safe_globals([DataEdgeAttr, DataTensorAttr, GlobalStorage])
print("remedy:", torch.load("data.pt"))
E
