# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Mixing a discovered geometry into a PyTorch Geometric model
#
# Graph neural networks are easy to write once there is a graph. Often there is none: you have measurements from 64
# sensors, in whatever order the columns of a file happen to be, and nobody wrote down which sensors are neighbours. In
# this tutorial, you take an ordinary PyG classifier and give it a geometry that was read off the training samples, in
# three steps:
#
# 1. a classifier without a graph,
# 2. the same classifier on the **discovered graph**: three changed lines, one of them the import,
# 3. the same with an **`SCGEConv`** in front, a convolution that knows directions: three more.
#
# Each step is done with `GATConv`, `GINConv` and `SAGEConv`, and all nine are trained by one recipe and compared on
# held-out images.
#
# `python tutorials/mix_into_pyg.py` runs everything in about two minutes on a laptop and downloads nothing. It listens
# to three environment variables: `SCGE_QUICK=1` trains one seed for a few epochs, `SCGE_ALL=1` adds the controls at the
# end of this page, and `SCGE_PICTURE=accuracies.png` saves a bar chart.

# %%
import os
import statistics
import time

import torch
import torch.nn.functional as F
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GATConv, GINConv, SAGEConv, global_mean_pool
from torch_geometric.transforms import BaseTransform

from scge_pyg import SCGEConv, SharedGraph, discover
from scge_pyg.datasets import DigitsNodes, NodeDataset
from scge_pyg.transforms import AttachGraph, ShuffleNodes

QUICK = os.environ.get("SCGE_QUICK") == "1"
ALL = os.environ.get("SCGE_ALL") == "1"
PICTURE = os.environ.get("SCGE_PICTURE")
torch.set_num_threads(1)  # for tensors this small, several threads mostly wait for each other
SEEDS, EPOCHS = ((0,), 3) if QUICK else ((0, 1, 2), 10)

# %% [markdown]
# ## The data: images that nobody would recognise
#
# scikit-learn ships 1,797 handwritten digits of 8x8 pixels. `DigitsNodes` holds them as node sets, and `ShuffleNodes`
# applies one random permutation to the pixels of every image. What is left is a table with 64 columns in an unknown
# order, as it comes from 64 sensors.
#
# A seed names the permutation, the split into 1,297 training and 500 test images, and the initial weights.


# %%
def load(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Shuffled images ``[1797, 64, 1]``, their digits, and which of them to train and to test on."""
    digits = DigitsNodes()
    x = ShuffleNodes(seed)(digits.x)
    train, test = torch.randperm(len(digits), generator=torch.Generator().manual_seed(seed)).split([1297, 500])
    return x, digits.y, train, test


# %% [markdown]
# ## Step 1: a classifier without a graph
#
# This is the usual PyG image classifier: three message passing layers, global pooling, one linear layer. `conv` makes
# the layers, so that we can plug in any operator.
#
# Pixels are told apart by their column number, which gets a learned embedding. We may use it, since all images have
# their columns in the same order, and a comparison without it would be unfair: a network that sees a bag of gray
# values knows nothing but their histogram.


# %%
class Classifier(torch.nn.Module):
    def __init__(self, conv, hidden: int = 32) -> None:
        super().__init__()
        self.column = torch.nn.Embedding(64, 8)
        self.convs = torch.nn.ModuleList([conv(1 + 8, hidden), conv(hidden, hidden), conv(hidden, hidden)])
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm1d(hidden) for _ in self.convs)
        self.head = torch.nn.Linear(hidden, 10)

    def forward(self, data: Data) -> torch.Tensor:
        x = torch.cat([data.x, self.column.weight.repeat(data.num_graphs, 1)], dim=1)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x, data.edge_index)).relu()
        return self.head(global_mean_pool(x, data.batch))


def gat(inputs: int, outputs: int) -> GATConv:
    return GATConv(inputs, outputs // 4, heads=4)


def gin(inputs: int, outputs: int) -> GINConv:
    return GINConv(
        torch.nn.Sequential(torch.nn.Linear(inputs, outputs), torch.nn.ReLU(), torch.nn.Linear(outputs, outputs))
    )


OPERATORS = {"GATConv": gat, "GINConv": gin, "SAGEConv": SAGEConv}


# %% [markdown]
# The classifier needs an `edge_index`. Without a geometry there are three simple answers: no edges at all, edges to the
# *k* pixels of most similar gray value, or an edge between every two pixels. We choose the first: it is the simplest,
# and it beats the second by far, since gray values join pixels that have nothing to do with each other, and others in
# every image. The third is a different model, a kind of transformer over pixels. It deserves to be known: with
# `GATConv` and `SAGEConv` it comes close to the discovered graph, at 22 times the edges here, and their number grows
# with the square of the pixels; with `GINConv`, which sums over neighbours, it stays near chance. `SCGE_ALL=1` prints
# them all, and what is left without column numbers: 24 %.


# %%
class Disconnected(BaseTransform):
    """A point cloud: nodes without edges."""

    def forward(self, data: Data) -> Data:
        data.edge_index = torch.empty(2, 0, dtype=torch.long)
        return data


# %% [markdown]
# Training is PyG's `DataLoader` and the usual loop, with a one-cycle learning rate. We report the accuracy after the
# last epoch on images that took no part in the training.


# %%
def fit(model: torch.nn.Module, train: list[Data], test: list[Data]) -> float:
    """Test accuracy after the last epoch."""
    loader = DataLoader(train, batch_size=64, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=EPOCHS * len(loader))
    model.train()
    for _ in range(EPOCHS):
        for batch in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(batch), batch.y).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        hits = sum(int((model(batch).argmax(1) == batch.y).sum()) for batch in DataLoader(test, batch_size=500))
    return hits / len(test)


results: dict[tuple[str, str], list[float]] = {}  # (operator, version) -> test accuracies, one per seed


def record(version: str, seed: int, build, dataset: NodeDataset, train: torch.Tensor, test: torch.Tensor) -> None:
    """Train ``build(conv)`` with each operator."""
    parts = list(dataset[train]), list(dataset[test])  # the transform runs once per image
    for name, conv in OPERATORS.items():
        torch.manual_seed(seed)
        accuracy = fit(build(conv), *parts)
        results.setdefault((name, version), []).append(accuracy)
        print(f"seed {seed}  {version:<20} {name:<10} {100 * accuracy:5.1f} %", flush=True)


start = time.perf_counter()
for seed in SEEDS:
    x, y, train, test = load(seed)
    dataset = NodeDataset(x, y, transform=Disconnected())
    record("no graph", seed, Classifier, dataset, train, test)

# %% [markdown]
# ## Step 2: the discovered graph
#
# `discover` measures which columns remain coupled once all others are accounted for, and reads edges, coordinates and,
# here, a lattice off that. It gets the training images and nothing else: no labels, no test images, no shape.
# `AttachGraph` gives every sample the graph. Beside
# the import that is all, and in the model nothing changes:
#
# ```diff
#   x, y, train, test = load(seed)
# - dataset = NodeDataset(x, y, transform=Disconnected())
# + graph = discover(x[train])
# + dataset = NodeDataset(x, y, transform=AttachGraph(graph))
# ```

# %%
graphs: dict[int, SharedGraph] = {}
for seed in SEEDS:
    x, y, train, test = load(seed)
    graph = discover(x[train])
    dataset = NodeDataset(x, y, transform=AttachGraph(graph))
    print(f"seed {seed}  {graph}")
    record("discovered graph", seed, Classifier, dataset, train, test)
    graphs[seed] = graph

# %% [markdown]
# Neighbouring pixels can now talk to each other, and all three operators gain. They still can't tell the neighbour on
# the left from the one above: `SAGEConv` averages them, `GINConv` adds them up, and `GATConv` weighs them by content.
#
# ## Step 3: an `SCGEConv` in front
#
# `SCGEConv` uses the coordinates that were discovered along with the edges. All nodes share one kernel of relative
# positions, as in an ordinary convolution, so that a stroke to the right is another feature than a stroke upwards. It
# takes PyG's flat batches, so again three lines change, this time in the model:
#
# ```diff
#           self.column = torch.nn.Embedding(64, 8)
# -         self.convs = torch.nn.ModuleList([conv(1 + 8, hidden), conv(hidden, hidden), conv(hidden, hidden)])
# +         self.front = SCGEConv(1 + 8, hidden, graph)
# +         self.convs = torch.nn.ModuleList([conv(hidden, hidden), conv(hidden, hidden), conv(hidden, hidden)])
#   ...
#           x = torch.cat([data.x, self.column.weight.repeat(data.num_graphs, 1)], dim=1)
# +         x = self.front(x).relu()
# ```


# %%
class FrontedClassifier(torch.nn.Module):
    def __init__(self, conv, graph: SharedGraph, hidden: int = 32) -> None:
        super().__init__()
        self.column = torch.nn.Embedding(64, 8)
        self.front = SCGEConv(1 + 8, hidden, graph)
        self.convs = torch.nn.ModuleList([conv(hidden, hidden), conv(hidden, hidden), conv(hidden, hidden)])
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm1d(hidden) for _ in self.convs)
        self.head = torch.nn.Linear(hidden, 10)

    def forward(self, data: Data) -> torch.Tensor:
        x = torch.cat([data.x, self.column.weight.repeat(data.num_graphs, 1)], dim=1)
        x = self.front(x).relu()
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x, data.edge_index)).relu()
        return self.head(global_mean_pool(x, data.batch))


for seed in SEEDS:
    x, y, train, test = load(seed)
    graph = graphs[seed]
    dataset = NodeDataset(x, y, transform=AttachGraph(graph))
    record("SCGEConv in front", seed, lambda conv, graph=graph: FrontedClassifier(conv, graph), dataset, train, test)

# %% [markdown]
# ## Controls
#
# For the record, the other graph-less versions, and a fourth layer of the same operator in place of `SCGEConv`, which
# shows that depth isn't the whole of it. They run with `SCGE_ALL=1` only: an edge between every two pixels takes
# minutes.


# %%
class NearestValues(BaseTransform):
    """Each pixel listens to the ``k`` pixels of the same image whose gray values are nearest to its own."""

    def __init__(self, k: int = 4) -> None:
        self.k = k

    def forward(self, data: Data) -> Data:
        distance = torch.cdist(data.x, data.x).fill_diagonal_(torch.inf)
        nearest = distance.topk(self.k, largest=False).indices
        listener = torch.arange(data.x.shape[0]).repeat_interleave(self.k)
        data.edge_index = torch.stack([nearest.flatten(), listener])
        return data


class EveryPair(BaseTransform):
    """The complete graph."""

    def forward(self, data: Data) -> Data:
        data.edge_index = (1 - torch.eye(data.x.shape[0])).nonzero().t()
        return data


class Anonymous(Classifier):
    """Without column numbers: the embedding stays at zero."""

    def __init__(self, conv) -> None:
        super().__init__(conv)
        torch.nn.init.zeros_(self.column.weight).requires_grad_(False)


class Deeper(Classifier):
    """With a fourth layer."""

    def __init__(self, conv, hidden: int = 32) -> None:
        super().__init__(conv, hidden)
        self.convs.append(conv(hidden, hidden))
        self.norms.append(torch.nn.BatchNorm1d(hidden))


for seed in SEEDS if ALL else ():
    x, y, train, test = load(seed)
    for version, build, transform in (
        ("discovered, 4 layers", Deeper, AttachGraph(graphs[seed])),
        ("values alone", Anonymous, NearestValues()),
        ("nearest values", Classifier, NearestValues()),
        ("every pair", Classifier, EveryPair()),
    ):
        record(version, seed, build, NodeDataset(x, y, transform=transform), train, test)

# %% [markdown]
# ## All nine beside each other
#
# Mean test accuracy over the seeds, with its standard error.

# %%
VERSIONS = list(dict.fromkeys(version for _, version in results))


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """In percent; the standard error of a single run is unknown."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return 100 * statistics.mean(values), 100 * error


def cell(values: list[float]) -> str:
    return "{:.1f} ± {:.1f}".format(*mean_and_error(values)) if len(values) > 1 else f"{100 * values[0]:.1f}"


seconds = time.perf_counter() - start
print(f"\ntest accuracy in percent after {EPOCHS} epochs, seeds {SEEDS[0]} to {SEEDS[-1]}, {seconds:.0f} s\n")
print("| version | " + " | ".join(OPERATORS) + " |")
print("| --- |" + " --- |" * len(OPERATORS))
for version in VERSIONS:
    print(f"| {version} | " + " | ".join(cell(results[name, version]) for name in OPERATORS) + " |")

# %% [markdown]
# The graph alone removes most of the errors, and the layer that knows directions some of those that are left. Both came
# from the same 1,297 shuffled images that the classifier was trained on.
#
# From here: `OnSharedGraph(GATConv(...), graph)` runs any PyG operator on dense batches `[B, N, C]`,
# `graph.coarsen(stride=2)` gives coarser node sets for pooling, and `lower_to_conv` turns stacks of `SCGEConv` into
# `torch.nn.Conv2d`.

# %%
if PICTURE:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.8), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(VERSIONS)
    colors = ["#b8b8b8", "#7fb3bd", "#1a7f8e", "#a9d0d6", "#e0c9a6", "#d3ac6b", "#b3812e"]
    for i, version in enumerate(VERSIONS):
        means, errors = zip(*(mean_and_error(results[name, version]) for name in OPERATORS), strict=True)
        places = [place + (i - (len(VERSIONS) - 1) / 2) * width for place in range(len(OPERATORS))]
        drawn = errors if len(SEEDS) > 1 else None
        bars = axes.bar(places, means, 0.92 * width, yerr=drawn, capsize=3, color=colors[i], label=version)
        axes.bar_label(bars, fmt="%.1f", padding=3, size=8)
    axes.set_xticks(range(len(OPERATORS)), list(OPERATORS))
    axes.set_xlabel("operator of the three message passing layers")
    axes.set_ylabel("test accuracy (%)")
    axes.set_ylim(0, 112)
    axes.set_yticks(range(0, 101, 20))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=3, frameon=False, fontsize=9)
    axes.set_title(f"Shuffled 8x8 digits: mean of {len(SEEDS)} seeds, standard error", pad=28)
    figure.savefig(PICTURE, dpi=150)
