"""How contact falls with distance: normal, exponential, or as a power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["TAILS", "Kernel"]

TAILS = {"gaussian": 0.0, "exponential": 0.5, "power": 1.0}


@dataclass(frozen=True)
class Kernel:
    r"""Contact :math:`e^{-f(s)}` at squared distance s in widths.

    .. math::
        f'(s) = \tfrac12 (1 + s / \kappa)^{-t}, \qquad f(0) = 0

    Near the origin all are the normal kernel :math:`e^{-s / 2}`. With t = 0 it stays one; t = 1/2 falls as
    :math:`e^{-\sqrt{\kappa s}}`, t = 1 as the power :math:`s^{-\kappa / 2}` (Student's t).

    Args:
        name: ``"gaussian"``, ``"exponential"`` or ``"power"``.
        onset: Squared distance :math:`\kappa` at which the tail begins; of no effect on ``"gaussian"``.

    Example:
        >>> Kernel("power", 1.0).energy(np.array([0.0, 3.0])).round(4).tolist()
        [0.0, 0.6931]
    """

    name: str
    onset: float = 4.0

    def energy(self, square: np.ndarray) -> np.ndarray:
        """f at squared distances, of the same shape."""
        if self.name == "gaussian":
            return square / 2
        ratio = 1 + square / self.onset
        result: np.ndarray = self.onset * ((np.sqrt(ratio) - 1) if self.name == "exponential" else np.log(ratio) / 2)
        return result

    def slope(self, square: np.ndarray) -> np.ndarray:
        """Derivative of f at squared distances."""
        if self.name == "gaussian":
            return np.full_like(square, 0.5)
        ratio = 1 + square / self.onset
        result: np.ndarray = 0.5 / (np.sqrt(ratio) if self.name == "exponential" else ratio)
        return result

    def stretch(self, square: np.ndarray) -> np.ndarray:
        """Derivative of f by the logarithm of the onset, f - s f'."""
        return self.energy(square) - square * self.slope(square)
