"""Families without a geometry, which must be refused, and families on which there is no right answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import networkx as nx
import numpy as np
from draws import Array, Draw, Family, seeded
from families_geometry import conditions, observed
from fields import autoregressive, markov, precision
from numpy.random import Generator
from scipy.spatial.distance import cdist

__all__ = ["OPEN", "REFUSED", "WRONG", "random_field", "relative_neighbours"]


def _size(rng: Generator) -> tuple[int, int]:
    """1,000 to 3,000 samples of 60 to 200 nodes."""
    return int(rng.integers(1000, 3001)), int(rng.integers(60, 201))


def _noise(memory: float, rng: Generator) -> Draw:
    samples, nodes = _size(rng)
    return Draw(autoregressive(memory, samples, nodes, rng), params={"memory": memory})


def _walks(rng: Generator) -> Draw:
    return Draw(rng.standard_normal(_size(rng)).cumsum(0))


def _cycle(rng: Generator) -> Draw:
    """White noise at every node, and one sine of a common phase whose strength varies from node to node."""
    samples, nodes = _size(rng)
    params = {"period": float(rng.uniform(24, 288)), "strength": float(rng.uniform(0.5, 3))}
    strength = params["strength"] * rng.uniform(0.7, 1.3, nodes)
    wave = np.sin(2 * np.pi * np.arange(samples)[:, None] / params["period"])
    return Draw(wave * strength + rng.standard_normal((samples, nodes)), params=params)


def _factors(rng: Generator) -> Draw:
    samples, nodes = _size(rng)
    params = {"factors": int(rng.integers(6, 21)), "noise": float(rng.uniform(0.3, 1))}
    loading = rng.standard_normal((params["factors"], nodes)) / math.sqrt(params["factors"])
    x = rng.standard_normal((samples, params["factors"])) @ loading
    return Draw(x + params["noise"] * rng.standard_normal(x.shape), params=params)


def _on_graph(adjacency: Array, samples: int, coherence: float, rng: Generator) -> Draw:
    """A Gaussian Markov field; who is truly near is who is truly correlated."""
    matrix = precision(adjacency, coherence)
    covariance = np.linalg.inv(matrix)
    scale = 1 / np.sqrt(np.diag(covariance))
    truth = {"adjacency": adjacency, "distance": 1 - covariance * np.outer(scale, scale)}
    return Draw(markov(matrix, samples, rng), None, truth, {"degree": float(adjacency.sum(1).mean())})


def random_field(rng: Generator) -> Draw:
    """A Gaussian Markov field on an Erdos-Renyi graph of 80 to 200 nodes and mean degree 5 to 10."""
    samples, nodes, degree = _size(rng)[0], int(rng.integers(80, 201)), rng.uniform(5, 10)
    half = np.triu(rng.random((nodes, nodes)) < degree / (nodes - 1), 1)
    return _on_graph(half | half.T, samples, float(rng.uniform(0.3, 1)), rng)


def relative_neighbours(places: Array) -> Array:
    """Adjacency of the pairs between which no third place lies nearer to both than they to each other."""
    distance = cdist(places, places)
    np.fill_diagonal(distance, np.inf)
    between = np.array([np.maximum(row, distance).min(1) for row in distance])
    return np.asarray((distance <= between) & np.isfinite(distance))


def _tree(rng: Generator) -> Array:
    nodes = int(rng.integers(60, 201))
    return np.asarray(nx.to_numpy_array(nx.from_prufer_sequence(rng.integers(nodes, size=nodes - 2).tolist())) > 0)


def _karate(rng: Generator) -> Array:
    return np.asarray(nx.to_numpy_array(nx.karate_club_graph()) > 0)


def _small_world(rng: Generator) -> Array:
    nodes, seed = int(rng.integers(60, 201)), int(rng.integers(2**31))
    graph = nx.watts_strogatz_graph(nodes, int(rng.choice([4, 6, 8])), float(rng.uniform(0.05, 0.3)), seed=seed)
    return np.asarray(nx.to_numpy_array(graph) > 0)


def _roads(rng: Generator) -> Array:
    return relative_neighbours(rng.random((int(rng.integers(100, 201)), 2)))


def _open_graph(make: Callable[[Generator], Array], rng: Generator) -> Draw:
    return _on_graph(make(rng), _size(rng)[0], float(rng.uniform(0.1, 1)), rng)


def _weak(rng: Generator, noise: tuple[float, float] = (0.05, 0.3), samples: tuple[int, int] = (1000, 3000)) -> Draw:
    params = conditions(rng, noise=noise, samples=samples)
    nodes = int(rng.integers(60, 201))
    places = math.sqrt(nodes) * rng.random((nodes, 2))
    return Draw(observed(places, params, rng), places, {"dim": 2, "columns": 2, "pieces": 1}, params)


def _refused(name: str, what: str, draw: Callable[[Generator], Draw]) -> Family:
    return Family(name, what, "refused", seeded(name, draw), ("refused",), share=0.98)


def _open(name: str, what: str, draw: Callable[[Generator], Draw]) -> Family:
    return Family(name, what, "open", seeded(name, draw), draws=20)


REFUSED = (
    _refused("noise", "independent noise", partial(_noise, 0.0)),
    _refused("ar-0.9", "AR(0.9) noise", partial(_noise, 0.9)),
    _refused("ar-0.99", "AR(0.99) noise", partial(_noise, 0.99)),
    _refused("walks", "random walks", _walks),
    _refused("cycle", "one daily cycle shared in phase", _cycle),
    _refused("factors", "6 to 20 random factors", _factors),
    _refused("erdos-renyi", "Markov fields on Erdos-Renyi graphs", random_field),
)
OPEN = (
    _open("tree", "Markov fields on random trees", partial(_open_graph, _tree)),
    _open("karate", "the karate club", partial(_open_graph, _karate)),
    _open("small-world", "Watts-Strogatz small worlds", partial(_open_graph, _small_world)),
    _open("roads", "relative neighbourhood graphs", partial(_open_graph, _roads)),
    _open("few-samples", "uniform places, 100 to 499 samples", partial(_weak, samples=(100, 499))),
    _open("noise-1", "uniform places, noise 1", partial(_weak, noise=(1, 1))),
)
WRONG = (
    Family(
        "forced",
        "Erdos-Renyi fields, discover(x, dim=2)",
        "wrong maps",
        seeded("forced", random_field),
        forced=2,
    ),
)
