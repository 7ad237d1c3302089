"""How well each channel is predicted from the others if it stands at one place or at another."""

from __future__ import annotations

import numpy as np

__all__ = ["RIDGE", "exchange_gains", "nats", "own_gains", "place_correlations", "referenced"]

RIDGE = 1.0  # the misfit of a curve of distance is as large as the signal; of 0.03 to 3 the best on simulated fields
_MOST = 1 - 1e-9


def referenced(correlation: np.ndarray) -> np.ndarray:
    """Correlation ``[..., N, N]`` of the same signals less their mean over the channels, all of variance 1 before."""
    rows = correlation.mean(-1, keepdims=True)
    centred = correlation - rows - np.swapaxes(rows, -1, -2) + correlation.mean((-1, -2), keepdims=True)
    scale = np.sqrt(np.maximum(np.diagonal(centred, axis1=-2, axis2=-1), 1e-12))
    return np.asarray(centred / scale[..., :, None] / scale[..., None, :])


def own_gains(coupling: np.ndarray, expected: np.ndarray) -> np.ndarray:
    r"""Gain of predicting each channel from all others at its own place, in nats a sample, ``[..., N]``.

    .. math::
        g_i = -\tfrac12 \log (1 - \max(\rho_i, 0)^2), \qquad
        \rho_i = \operatorname{corr}(x_i, w_i^\top x), \qquad w_i = (R_{oo} + \lambda I)^{-1} f_{oi}

    with :math:`o` all channels but i, :math:`R` their measured coupling, :math:`f` the expected one, and
    :math:`\lambda = 1`. Nothing of signal i enters its weights, so that the gain is held out, whatever its gain.
    """
    size = coupling.shape[-1]
    inverse = np.linalg.inv(coupling + RIDGE * np.eye(size))
    weight = inverse @ expected
    own = _diagonal(weight) / _diagonal(inverse)
    shared = _diagonal(expected) - RIDGE * _diagonal(weight) - own * (1 - RIDGE * _diagonal(inverse))
    weight -= own[..., None, :] * inverse
    power = (weight * expected).sum(-2) - RIDGE * (weight**2).sum(-2)
    return nats(shared / np.sqrt(np.maximum(power, 1e-12)))


def place_correlations(coupling: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Correlation of each channel with its prediction at each place, and at its own one, both ``[..., N, N]``.

    Entry (i, p) of the first is :math:`\operatorname{corr}(x_i, w^\top x)` with :math:`w = (R_{oo} + \lambda I)^{-1}
    f_{op}`, as if channel i stood at the place of channel p; of the second, with :math:`f_{oi}`. Both leave channels
    i and p out of the predictors :math:`o`, so that they compare what the same channels say.

    All pairs come from one inverse: with :math:`K = (R + \lambda I)^{-1}`, the weights are :math:`K f_p - \alpha K_i -
    \beta K_p`, where :math:`\alpha, \beta` make the entries of i and p vanish.

    Cost: :math:`O(N^3)`.
    """
    size = coupling.shape[-1]
    inverse = np.linalg.inv(coupling + RIDGE * np.eye(size))
    square, weight = inverse @ inverse, inverse @ expected
    second = inverse @ weight
    own, own_square = _diagonal(inverse), _diagonal(square)
    determinant = own[..., :, None] * own[..., None, :] - inverse**2 + np.eye(size)
    reach, length = (expected * weight).sum(-2), (weight**2).sum(-2)

    def correlation(
        at_channel: np.ndarray,
        twice_channel: np.ndarray,
        at_other: np.ndarray,
        twice_other: np.ndarray,
        shared: np.ndarray,
        reach: np.ndarray,
        length: np.ndarray,
    ) -> np.ndarray:
        alpha = (own[..., None, :] * at_channel - inverse * at_other) / determinant
        beta = (own[..., :, None] * at_other - inverse * at_channel) / determinant
        shared = shared - alpha * (1 - RIDGE * own)[..., :, None] + beta * RIDGE * inverse
        power = reach - alpha * at_channel - beta * at_other
        length = length - 2 * alpha * twice_channel - 2 * beta * twice_other
        length += alpha**2 * own_square[..., :, None] + 2 * alpha * beta * square + beta**2 * own_square[..., None, :]
        return np.asarray(shared / np.sqrt(np.maximum(power - RIDGE * length, 1e-12)))

    shared = expected - RIDGE * weight
    weight_own, second_own = _diagonal(weight), _diagonal(second)
    there = correlation(
        weight,
        second,
        weight_own[..., None, :],
        second_own[..., None, :],
        shared,
        reach[..., None, :],
        length[..., None, :],
    )
    here = correlation(
        weight_own[..., :, None],
        second_own[..., :, None],
        np.swapaxes(weight, -1, -2),
        np.swapaxes(second, -1, -2),
        _diagonal(shared)[..., :, None],
        reach[..., :, None],
        length[..., :, None],
    )
    return there, here


def exchange_gains(coupling: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """What each pair of channels gains by exchanging places, in nats a sample, ``[..., N, N]``; -inf on the diagonal.

    The gain of either one's prediction at the other's place, from all channels but these two, over that at its own.
    """
    there, here = place_correlations(coupling, expected)
    move = nats(there) - nats(np.abs(here))
    gain: np.ndarray = move + np.swapaxes(move, -1, -2)
    size = coupling.shape[-1]
    gain[..., np.arange(size), np.arange(size)] = -np.inf
    return gain


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def nats(correlation: np.ndarray) -> np.ndarray:
    """Nats a sample that a prediction of this correlation gains; none where it is negative."""
    return np.asarray(-0.5 * np.log1p(-np.minimum(np.maximum(correlation, 0) ** 2, _MOST)))
