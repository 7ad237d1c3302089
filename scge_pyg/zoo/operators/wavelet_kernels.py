"""Kernels of spectral graph wavelets: band passes at several scales, and a low pass for what they leave."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["KERNELS", "Kernels", "log_scales", "mexican_hats", "splines"]

Kernels = Callable[[Tensor], Tensor]


def log_scales(widest: float, finest: float, count: int) -> Tensor:
    """Scales ``[count]`` float64 from ``widest`` down to ``finest``, equally spaced in their logarithm.

    Example:
        >>> log_scales(4.0, 1.0, 3)
        tensor([4.0000, 2.0000, 1.0000], dtype=torch.float64)
    """
    return torch.logspace(math.log(widest), math.log(finest), count, base=math.e, dtype=torch.double)


def mexican_hats(lambda_max: float, num_scales: int, lowpass: float) -> Kernels:
    r"""Wavelets :math:`g(t_j x) = t_j x e^{-t_j x}`, and :math:`h(x) = e^{-1 - t_1 x}` for what is below the widest.

    Scales run from :math:`t_1 = 2 / \lambda_{\min}` to :math:`1 / \lambda_{\max}`, with :math:`\lambda_{\min} =
    \lambda_{\max} / \text{lowpass}`. The low pass is the heat kernel of the widest scale, of which the hat is the
    change with scale. The quartic exponential of :func:`splines`, which pygsp has here too, is so steep that its series
    of degree 30 is wrong by 0.02, and these by 3e-9.

    Example:
        >>> mexican_hats(2.0, 2, 4.0)(torch.tensor([0.0, 2.0])).round(decimals=3)
        tensor([[0.3680, 0.0000],
                [0.0000, 0.0030],
                [0.0000, 0.3680]], dtype=torch.float64)
    """
    scales = log_scales(2 * lowpass / lambda_max, 1 / lambda_max, num_scales)

    def values(x: Tensor) -> Tensor:
        moved = scales[:, None] * x
        return torch.cat([(-1 - moved[:1]).exp(), moved * (-moved).exp()])

    return values


def splines(lambda_max: float, num_scales: int, lowpass: float) -> Kernels:
    r"""The wavelets of Hammond, Vandergheynst and Gribonval (2011), section 8.1, with :math:`\alpha = \beta = 2`:

    .. math::
        g(x) = \begin{cases} x^2 & x < 1 \\ -5 + 11 x - 6 x^2 + x^3 & 1 \le x \le 2 \\ 4 x^{-2} & x > 2 \end{cases}
        \qquad h(x) = \gamma \exp\left(-\left(\frac{x}{0.6 \lambda_{\min}}\right)^4\right)

    with :math:`\gamma = \max g` and scales from :math:`2 / \lambda_{\min}` to :math:`2 / \lambda_{\max}`. The note has
    two slips here: (194) reads :math:`x_1^{\alpha} x^{-\alpha}` below :math:`x_1`, which has no bound at 0 where g must
    be 0, and 16.2.1 has h(0) = 0, which would leave the mean of a signal without a coefficient.

    Example:
        >>> splines(4.0, 1, 2.0)(torch.tensor([0.0, 1.0, 4.0])).round(decimals=3)
        tensor([[1.3850, 0.8550, 0.0000],
                [0.0000, 1.0000, 0.2500]], dtype=torch.float64)
    """
    lambda_min = lambda_max / lowpass
    scales = log_scales(2 / lambda_min, 2 / lambda_max, num_scales)
    top = 2 - 1 / math.sqrt(3)  # where the cubic is highest
    gamma = -5 + 11 * top - 6 * top**2 + top**3

    def values(x: Tensor) -> Tensor:
        moved = scales[:, None] * x
        middle = -5 + moved * (11 + moved * (-6 + moved))
        band = torch.where(moved < 1, moved.square(), torch.where(moved <= 2, middle, 4 / moved.square()))
        return torch.cat([gamma * (-((x.double() / (0.6 * lambda_min)) ** 4)).exp()[None], band])

    return values


KERNELS = {"mexican_hat": mexican_hats, "spline": splines}
