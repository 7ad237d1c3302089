"""Peak memory of a training step of the lattice classifier beside the CNN that was told the grid.

The network, batch and images of `shuffled_classification.py` (random values: memory doesn't depend on them); what
forward, backward and a step of AdamW allocate at their peak, state of the optimiser not counted, as it is there before.

    python benchmarks/training_memory.py            # --device cuda where there is one
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from memory import peak_allocation
from report import markdown_table
from torch.nn.functional import cross_entropy

from scge_pyg import SharedGraph, lower_to_conv
from scge_pyg.models import GridCNN, SCGEClassifier

_BATCH, _CHANNELS, _CLASSES, _SHAPE = 64, 3, 10, (32, 32)
_GOALS = {"lowered": "1.1", "not lowered": "2.0"}


def training_step(model: torch.nn.Module, device: torch.device) -> Callable[[], None]:
    """One step on fixed samples; taken once before it is measured, so that tables and optimiser state exist."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(_BATCH, _SHAPE[0] * _SHAPE[1], _CHANNELS, generator=generator).to(device)
    y = torch.randint(_CLASSES, (_BATCH,), generator=generator).to(device)
    optimizer = torch.optim.AdamW(model.to(device).parameters())

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()

    step()
    optimizer.zero_grad()
    return step


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    device = torch.device(parser.parse_args().device)
    network = SCGEClassifier(_CHANNELS, _CLASSES, SharedGraph.from_grid(_SHAPE))
    models = {
        "CNN on the true grid": GridCNN(_CHANNELS, _CLASSES, _SHAPE),
        "lowered": lower_to_conv(network),
        "not lowered": network,
    }
    peak = {name: peak_allocation(training_step(model, device), device) for name, model in models.items()}
    cnn = peak["CNN on the true grid"]
    rows = [
        [name, f"{size / 2**20:.0f}", f"{size / cnn:.2f}", f"{_GOALS.get(name, '')}"] for name, size in peak.items()
    ]
    print(markdown_table(["training step", "MiB", "beside the CNN", "goal"], rows))


if __name__ == "__main__":
    main()
