r"""From a code to an image, and from an image to the scores of one part at every place.

Both decoders are linear in the linear code b of a part whose place and prototype are fixed, so that the energy of one
part, given all others, is quadratic in it:

.. math:: E(k, p, b) = -G(k, p) - b^\top a(k, p) + \tfrac12 b^\top M(k, p)\, b, \qquad M = 1 + U^\top U / \sigma^2

with all three read off a few correlations of images with the prototypes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.canvas import Canvas

__all__ = ["AdditiveDecoder", "Decoder", "Draw", "Terms", "joined", "split", "whitening"]

Draw = Callable[["Terms"], State]


class Terms(NamedTuple):
    """The energy of one part at every place, in nats, above that without the part.

    Args:
        gain: G, ``[B, K, P]``; it may be overwritten.
        linear: a, ``[B, K, q, P]``.
        whiten: Inverse of the Cholesky factor of M, ``[B or 1, K, q, q, P]``.
        log_det: log det M, ``[B or 1, K, P]``.
    """

    gain: Tensor
    linear: Tensor
    whiten: Tensor
    log_det: Tensor


class Decoder(nn.Module, ABC):
    """Prototypes ``weight [K, C, *kernel]`` with directions ``basis [K, q, C, *kernel]`` on a canvas.

    Args:
        canvas: Pixels and places.
        num_prototypes: K.
        num_linear: q.
        channels: C.
    """

    def __init__(self, canvas: Canvas, num_prototypes: int, num_linear: int, channels: int) -> None:
        super().__init__()
        self.canvas, self.num_prototypes, self.num_linear, self.channels = canvas, num_prototypes, num_linear, channels
        self.weight = nn.Parameter(torch.zeros(num_prototypes, channels, *canvas.kernel_shape))
        self.basis = nn.Parameter(torch.zeros(num_prototypes, num_linear, channels, *canvas.kernel_shape))

    @abstractmethod
    def forward(self, state: State) -> Tensor:
        """Images ``[B, C, N]``."""

    @abstractmethod
    def tangent(self, state: State) -> Tensor:
        """Derivative of the image in each linear code, ``[B, H, q, C, N]``."""

    @abstractmethod
    def sweep(self, x: Tensor, state: State, noise: Tensor, draw: Draw) -> State:
        """Draw every part once, in order, given all others; ``x [B, C, N]``."""

    def _values(self) -> Tensor:
        """Prototypes and directions as one stack ``[K, 1 + q, C, *kernel]``."""
        return torch.cat([self.weight.unsqueeze(1), self.basis], 1)

    def _seen(self, x: Tensor) -> Tensor:
        return x * self.canvas.observed

    def _mixed(self, picked: Tensor, b: Tensor) -> Tensor:
        """Values ``[B, H, 1, C, W]`` of each part, from those of its prototype and directions."""
        return picked[:, :, :1] + torch.einsum("bhq,bhqcw->bhcw", b, picked[:, :, 1:]).unsqueeze(2)


class AdditiveDecoder(Decoder):
    r"""The sum of the parts, :math:`\hat o = \sum_h g(p_h, k_h, b_h)`.

    A sweep costs one correlation a part, :math:`O(H B C K (1 + q) P R^2)`; the squares of the prototypes are correlated
    once a sweep.
    """

    def forward(self, state: State) -> Tensor:
        """Images ``[B, C, N]``."""
        return self._parts(self.canvas.bank(self._values()), state).sum(1)

    def tangent(self, state: State) -> Tensor:
        """Directions at their places, ``[B, H, q, C, N]``."""
        picked = self.canvas.pick(self.canvas.bank(self.basis), state.kind.clamp_min(0), state.place)
        return self.canvas.paint(picked, state.place) * (state.kind >= 0)[:, :, None, None, None]

    def sweep(self, x: Tensor, state: State, noise: Tensor, draw: Draw) -> State:
        """Draw every part once, given the residual of all others, which is updated in place of computed anew."""
        bank, precision = self.canvas.bank(self._values()), noise**-2
        ones = self._seen(x.new_ones(1, self.channels, self.canvas.num_pixels))
        value, basis = split(bank)
        offset = self.canvas.correlate(ones, torch.cat([0.5 * value, basis], 2) * value) * precision
        whiten, log_det = whitening(self.canvas, ones, basis, precision)
        parts = self._parts(bank, state)
        residual = x - parts.sum(1)
        states = []
        for h in range(state.kind.shape[1]):
            residual = residual + parts[:, h]
            score = self.canvas.correlate(self._seen(residual), bank * precision).sub_(offset)
            drawn = draw(Terms(score[:, :, 0], score[:, :, 1:], whiten, log_det))
            residual = residual - self._parts(bank, drawn)[:, 0]
            states.append(drawn)
        return joined(states)

    def _parts(self, bank: Tensor, state: State) -> Tensor:
        """Each part alone, ``[B, H, C, N]``."""
        picked = self.canvas.pick(bank, state.kind.clamp_min(0), state.place)
        painted = self.canvas.paint(self._mixed(picked, state.b), state.place).squeeze(2)
        return painted * (state.kind >= 0)[:, :, None, None]


def split(bank: Tensor) -> tuple[Tensor, Tensor]:
    """The bank of prototypes, and that of their directions."""
    return bank[:, :, :1], bank[:, :, 1:]


def whitening(canvas: Canvas, image: Tensor, basis: Tensor, precision: Tensor) -> tuple[Tensor, Tensor]:
    r"""Inverse Cholesky factor and log determinant of :math:`M = 1 + U^\top U / \sigma^2` at every place.

    ``image [B, C, N]`` weighs the squares of the pixels; ``basis`` is the bank of U.
    """
    kinds, linear = basis.shape[1:3]
    gram = canvas.correlate(image, (basis.unsqueeze(3) * basis.unsqueeze(2)).flatten(2, 3)) * precision
    gram = gram.view(len(image), kinds, linear, linear, canvas.num_places).movedim(-1, 2)
    eye = torch.eye(linear, dtype=gram.dtype, device=gram.device)
    factor = torch.linalg.cholesky(gram + eye)
    log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return torch.linalg.solve_triangular(factor, eye, upper=False).movedim(2, -1), log_det


def joined(parts: list[State]) -> State:
    """Parts that were drawn one by one, as one state."""
    return State(*(torch.cat(part, 1) for part in zip(*parts, strict=True)))
