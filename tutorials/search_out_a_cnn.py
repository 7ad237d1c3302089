# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A network that searches out its own convolution
#
# A convolutional network is told which pixels are neighbours. Here nobody tells: the pixels of all images are shuffled
# by one permutation, and a network starts with wiring at random. In this tutorial, you watch it
#
# 1. sort its nodes by what fires together (`HebbianLoss`), on the same batches that the task has,
# 2. train its weights once the places stand (`WiringSchedule` hands over by the teacher's own error),
# 3. give its geometry back as a graph (`NodeEmbedding.to_graph`),
# 4. move onto the lattice of that graph (`settle`) and compile down to `nn.Conv2d` (`lower_to_conv`),
#
# next to a convolutional network that was told the grid, and to the same on the shuffled pixels.
#
# `python tutorials/search_out_a_cnn.py` takes CIFAR-10, averaged to 16x16 pixels, from the folder that `SCGE_DATA`
# names, and some minutes on one core. `SCGE_QUICK=1` draws textures of its own, and takes one. `SCGE_PICTURE=film.png`
# saves the film strip.

# %%
import os
import time
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from scge_pyg import HebbianLoss, NodeEmbedding, SharedGraph, lower_to_conv
from scge_pyg.models import StridedClassifier
from scge_pyg.models.recipe import accuracy, fit_classifier, standardized
from scge_pyg.nn import WiringSchedule, settle
from scge_pyg.transforms import ShuffleNodes

QUICK = os.environ.get("SCGE_QUICK") == "1"
PICTURE = os.environ.get("SCGE_PICTURE")
torch.set_num_threads(1)
SEED, BATCH = 0, 64
SIDE, CHANNELS, EPOCHS, FINE_TUNING = (12, (8, 16), 4, 1) if QUICK else (16, (32, 64), 6, 1)
results: dict[tuple[str, str], float] = {}

# %% [markdown]
# ## The data, shuffled
#
# The quick form draws textures: smooth noise, stretched along one of four directions, which is their class. No pixel
# says anything about it by itself, only how it goes with its neighbours.


# %%
def textures(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Smooth noise ``[count, N, 1]`` stretched along one of four directions, and the direction."""
    kind = torch.randint(4, (count,), generator=generator)
    noise = nn.functional.avg_pool2d(torch.randn(count, 1, SIDE + 4, SIDE + 4, generator=generator), 3, 1).squeeze(1)
    x = torch.empty(count, SIDE, SIDE)
    for number, (down, right) in enumerate(((0, 1), (1, 0), (1, 1), (1, -1))):
        own, (top, left) = noise[kind == number], (1 - down, 1 - right)
        x[kind == number] = sum(own[:, top + t * down :, left + t * right :][:, :SIDE, :SIDE] for t in (0, 1, 2))
    return (x / x.std() + 0.3 * torch.randn(x.shape, generator=generator)).view(count, -1, 1), kind


def load() -> list[Tensor]:
    """Training images ``[S, N, C]``, their classes, and the same for test images."""
    if QUICK:
        generator = torch.Generator().manual_seed(SEED)
        return [*textures(4000, generator), *textures(1000, generator)]
    from scge_pyg.datasets import CIFAR10Nodes

    found: list[Tensor] = []
    for data in (CIFAR10Nodes("cifar10"), CIFAR10Nodes("cifar10", train=False)):
        blocks = data.x.view(-1, SIDE, 2, SIDE, 2, 3).mean((2, 4))
        found += [blocks.flatten(1, 2), data.y]
    return found


x, y, test, kinds = load()
x, test = standardized(x, test)
shuffle = ShuffleNodes(SEED)
shuffled, shuffled_test = shuffle(x), shuffle(test)
PIXELS, COLORS, CLASSES = x.shape[1], x.shape[2], int(y.max()) + 1
cells = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE))[shuffle.permutation(PIXELS)]

# %% [markdown]
# ## A network on places that nobody knows
#
# `NodeEmbedding` is a table with a place for each pixel, here at random in the plane. A layer of `StridedClassifier`
# listens to what its kernel reaches from a place, and its next level is a coarser table. `HebbianLoss` draws together
# places of pixels that fire together; no gradient of the task could (see `docs/estimators.md`).
#
# `WiringSchedule` says when the places are good enough for weights to be worth training: `"places"`, then both, then
# `"weights"` on a frozen wiring. Hebbian lessons know distances only, so the map comes out at some angle; at the
# hand-over it is turned so that its rows lie along the axes, where taps meet nodes instead of the space between them.

# %%
torch.manual_seed(SEED)
table = NodeEmbedding(PIXELS, 2, seed=SEED)
model = StridedClassifier(COLORS, CLASSES, table, channels=CHANNELS)
schedule = WiringSchedule(HebbianLoss(table, memory=1024, seed=SEED), model)


def neighbours_found() -> float:
    """Share of the true 4-neighbours that are among the four nearest places. For our eyes: nothing else sees it."""
    apart = torch.cdist(cells.float(), cells.float())
    nearest = torch.cdist(table().detach(), table().detach()).fill_diagonal_(torch.inf).topk(4, largest=False).indices
    i, j = (apart == 1).nonzero().T
    return float((nearest[i] == j.unsqueeze(1)).any(1).float().mean())


# %% [markdown]
# One loop does it all. A frame of the film is kept at steps 0, 100, 200, 400 and so on, and after an eighth, a quarter,
# half and all of the steps of the task: where the places are, how many true neighbours they have found, and the
# accuracy on test images.

# %%
frames: list[tuple[int, Tensor, float, float]] = []  # step, places, neighbours found, accuracy


def keep(step: int) -> None:
    frames.append((step, table().detach().clone(), neighbours_found(), accuracy(model, shuffled_test, kinds)))
    print(
        f"step {step:5d}  {schedule.phase:8} neighbours {frames[-1][2]:.3f}  accuracy {frames[-1][3]:.3f}", flush=True
    )


weights = [parameter for parameter in model.parameters() if parameter is not table.weight]
optimizer = torch.optim.AdamW(weights, lr=3e-3, weight_decay=1e-2)
task_steps = EPOCHS * (len(x) // BATCH)
rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, task_steps)
generator = torch.Generator().manual_seed(SEED)
epochs = [torch.randperm(len(x), generator=generator)[: task_steps // EPOCHS * BATCH] for _ in range(EPOCHS)]
batches = torch.cat(epochs).split(BATCH)  # as fit_classifier has them below
start, step, taken, due = time.perf_counter(), 0, 0, 100
milestones = {task_steps // 8, task_steps // 4, task_steps // 2, task_steps}
keep(0)
while taken < task_steps:
    lesson = torch.randint(len(x), (BATCH,), generator=generator)
    train = schedule.step(shuffled[lesson])
    if train:
        chosen = batches[taken]
        loss = nn.functional.cross_entropy(model(shuffled[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        taken += 1
    step += 1
    if (schedule.phase == "places" and step == due) or (train and taken in milestones):
        keep(step)
        due *= 2
results["learned", "accuracy"] = frames[-1][3]
results["learned", "neighbours"] = frames[-1][2]
results["learned", "seconds"] = time.perf_counter() - start

# %% [markdown]
# ## From the table to a convolution
#
# `to_graph` reads the lattice off the places. With samples it is judged as `discover` judges its own maps, by how well
# neighbours predict samples, and faults are mended.

# %%
graph = table.to_graph(shuffled[:2000])
print(graph)
print(graph.fit)
assert graph.lattice is not None

# %% [markdown]
# `settle` moves the layers onto it and says by how much outputs change: places are where they were learned, a
# thousandth of a spacing off their cells. `lower_to_conv` makes the dense network; the few steps after that are the
# fine-tuning that a network with noisier places needs.

# %%
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    settled = settle(model, graph, shuffled_test[:200])
print(*(str(warning.message) for warning in said), sep="\n")
results["settled", "difference"] = settled.difference[""]
results["settled", "accuracy"] = accuracy(settled, shuffled_test, kinds)
lowered = lower_to_conv(settled, strict=True)
results["lowered", "accuracy"] = accuracy(lowered, shuffled_test, kinds)
fit_classifier(lowered, shuffled, y, epochs=FINE_TUNING, batch_size=BATCH, lr=3e-4, seed=SEED)
results["fine-tuned", "accuracy"] = accuracy(lowered, shuffled_test, kinds)
print(lowered)

# %% [markdown]
# ## Next to networks that were told
#
# The same network on the true grid is an ordinary CNN, here with the same steps, rates and fine-tuning. On the shuffled
# pixels it shares weights among strangers.

# %%
for name, images, held_out in (("told the grid", x, test), ("shuffled pixels", shuffled, shuffled_test)):
    torch.manual_seed(SEED)
    cnn = lower_to_conv(StridedClassifier(COLORS, CLASSES, SharedGraph.from_grid((SIDE, SIDE)), channels=CHANNELS))
    fit_classifier(cnn, images, y, epochs=EPOCHS, batch_size=BATCH, seed=SEED)
    fit_classifier(cnn, images, y, epochs=FINE_TUNING, batch_size=BATCH, lr=3e-4, seed=SEED)
    results[name, "accuracy"] = accuracy(cnn, held_out, kinds)

print("\n| network | test accuracy |\n| --- | --- |")
for name in ("learned", "settled", "lowered", "fine-tuned", "told the grid", "shuffled pixels"):
    print(f"| {name} | {100 * results[name, 'accuracy']:.1f} % |")

# %% [markdown]
# ## The film
#
# Each dot is a pixel, in the colour of its true place, with lines between true neighbours. Below, the kernels of the
# first layer as `nn.Conv2d` holds them in the end.

# %%
if PICTURE:
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    shown = frames[-9:]
    figure = Figure(figsize=(2 * len(shown), 4.9), layout="constrained")
    strip, below = figure.subfigures(2, 1, height_ratios=[3, 2])
    i, j = (torch.cdist(cells.float(), cells.float()) == 1).nonzero().T
    color = torch.cat([cells / (SIDE - 1), torch.full((PIXELS, 1), 0.5)], 1).numpy()
    for axes, (at, places, found, score) in zip(strip.subplots(1, len(shown)), shown, strict=True):
        axes.add_collection(LineCollection(torch.stack([places[i], places[j]], 1).numpy(), color="0.75", lw=0.5))
        axes.scatter(*places.T.numpy(), c=color, s=8, zorder=2)
        axes.set_title(f"step {at:,}\nneighbours {found:.2f}\naccuracy {100 * score:.0f} %", fontsize=9)
        axes.set_aspect("equal")
        axes.set_axis_off()
    kernels = next(layer for layer in lowered.modules() if isinstance(layer, nn.Conv2d)).weight.detach()
    left, right = below.subfigures(1, 2, width_ratios=[3, 2])
    panels = left.subplots(2, -(-len(kernels) // 2), squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, kernel in zip(panels, kernels, strict=False):
        image = (kernel / kernel.abs().max() + 1) / 2
        axes.imshow(image.movedim(0, 2).numpy() if COLORS == 3 else image[0].numpy(), vmin=0, vmax=1, cmap="gray")
    left.suptitle("kernels of the nn.Conv2d that it became", fontsize=9)
    axes = right.subplots()
    names = ("told the grid", "fine-tuned", "learned", "shuffled pixels")
    bars = axes.barh(names[::-1], [100 * results[name, "accuracy"] for name in names[::-1]], color="#4c78a8")
    axes.bar_label(bars, fmt="%.1f %%", fontsize=8, padding=2)
    axes.set_xlabel("test accuracy", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(0, 118 * max(results[name, "accuracy"] for name in names))
    figure.savefig(Path(PICTURE), dpi=110)
