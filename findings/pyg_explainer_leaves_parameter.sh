#!/usr/bin/env bash
# PyTorch Geometric's GNNExplainer leaves its mask among the parameters of every message passing layer of the explained
# model (as None). CaptumExplainer on the same model then fails, since set_masks makes its mask a new parameter, which
# Captum's gradient does not reach.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check -c "$here/../constraints.txt" torch==2.13.0 \
    torch-geometric==2.8.1 captum==0.9.0 numpy
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect

import torch
import torch_geometric
from torch_geometric.explain import CaptumExplainer, Explainer, GNNExplainer
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import GCNConv

print("torch_geometric", torch_geometric.__version__, "torch", torch.__version__)
print("".join(inspect.getsource(set_masks).partition("# Convert")[1:]).split("module.explain")[0].rstrip())
print("clear_masks:", inspect.getsource(clear_masks).split("_edge_mask")[1].split("\n")[0].strip())

torch.manual_seed(0)
edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
x = torch.randn(3, 2)
model = GCNConv(2, 1).eval()


def explained(algorithm):
    explainer = Explainer(
        model,
        algorithm,
        explanation_type="model",
        edge_mask_type="object",
        model_config={"mode": "regression", "task_level": "node", "return_type": "raw"},
    )
    return explainer(x, edge_index, index=1).edge_mask


first = explained(CaptumExplainer("Saliency"))
print("Captum on a fresh model:", first.tolist())
explained(GNNExplainer(epochs=2))
print("GNNExplainer leaves among the parameters:", sorted(model._parameters))
assert "_edge_mask" in model._parameters, "the behaviour changed"
try:
    explained(CaptumExplainer("Saliency"))
    raise SystemExit("the behaviour changed")
except RuntimeError as error:
    print("Captum on the same model:", error)

# Remedy: take what was left out of the parameters, or explain a copy made before.
del model._parameters["_edge_mask"]
model._edge_mask = None
assert torch.equal(explained(CaptumExplainer("Saliency")), first)
print("remedy: without it the answer is that of the fresh model")
E
