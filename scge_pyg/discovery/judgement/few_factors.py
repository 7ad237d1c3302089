"""Whether a few factors say all that a map can: then it is a map of loadings, and nodes have no places."""

from __future__ import annotations

import numpy as np

from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.prediction import moment_gains
from scge_pyg.discovery.maps.sketch import leading_eigenvectors

__all__ = ["factor_gains", "factor_model", "few_factors", "spread_of_directions"]

_MOST, _NODES_A_FACTOR = 4, 8
_STEPS, _RIDGE, _FLOOR = 200, 3e-3, 5e-3
_LEFT = 3.0  # standard deviations of what factors leave unexplained: fields 10 and more, unless very smooth or short
_TELLS = 4e-3  # that limit, above which too little is known: below 110 samples of 20 nodes, 190 of 12
_STRANGERS = 0.8  # of the gain from near nodes: factors of 40 nodes 0.95 and more, of 20 nodes 0.8
_UNEQUAL = 0.6  # deviation of log signal to noise: normal loadings 0.62 and more, fields of even noise 0.46 at most
_SPREAD = 0.7  # of random directions: three and four normal loadings 0.8 and more, curves and surfaces mostly less
_DRAWS = 5


def few_factors(court: Court, near: list[np.ndarray]) -> int:
    r"""How many factors, at most four, explain all couplings without any geometry, or 0.

    Smooth fields and sums of waves have few factors too, but their loadings lie on a curve or a surface; those of a
    questionnaire or a market point anywhere and have any size. So that many factors explain the samples, if

    * what they leave of the correlations on one side has nothing to do with what is left on the other: the mean
      product over pairs is below three of its standard deviations :math:`2 / (S \sqrt{N (N - 1) / 2})`, S effective
      samples, and these below 0.004;
    * strangers, all nodes but the nearest on the map, predict by the factors at least 0.8 of what the nearest do;
    * signal to noise differs from node to node, its logarithm by 0.6 (with even noise, on a ring or a sphere of places
      all loadings have the same length);
    * the directions of three loadings and more are as far apart as random ones are.

    Two factors are let pass: loadings in a plane lie on a ring, whatever they come from. More factors than one in eight
    nodes are not looked for, so that 16 to 23 nodes have at most two.

    Cost: :math:`O(N^3)` once, and :math:`O(N^2)` a step of 200 for each number of factors that leaves nothing and for
    one more.

    Args:
        court: Where the map was judged.
        near: Nearest rows on the map from each side, by distance, two arrays ``[n, k]`` with at least ``court.few``.
    """
    sides = [side.correlation for side in court.sides]
    near = [rows[:, : court.few] for rows in near]
    gain = np.mean([moment_gains(rows, sides[w], sides[1 - w]).mean() for w, rows in enumerate(near)])
    pairs = len(sides[0]) * (len(sides[0]) - 1) / 2
    limit = _LEFT * 2 / (court.signals.effective * np.sqrt(pairs))
    if limit > _TELLS:
        return 0
    fewest: list[tuple[np.ndarray, np.ndarray]] = []
    for count in range(max(1, min(_MOST, len(sides[0]) // _NODES_A_FACTOR)), 0, -1):
        models = [factor_model(side, count) for side in sides]
        if np.mean([_left(*models[w], sides[w], sides[1 - w]) for w in (0, 1)]) > limit:
            break
        fewest = models
    if not fewest:
        return 0
    count = fewest[0][0].shape[1]
    away = np.mean([factor_gains(*fewest[w], sides[1 - w], near[w]).mean() for w in (0, 1)])
    signal = np.mean([np.log(np.maximum((load**2).sum(1) / own, _FLOOR)) for load, own in fewest], 0)
    alone = away >= _STRANGERS * gain and float(signal.std()) >= _UNEQUAL
    anywhere = count == 1 or (count > 2 and np.mean([spread_of_directions(load) for load, _ in fewest]) >= _SPREAD)
    return count if alone and anywhere else 0


def factor_model(correlation: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Loadings ``[N, count]`` and own variances ``[N]`` of the factor model :math:`R = L L^\top + \Psi`.

    Maximum likelihood by expectation and maximisation (Rubin and Thayer, 1982), from squared multiple correlations.

    Args:
        correlation: Correlation ``[N, N]``.
        count: Number of factors.

    Example:
        >>> load = np.array([[0.9], [0.8], [0.7], [-0.6]])
        >>> found, own = factor_model(load @ load.T + np.diag(1 - load[:, 0] ** 2), 1)
        >>> np.abs(found[:, 0]).round(3).tolist(), own.round(2).tolist()
        ([0.9, 0.8, 0.7, 0.6], [0.19, 0.36, 0.51, 0.64])
    """
    eye = np.eye(count)
    own = 1 / np.diag(np.linalg.inv(correlation + _RIDGE * np.eye(len(correlation))))
    scale = np.sqrt(own)
    value, vector = leading_eigenvectors(correlation / scale[:, None] / scale[None, :], count)
    loading = scale[:, None] * vector * np.sqrt(np.maximum(value - 1, _FLOOR))
    for _ in range(_STEPS):
        weight = loading.T / own
        beta = np.linalg.solve(eye + weight @ loading, weight)
        cross = correlation @ beta.T
        loading = np.linalg.solve(eye - beta @ loading + beta @ cross, cross.T).T
        own = np.maximum(1 - (loading * cross).sum(1), _FLOOR)
    return loading, own


def factor_gains(loading: np.ndarray, own: np.ndarray, held_out: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Gain of each node in nats from the factors that all other nodes but those ``without [N, k]`` show, ``[N]``.

    Cost: :math:`O(N^2)`.

    Args:
        loading: Loadings ``[N, q]`` fitted on one side.
        own: Own variances ``[N]``.
        held_out: Correlation ``[N, N]`` of the other side.
        without: Nodes that do not predict each node, ``[N, k]``.
    """
    seen = 1 / np.tile(own, (len(own), 1))
    np.put_along_axis(seen, without, 0.0, axis=1)
    np.fill_diagonal(seen, 0.0)
    outer = (loading[:, :, None] * loading[:, None, :]).reshape(len(own), -1)
    posterior = (seen @ outer).reshape(-1, loading.shape[1], loading.shape[1]) + np.eye(loading.shape[1])
    beta = seen * (np.linalg.solve(posterior, loading[:, :, None])[..., 0] @ loading.T)
    error = 1 - 2 * (beta * held_out).sum(1) + ((beta @ held_out) * beta).sum(1)
    result: np.ndarray = -0.5 * np.log(np.maximum(error, _FLOOR))
    return result


def spread_of_directions(loading: np.ndarray) -> float:
    """Median angle between the axis of a node's loadings ``[N, q]`` and the next, over that of random ones.

    Example:
        >>> angle = np.linspace(0, np.pi, 40, endpoint=False)
        >>> curve = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], 1)
        >>> cloud = np.random.default_rng(0).standard_normal((40, 3))
        >>> spread_of_directions(curve) < 0.7 < spread_of_directions(cloud)
        True
    """
    generator = np.random.default_rng(0)
    random = np.mean([_next_axis(generator.standard_normal(loading.shape)) for _ in range(_DRAWS)])
    return float(_next_axis(loading) / random)


def _next_axis(loading: np.ndarray) -> float:
    axis = loading / np.maximum(np.linalg.norm(loading, axis=1, keepdims=True), 1e-9)
    cosine = np.abs(axis @ axis.T)
    np.fill_diagonal(cosine, 0.0)
    return float(np.median(np.arccos(np.minimum(cosine.max(1), 1.0))))


def _left(loading: np.ndarray, own: np.ndarray, fitted: np.ndarray, held_out: np.ndarray) -> float:
    """Mean product over pairs of what the factors leave on either side, in own deviations."""
    explained = loading @ loading.T
    product = (fitted - explained) * (held_out - explained) / own[:, None] / own[None, :]
    np.fill_diagonal(product, 0.0)
    return float(product.sum() / (len(own) * (len(own) - 1)))
