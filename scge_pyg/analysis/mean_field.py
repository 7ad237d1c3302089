r"""Mean-field predictions for deep, wide, fully connected networks: variances, and moments of the Jacobian's spectrum.

A layer is :math:`h^l = W^l \phi(h^{l-1}) + b^l` with weights of variance :math:`\sigma_w^2 / N`, or :math:`\sigma_w`
times an orthogonal matrix, and biases of variance :math:`\sigma_b^2`. In a wide network pre-activations are Gaussian.

Sources: Poole et al. 2016, "Exponential expressivity in deep neural networks through transient chaos"; Schoenholz et
al. 2017, "Deep information propagation"; Pennington, Schoenholz and Ganguli 2017, "Resurrecting the sigmoid in deep
learning through dynamical isometry: theory and practice".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["MeanField", "SpectrumMoments", "critical_sigma_w", "mean_field", "spectrum_moments", "variance_map"]

_ACTIVATIONS = ("tanh", "relu", "linear")
_WEIGHTS = ("orthogonal", "gaussian")
_REACH, _NODES = 12.0, 4801
_BISECTIONS = 100


def _expectation(function: Callable[[Tensor], Tensor]) -> float:
    """Mean over a standard normal variable, for smooth functions: the trapezoidal rule converges exponentially."""
    h = torch.linspace(-_REACH, _REACH, _NODES, dtype=torch.float64)
    weight = torch.exp(-h.square() / 2)
    return float((weight * function(h)).sum() / weight.sum())


def _slope(q: float, power: int) -> float:
    r"""Mean of :math:`\phi'(\sqrt q h)^{power}` for tanh."""
    root = math.sqrt(q)
    return _expectation(lambda h: (1 - torch.tanh(root * h).square()) ** power)


def _check(where: str, activation: str, sigma_w: float, sigma_b: float) -> None:
    if activation not in _ACTIVATIONS:
        raise ValueError(f"{where}: activation must be one of {_ACTIVATIONS}, got {activation!r}")
    if not (0 < sigma_w < math.inf and 0 <= sigma_b < math.inf):
        raise ValueError(
            f"{where}: sigma_w must be positive and sigma_b at least 0, both finite, got {sigma_w!r} and {sigma_b!r}"
        )


def variance_map(activation: str, q: float, sigma_w: float, sigma_b: float = 0.0) -> float:
    r"""Variance of the next layer's pre-activations.

    .. math::
        q \mapsto \sigma_w^2\, \mathbb{E}_{h \sim N(0, 1)} [\phi(\sqrt q\, h)^2] + \sigma_b^2

    which is :math:`\sigma_w^2 q / 2 + \sigma_b^2` for ReLU.

    Args:
        activation: ``"tanh"``, ``"relu"`` or ``"linear"``.
        q: Variance of a layer's pre-activations.
        sigma_w: Scale of the weights.
        sigma_b: Standard deviation of the biases. Default: 0.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> variance_map("relu", 3.0, 2.0, 1.0)
        7.0
    """
    _check("variance_map", activation, sigma_w, sigma_b)
    if not 0 <= q < math.inf:
        raise ValueError(f"variance_map: q must be finite and at least 0, got {q!r}")
    if activation == "tanh":
        square = _expectation(lambda h: torch.tanh(math.sqrt(q) * h).square())
    else:
        square = q / 2 if activation == "relu" else q
    return sigma_w**2 * square + sigma_b**2


def _bisect(positive: Callable[[float], bool], low: float, high: float) -> float:
    """Where a condition that holds at ``low`` stops holding."""
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if positive(middle) else (low, middle)
    return (low + high) / 2


class MeanField(NamedTuple):
    r"""A network at its fixed point.

    Args:
        q: Variance of the pre-activations.
        chi: :math:`\sigma_w^2\, \mathbb{E}[\phi'(\sqrt q h)^2]`: what a layer does to the mean squared singular value.
            Gradients vanish below 1 and explode above.
        slope_2: :math:`\mu_1 = \mathbb{E}[\phi'^2]`.
        slope_4: :math:`\mu_2 = \mathbb{E}[\phi'^4]`.
    """

    q: float
    chi: float
    slope_2: float
    slope_4: float


def mean_field(activation: str, sigma_w: float, sigma_b: float = 0.0, q: float | None = None) -> MeanField:
    r"""Fixed point of the variance map and what a layer does there to gradients.

    .. math::
        q^* = \sigma_w^2\, \mathbb{E}[\phi(\sqrt{q^*} h)^2] + \sigma_b^2, \qquad
        \chi = \sigma_w^2\, \mathbb{E}[\phi'(\sqrt{q^*} h)^2]

    For tanh :math:`q^*` is the stable fixed point, 0 up to :math:`\sigma_w = 1` without biases. For ReLU
    :math:`\chi = \sigma_w^2 / 2` at any q, and :math:`q^* = \sigma_b^2 / (1 - \sigma_w^2 / 2)`.

    Cost: 100 means over 4,801 nodes.

    Args:
        activation: ``"tanh"``, ``"relu"`` or ``"linear"``.
        sigma_w: Scale of the weights.
        sigma_b: Standard deviation of the biases. Default: 0.
        q: Variance to take instead of the fixed point.

    Raises:
        ValueError: If an argument is out of its range, or there is no single fixed point (ReLU from
            :math:`\sigma_w^2 = 2`, linear from 1) and ``q`` isn't given.

    Example:
        >>> mean_field("relu", 1.0, 1.0)
        MeanField(q=2.0, chi=0.5, slope_2=0.5, slope_4=0.5)
        >>> round(mean_field("tanh", 1.5).chi, 4)
        1.1393
    """
    _check("mean_field", activation, sigma_w, sigma_b)
    if q is not None and not 0 <= q < math.inf:
        raise ValueError(f"mean_field: q must be finite and at least 0, got {q!r}")
    if activation == "tanh":
        if q is None:
            top = sigma_w**2 + sigma_b**2
            grows = sigma_w > 1 or sigma_b > 0
            q = _bisect(lambda at: variance_map("tanh", at, sigma_w, sigma_b) > at, 0.0, top) if grows else 0.0
        slopes = (_slope(q, 2), _slope(q, 4))
    else:
        slope = 0.5 if activation == "relu" else 1.0
        kept = 1 - sigma_w**2 * slope
        if q is None:
            if kept <= 0:
                raise ValueError(
                    f"mean_field: {activation} with sigma_w {sigma_w} has no single fixed point, as sigma_w^2 times "
                    f"{slope} is at least 1; give q"
                )
            q = sigma_b**2 / kept
        slopes = (slope, slope)
    return MeanField(q, sigma_w**2 * slopes[0], *slopes)


def critical_sigma_w(sigma_b: float) -> float:
    r"""The critical line of tanh: the :math:`\sigma_w` for which :math:`\chi = 1` at the fixed point.

    .. math::
        \sigma_w^{-2} = \mathbb{E}[\phi'(\sqrt q h)^2], \qquad
        \sigma_b^2 = q - \sigma_w^2\, \mathbb{E}[\phi(\sqrt q h)^2]

    for one q, found by bisection as :math:`\sigma_b` grows with it. For ReLU the critical point is :math:`\sqrt 2`.

    Args:
        sigma_b: Standard deviation of the biases.

    Raises:
        ValueError: If it is negative or above 4, beyond which the quadrature isn't exact.

    Example:
        >>> critical_sigma_w(0.0), round(critical_sigma_w(0.3), 4)
        (1.0, 1.3956)
    """
    if not 0 <= sigma_b <= 4:
        raise ValueError(f"critical_sigma_w: sigma_b must lie between 0 and 4, got {sigma_b!r}")
    if sigma_b == 0:
        return 1.0

    def below(q: float) -> bool:
        return q - variance_map("tanh", q, _slope(q, 2) ** -0.5) < sigma_b**2

    top = 1.0
    while below(top):
        top *= 2
    return _slope(_bisect(below, 0.0, top), 2) ** -0.5


class SpectrumMoments(NamedTuple):
    """Mean and variance of the squared singular values of a network's input-output Jacobian."""

    mean: float
    variance: float


def spectrum_moments(field: MeanField, depth: int, weights: str = "orthogonal") -> SpectrumMoments:
    r"""Predicted mean and variance of the squared singular values after some layers.

    .. math::
        m_1 = \chi^L, \qquad
        \sigma^2_{J J^\top} = L \left( \frac{\mu_2}{\mu_1^2} - 1 - s_1 \right) \chi^{2 L}

    for :math:`J = \prod_l D^l W^l` with square weights, where :math:`D^l` holds the slopes, :math:`\mu_k` is the mean
    of :math:`\phi'^{2k}` and :math:`s_1` is the first coefficient of the S-transform of :math:`W^\top W`: 0 for
    orthogonal weights, -1 for Gaussian ones. Zeros count among the singular values. All networks with
    :math:`\chi = 1` have mean 1; only orthogonal weights with slopes near 1 keep the variance small in depth.

    Args:
        field: The network, from :func:`mean_field`.
        depth: Number of layers L.
        weights: ``"orthogonal"`` or ``"gaussian"``. Default: ``"orthogonal"``.

    Raises:
        ValueError: If the depth isn't a positive integer, or the weights are of another kind.

    Example:
        >>> field = mean_field("linear", 1.0, q=1.0)
        >>> spectrum_moments(field, 10, "orthogonal"), spectrum_moments(field, 10, "gaussian")
        (SpectrumMoments(mean=1.0, variance=0.0), SpectrumMoments(mean=1.0, variance=10.0))
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise ValueError(f"spectrum_moments: depth must be a positive integer, got {depth!r}")
    if weights not in _WEIGHTS:
        raise ValueError(f"spectrum_moments: weights must be one of {_WEIGHTS}, got {weights!r}")
    spread = field.slope_4 / field.slope_2**2 - 1 + (weights == "gaussian")
    return SpectrumMoments(field.chi**depth, depth * spread * field.chi ** (2 * depth))
