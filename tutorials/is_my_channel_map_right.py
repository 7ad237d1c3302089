# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Is my channel map right?
#
# An electrode cap, a probe or an array of sensors comes with a layout: channel 12 is here, channel 13 is there. Then
# somebody crosses two plugs, a connector goes in the other way round, an adapter is off by one pin, and nobody notices,
# since every channel still carries a good signal. The recording itself knows: nearby sensors see nearly the same.
#
# `check_layout(x, positions)` compares the two. From the shell it is `scge check recording.set --layout cap.locs`.
#
# `python tutorials/is_my_channel_map_right.py` runs everything in a minute and downloads nothing. `SCGE_QUICK=1` makes
# fewer recordings, and `SCGE_PICTURE=map.png` saves the picture.

# %%
import os
import time

import numpy as np
import torch
from scipy.signal import lfilter
from scipy.spatial.distance import cdist

from scge_pyg import check_layout

QUICK = os.environ.get("SCGE_QUICK") == "1"
PICTURE = os.environ.get("SCGE_PICTURE")
torch.set_num_threads(1)
results: dict[tuple[str, str], float] = {}
start = time.perf_counter()

# %% [markdown]
# ## A recording
#
# A cap of 32 electrodes on a half sphere, and 200 sources below it, each with a time course and a direction of its own.
# Volume conduction blurs them, electrodes add noise and have gains of their own, and the amplifier subtracts the
# average of all channels. Distances are in spacings of the cap.


# %%
def cap(count: int) -> np.ndarray:
    """Places on a half sphere, about one apart, in rows from front to back."""
    number = np.arange(count) + 0.5
    up, turn = 1 - number / count, np.pi * (1 + np.sqrt(5)) * number
    around = np.sqrt(1 - up**2)
    places = np.stack([around * np.cos(turn), around * np.sin(turn), up], 1) / np.sqrt(2 * np.pi / count)
    return places[np.lexsort((places[:, 0], -np.round(places[:, 1])))]


def record(places: np.ndarray, seed: int, samples: int = 4000) -> np.ndarray:
    """Samples ``[S, N]`` of sources one to two and a half spacings below the sensors."""
    rng = np.random.default_rng(seed)
    way = rng.standard_normal((200, 3))
    way[:, 2] = np.abs(way[:, 2])
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    offset = places[:, None] - way * (np.linalg.norm(places[0]) - rng.uniform(1, 2.5, 200))[:, None]
    mixing = (offset * rng.standard_normal((200, 3))).sum(2) / np.linalg.norm(offset, axis=2) ** 3
    sources = lfilter([1.0], [1.0, -0.8], rng.standard_normal((samples, 200)), axis=0)
    x = sources @ mixing.T
    x += 0.2 * x.std() * rng.standard_normal(x.shape)
    return (x - x.mean(1, keepdims=True)) * rng.uniform(0.5, 2, len(places))


places = cap(32)
x = record(places, seed=0)
names = [f"E{channel}" for channel in range(32)]

# %% [markdown]
# ## A layout that is right

# %%
check = check_layout(x, places, names=names)
print(check.describe(), "\n")
results["right", "suspects"] = len(check.suspects)

# %% [markdown]
# The last line always comes: a recording has no left and right. A layout that is mirrored or turned as a whole has the
# same distances, and nothing but a known event, such as a blink at the front, can tell.
#
# ## Two crossed plugs, a flipped connector, an adapter that is off by one
#
# `best_place` says for each channel at whose place it fits, so the repaired positions are `places[best_place]`.


# %%
def wired(**faults: slice | tuple[int, int]) -> np.ndarray:
    """Which sensor each channel really is, ``[32]``."""
    order = np.arange(32)
    for kind, channels in faults.items():
        if kind == "swapped":
            order[list(channels)] = order[list(channels)][::-1]
        elif kind == "turned":
            order[channels] = order[channels][::-1]
        else:
            order[channels] = np.roll(order[channels], -1)
    return order


FAULTS = {
    "swapped": wired(swapped=(5, 26)),
    "turned": wired(turned=slice(8, 16)),
    "shifted": wired(shifted=slice(12, 28)),
}
for name, order in FAULTS.items():
    check = check_layout(x[:, order], places, names=names)
    print(check.describe().splitlines()[0])
    results[name, "repaired"] = float((check.best_place.numpy() == order).mean())

# %% [markdown]
# ## What isn't the layout's fault
#
# Dead channels can't be judged. An inverted channel is turned first and mentioned. Two channels with the same signal, a
# bridge or a doubled column, can't both be right; the one whose surroundings deny it is named.

# %%
odd = x.copy()
odd[:, 3] = 0.0
odd[:, 9] *= -1
odd[:, 20] = 2 * odd[:, 30]
check = check_layout(odd, places, names=names)
print("\n" + check.describe(), "\n")
results["odd", "suspects"] = len(check.suspects)

# %% [markdown]
# ## How far apart must crossed channels be?
#
# Neighbours see nearly the same, so exchanging them changes little. Here are pairs at growing distance, each in a new
# recording.

# %%
distance = cdist(places, places)
near, far = np.triu_indices(32, 1)
for low, high in ((0.0, 1.5), (1.5, 3.0), (3.0, 9.0)):
    pairs = np.flatnonzero((distance[near, far] >= low) & (distance[near, far] < high))
    chosen = np.random.default_rng(1).choice(pairs, 3 if QUICK else 15, replace=False).tolist()
    found = []
    for seed, pair in enumerate(chosen):
        first, second = int(near[pair]), int(far[pair])
        answer = check_layout(record(places, seed=10 + seed)[:, wired(swapped=(first, second))], places)
        found.append(answer.suspects == (first, second))
    results[f"{low:g} to {high:g} spacings", "found"] = float(np.mean(found))
    print(f"{low:g} to {high:g} spacings: {sum(found)} of {len(found)} pairs are named, and nothing else")
print(f"{time.perf_counter() - start:.0f} s")

# %% [markdown]
# Suspicion is above 0.5 where some channel of a right layout would look as bad in 2 of 100 recordings. The p-values
# hold for all channels together; with more `replicates` they can be smaller than 0.01.
#
# The picture has an arrow from each suspect to the place where it fits: `scge check ... -o map.png`.

# %%
if PICTURE:
    from scge_pyg.plot import plot_layout

    order = FAULTS["swapped"]
    check = check_layout(x[:, order], places, names=names)
    figure = plot_layout(
        places, check.best_place, check.suspicion, labels=names, title=check.describe().splitlines()[0]
    )
    figure.savefig(PICTURE, dpi=150)
