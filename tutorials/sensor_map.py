# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A sensor network without a map
#
# You have a table of speeds, one column a detector, and a model that wants an adjacency matrix: DCRNN, PyTorch
# Geometric Temporal, tsl. Nobody wrote down where the detectors are. The recordings know who is near whom, and
# `discover` reads it off: edges for the model, and a map for the eye.
#
# `python tutorials/sensor_map.py` runs everything in half a minute and downloads nothing; the city is made up, so that
# the answer is known. `SCGE_QUICK=1` tries fewer lengths of recording, and `SCGE_PICTURE=map.png` saves the picture.

# %%
import os
import pickle
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas
import scipy.sparse as sp
import torch
from scipy.spatial import Delaunay
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from scge_pyg import discover
from scge_pyg.metrics import trustworthiness

QUICK = os.environ.get("SCGE_QUICK") == "1"
PICTURE = os.environ.get("SCGE_PICTURE")
torch.set_num_threads(1)
results: dict[tuple[str, str], float] = {}
start = time.perf_counter()

# %% [markdown]
# ## A city
#
# Sixty detectors, and a road between two of them where no third lies in the circle between them (Gabriel's graph).
# Congestion spreads along roads, everybody drives slowly at rush hour, each road has a speed and a rush hour of its
# own, and detectors add noise. They report every five minutes, and now and then one is off.


# %%
def city(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places ``[N, 2]`` that keep a distance, and the roads ``[E, 2]`` between them."""
    rng = np.random.default_rng(seed)
    places = [rng.uniform(size=2)]
    while len(places) < count:
        place = rng.uniform(size=2)
        if cdist([place], places).min() > 0.75 / np.sqrt(count):
            places.append(place)
    spots = np.stack(places)
    corners = Delaunay(spots).simplices
    pairs = np.unique(np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]]), 1), axis=0)
    middle = (spots[pairs[:, 0]] + spots[pairs[:, 1]]) / 2
    radius = np.linalg.norm(spots[pairs[:, 0]] - spots[pairs[:, 1]], axis=1, keepdims=True) / 2
    return spots, pairs[(cdist(middle, spots) > radius - 1e-9).all(1)]


def record(places: np.ndarray, roads: np.ndarray, days: int, seed: int) -> np.ndarray:
    """Speeds ``[T, N]``, one row every five minutes."""
    rng = np.random.default_rng(seed)
    nodes = len(places)
    joined = np.zeros((nodes, nodes))
    joined[roads[:, 0], roads[:, 1]] = joined[roads[:, 1], roads[:, 0]] = 1
    spread = 0.45 * np.eye(nodes) + 0.5 * joined / joined.sum(1, keepdims=True)
    congestion = rng.standard_normal((288 * days, nodes))
    for step in range(1, len(congestion)):
        congestion[step] += spread @ congestion[step - 1]
    hour = np.arange(len(congestion))[:, None] % 288 / 12
    rush = np.exp(-(((hour - 8) / 1.2) ** 2)) + 1.2 * np.exp(-(((hour - 17.5) / 1.5) ** 2))
    speed = rng.uniform(55, 68, nodes) - 5 * congestion / congestion.std() - rush * rng.uniform(3, 12, nodes)
    return speed + rng.standard_normal(speed.shape)


places, roads = city(60, seed=0)
speed = record(places, roads, days=28, seed=0)
for detector in (7, 23, 40):  # off for half a day
    speed[300 * detector // 8 : 300 * detector // 8 + 144, detector] = np.nan
frame = pandas.DataFrame(speed, columns=[f"D{100 + detector}" for detector in range(60)])
print(frame.iloc[:3, :6].round(1))

# %% [markdown]
# ## Who is wired to whom

# %%
graph = discover(frame)
print(graph)
print(graph.fit)

# %% [markdown]
# The fit says how well the map predicts samples that it has not seen, beside what any graph could predict: a network
# without a geometry would be refused here with a warning. `graph.edge_index` and `graph.edge_weight` are the edges,
# `graph.pos` the map, `graph.confidence` how sure each place is.
#
# As we made the city up, we can compare. The usual recipe takes the pairs with the largest correlation, as many as
# there are roads. Rush hours and spreading congestion correlate far detectors, too.

# %%
near, far = np.triu_indices(60, 1)
is_road = np.zeros((60, 60), dtype=bool)
is_road[roads[:, 0], roads[:, 1]] = is_road[roads[:, 1], roads[:, 0]] = True
correlation = frame.corr().abs().to_numpy()
strongest = np.argsort(-correlation[near, far])[: len(roads)]
found = {
    "discovered": graph.edge_index[:, graph.edge_index[0] < graph.edge_index[1]].numpy(),
    "largest correlations": np.stack([near[strongest], far[strongest]]),
}
for name, edges in found.items():
    right = is_road[tuple(edges)]
    results[name, "precision"], results[name, "recall"] = right.mean().item(), right.sum().item() / len(roads)
    print(f"{name}: {right.mean():.2f} of the edges are roads, {right.sum() / len(roads):.2f} of the roads are found")


def auc(value: np.ndarray) -> float:
    """How often a road scores above a pair without one."""
    return roc_auc_score(is_road[near, far], value[near, far])


distance = cdist(graph.pos, graph.pos)
for name, value in (("near on the map", -distance), ("correlation", correlation)):
    results[name, "AUC"] = auc(value)
    print(f"{name}: a road beats a pair without one in {results[name, 'AUC']:.3f} of the cases")
results["map", "trustworthiness"] = trustworthiness(graph.pos, torch.from_numpy(places).float())
print(f"trustworthiness of the map: {results['map', 'trustworthiness']:.3f}")

# %% [markdown]
# ## Hand it over
#
# PyTorch Geometric Temporal and tsl take `(edge_index, edge_weight)`, DCRNN and its heirs a pickled triple of ids,
# their numbers and the matrix. Names go with it wherever the format has room.
#
# ```python
# from torch_geometric_temporal.signal import StaticGraphTemporalSignal
# StaticGraphTemporalSignal(graph.edge_index.numpy(), graph.edge_weight.numpy(), features, targets)
#
# from tsl.data import SpatioTemporalDataset
# SpatioTemporalDataset(frame, connectivity=(graph.edge_index, graph.edge_weight), horizon=12, window=12)
# ```

# %%
with tempfile.TemporaryDirectory() as temporary:
    folder = Path(temporary)
    with (folder / "adj_mx.pkl").open("wb") as file:
        pickle.dump(graph.to_dcrnn(), file)
    graph.write_adjacency(folder / "adjacency.csv")
    graph.write_adjacency(folder / "adjacency.npz")
    with (folder / "adj_mx.pkl").open("rb") as file:
        ids, number_of, dense = pickle.load(file)
    table = pandas.read_csv(folder / "adjacency.csv", index_col=0)
    sparse = sp.load_npz(folder / "adjacency.npz")
    print(", ".join(sorted(path.name for path in folder.iterdir())))
print(f"DCRNN: {len(ids)} ids, {ids[0]} is number {number_of[ids[0]]}, matrix {dense.shape}, {(dense > 0).sum()} edges")
results["formats", "agree"] = float(np.allclose(dense, table.to_numpy()) and np.allclose(dense, sparse.toarray()))
results["names", "kept"] = float(list(table.columns) == list(frame.columns) == ids)

# %% [markdown]
# ## Is it worth anything?
#
# The speed a quarter of an hour ahead by ridge regression on the last two values: those of the detector itself, with
# those of its neighbours, and with those of as many detectors drawn at random. The last fifth of the time is for
# testing.

# %%
filled = frame.ffill().bfill().to_numpy()
AHEAD, cut = 3, int(0.8 * len(filled))


def error(partners: list[np.ndarray]) -> float:
    """Root mean squared error over the test time."""
    squares = []
    for detector, heard in enumerate(partners):
        columns = np.append(heard, detector)
        past = np.concatenate(
            [filled[1:-AHEAD, columns], filled[: -AHEAD - 1, columns], np.ones((len(filled) - AHEAD - 1, 1))], 1
        )
        wanted = filled[1 + AHEAD :, detector]
        known = past[:cut]
        weight = np.linalg.solve(known.T @ known + np.eye(known.shape[1]), known.T @ wanted[:cut])
        squares.append((past[cut:] @ weight - wanted[cut:]) ** 2)
    return float(np.sqrt(np.mean(squares)))


rng = np.random.default_rng(0)
neighbours = [graph.edge_index[0, graph.edge_index[1] == detector].numpy() for detector in range(60)]
heard_too = {
    "none but its own": [np.empty(0, int)] * 60,
    "of detectors drawn at random": [rng.choice(60, len(heard), replace=False) for heard in neighbours],
    "of its neighbours on the graph": neighbours,
}
for name, partners in heard_too.items():
    results[name, "error"] = error(partners)
    print(f"{name}: {results[name, 'error']:.3f} miles an hour off")

# %% [markdown]
# ## How long must one record?
#
# Congestion lasts for hours, so that a week holds some hundred independent looks at the city. The map needs more than
# the largest correlations do, and `graph.fit` tells: its ratio grows towards one.

# %%
for days in (7, 14) if QUICK else (7, 14, 21):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some nodes can't be placed yet
        early = discover(frame.iloc[: 288 * days])
    correct = auc(-cdist(early.pos, early.pos)), auc(frame.iloc[: 288 * days].corr().abs().to_numpy())
    results[f"{days} days", "AUC"] = correct[0]
    print(f"{days} days: near on the map {correct[0]:.3f}, correlation {correct[1]:.3f}; {early.fit}")

# %% [markdown]
# ## A detector that comes later
#
# One more detector is installed. It goes on the map as it is, and nothing else moves.

# %%
old = discover(frame.drop(columns="D123"))
grown = old.place(frame.ffill().bfill().to_numpy(), list(frame.columns))
new = grown.names.index("D123")
reached = {grown.names[node] for node in grown.edge_index[0, grown.edge_index[1] == new].tolist()}
streets = {frame.columns[other] for other in np.flatnonzero(is_road[23])}
results["later", "neighbours"] = len(reached & streets) / len(reached)
print(f"D123 is joined to {', '.join(sorted(reached))}; there are roads to {', '.join(sorted(streets))}")
print(f"{time.perf_counter() - start:.0f} s")

# %% [markdown]
# A map from recordings has no north: it is right up to turns and mirrors. Colours in the picture tell where a detector
# truly is, so that a right map shows as the same blend.

# %%
if PICTURE:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from scipy.linalg import orthogonal_procrustes

    from scge_pyg import SharedGraph
    from scge_pyg.plot import plot_graph, true_position_colors

    spots, pos = torch.from_numpy(places - places.mean(0)), graph.pos.double() - graph.pos.double().mean(0)
    turn, scale = orthogonal_procrustes(pos, spots)
    city_graph = SharedGraph(spots * scale / float(spots.square().sum()), torch.from_numpy(np.stack(is_road.nonzero())))
    found_graph = SharedGraph(pos @ torch.from_numpy(turn), graph.edge_index)
    figure, axes = plt.subplots(1, 2, figsize=(11, 5.5), layout="constrained")
    titles = "the city, which nobody told", "found from speeds, turned for the eye"
    for ax, shown, title in zip(axes, (city_graph, found_graph), titles, strict=True):
        plot_graph(shown, true_position_colors(torch.from_numpy(places)), ax=ax, title=title)
        ax.set_axis_off()
    figure.savefig(PICTURE, dpi=110)
