# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Shuffled senses
#
# Somebody hands over a pile of vectors with 256 numbers each. Some are pictures, 16 x 16 pixels read out in an order
# that nobody wrote down; some are windows of a sound, 256 steps in another forgotten order. Nobody says which is
# which, or how many kinds there are. The pile can be sorted nevertheless: what belongs to one sense is wired alike.
#
# `python tutorials/shuffled_senses.py` runs everything in a minute and downloads nothing. `SCGE_QUICK=1` takes fewer
# samples, and `SCGE_PICTURE=senses.png` saves the picture.

# %%
import os
import time

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch.nn.functional import avg_pool2d

from scge_pyg import ModalityMixture
from scge_pyg.datasets import PhotoPatches
from scge_pyg.metrics import cell_accuracy
from scge_pyg.transforms import ShuffleNodes, SoundToWindows

QUICK = os.environ.get("SCGE_QUICK") == "1"
PICTURE = os.environ.get("SCGE_PICTURE")
COUNT = 1500 if QUICK else 3000
torch.set_num_threads(1)
results: dict[tuple[str, str], float] = {}
start = time.perf_counter()

# %% [markdown]
# ## Two senses
#
# Pictures are patches of two photographs, at half their resolution, without those of mere sky. The sounds are those of
# a bird that was never heard: syllables that swell and fade, whose pitch wanders between 150 and 1,500 Hz, with an
# overtone, at 8 kHz, in some wind.


# %%
def smooth(count: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    """A curve with deviation 1 that changes over about ``steps`` steps."""
    curve = gaussian_filter1d(rng.standard_normal(count), steps)
    return curve / curve.std()


def bird(count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` steps of song at 8 kHz."""
    pitch = 480 * np.exp(0.6 * np.clip(smooth(count, 400, rng), -2, 2))
    phase = 2 * np.pi * np.cumsum(pitch) / 8000
    loud = np.exp(0.7 * smooth(count, 200, rng))
    wind = smooth(count, 2, rng)
    return loud * (np.sin(phase) + 0.4 * np.sin(2 * phase + 1)) + 0.3 * wind


song = bird(256 * COUNT, np.random.default_rng(0))
windows = SoundToWindows(256)(torch.from_numpy(song).float()).squeeze(2)
patches = PhotoPatches(32, 32, 2 * COUNT).x.transpose(1, 2).unflatten(2, (32, 32))
pictures = avg_pool2d(patches, 2).flatten(1)
pictures = pictures[pictures.std(1) > 0.03][:COUNT]
senses = {"pictures": pictures - pictures.mean(), "sounds": windows}
order = {name: ShuffleNodes(seed).permutation(256) for seed, name in enumerate(senses, 1)}
pile = torch.cat([(x / x.std())[:, order[name]] for name, x in senses.items()])
truth = torch.arange(2).repeat_interleave(torch.tensor([len(x) for x in senses.values()]))
mixed = torch.randperm(len(pile), generator=torch.Generator().manual_seed(0))
pile, truth = pile[mixed], truth[mixed]
print(f"{len(pile)} samples of {pile.shape[1]} numbers")

# %% [markdown]
# ## The pile sorts itself

# %%
mixture = ModalityMixture(seed=0).fit(pile)
label = torch.as_tensor(mixture.labels_)
print(f"{mixture.n_modalities_} modalities, {int((label < 0).sum())} samples fit none")
for number, graph in enumerate(mixture.graphs):
    print(f"modality {number}: {int((label == number).sum())} samples, {graph}")

# %% [markdown]
# Nobody said that there are pictures: one kind of vector turns out to be a plane of 16 x 16, the other a line. The
# true answer, which the sorting never saw, says how well it did. What goes wrong are patches of foliage, whose pixels
# have as little to do with each other as those of any other order.

# %%
number_of = {"pictures": max(range(2), key=lambda number: mixture.graphs[number].dim)}
number_of["sounds"] = 1 - number_of["pictures"]
right = label == torch.tensor(list(number_of.values()))[truth]
results["pile", "modalities"], results["pile", "accuracy"] = mixture.n_modalities_, right.double().mean().item()
print(f"{results['pile', 'accuracy']:.4f} of the samples are sorted right")
cells = {"pictures": torch.cartesian_prod(torch.arange(16), torch.arange(16)), "sounds": torch.arange(256).unsqueeze(1)}
for name, number in number_of.items():
    graph, true = mixture.graphs[number], cells[name][order[name]]
    results[name, "cells"] = cell_accuracy(graph, true) if graph.lattice is not None else 0.0
    print(f"{name}: {results[name, 'cells']:.3f} of the nodes are in their true cell, up to mirrors and turns")

# %% [markdown]
# ## New samples
#
# What was found sorts samples that come later. There is no "neither" here: even noise is said to be one of the two.

# %%
later = avg_pool2d(PhotoPatches(32, 32, 1000, seed=1).x.transpose(1, 2).unflatten(2, (32, 32)), 2).flatten(1)
later = later[later.std(1) > 0.03] - pictures.mean()
answers = torch.from_numpy(mixture.predict(later[:, order["pictures"]] / pictures.std()))
results["later", "accuracy"] = (answers == number_of["pictures"]).double().mean().item()
print(f"{results['later', 'accuracy']:.4f} of {len(later)} new pictures are known to be pictures")
print(f"{time.perf_counter() - start:.0f} s")

# %% [markdown]
# From here on each sense has its graph, `mixture.graphs`, and its samples, `pile[label == number]`. `SCGEConv` on such
# a graph is a convolution, in two dimensions or in one, and `scge_pyg.models.FusedClassifier` joins several senses of
# one thing ([fusion](../docs/fusion.md)).

# %%
if PICTURE:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from scge_pyg.plot import plot_graph, put_back, true_position_colors

    figure = plt.figure(figsize=(11, 6), layout="constrained")
    table = figure.subplot_mosaic("aabbccdd;eeeeffff", height_ratios=(1, 1.6))
    for places, name in (("abe", "pictures"), ("cdf", "sounds")):
        graph, own = mixture.graphs[number_of[name]], pile[label == number_of[name]][:4]
        table[places[0]].set_title(f"{name}: as they came")
        table[places[0]].imshow(own.view(2, 2, 16, 16).permute(0, 2, 1, 3).reshape(32, 32).numpy(), cmap="gray")
        table[places[1]].set_title("in the order found")
        if name == "pictures":
            images = put_back(graph, own.unsqueeze(2), cells[name][order[name]])
            table[places[1]].imshow(images.view(2, 2, 16, 16).permute(0, 2, 1, 3).reshape(32, 32).numpy(), cmap="gray")
        else:
            for shift, line in enumerate(graph.lattice.to_grid(own.unsqueeze(2))[:, 0]):
                table[places[1]].plot((line - 5 * shift).numpy(), linewidth=0.8)
        colors = true_position_colors(cells[name][order[name]])
        plot_graph(graph, colors, ax=table[places[2]], title="its graph; colours are true places")
        for place in places:
            table[place].set_axis_off()
    figure.savefig(PICTURE, dpi=110)
