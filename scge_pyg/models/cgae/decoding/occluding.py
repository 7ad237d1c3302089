"""Parts that cover each other, as in alpha blending."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.canvas import Canvas
from scge_pyg.models.cgae.decoding.decoders import Decoder, Draw, Terms, joined, split, whitening

__all__ = ["OccludingDecoder"]


class OccludingDecoder(Decoder):
    r"""Later parts cover earlier ones, by their opacity :math:`\alpha_k` in :math:`[0, 1]`, a sigmoid of ``opacity``:

    .. math:: o_h = (1 - \alpha_h)\, o_{h-1} + \alpha_h\, (w_h + U_h b_h), \qquad o_0 = 0.

    With opacity 0 and 1 alone it is the ordered replacement. Given the others, with c the image below part h, s what
    lies above it and T how much of it is seen, the residual is :math:`r - T \alpha (w + U b - c)` for
    :math:`r = o - s - T c`: its square takes correlations of :math:`rT, rTc, T^2, T^2 c, T^2 c^2` with
    :math:`\alpha w, \alpha, \alpha^2 w^2, \alpha^2 w, \alpha^2`, where the last three fall to one for hard edges.
    """

    def __init__(self, canvas: Canvas, num_prototypes: int, num_linear: int, channels: int) -> None:
        super().__init__(canvas, num_prototypes, num_linear, channels)
        self.opacity = nn.Parameter(torch.zeros(num_prototypes, 1, *canvas.kernel_shape))

    def forward(self, state: State) -> Tensor:
        """Images ``[B, C, N]``."""
        image = state.b.new_zeros(len(state.kind), self.channels, self.canvas.num_pixels)
        for value, alpha in self._layers(self._bank(), state):
            image = (1 - alpha) * image + alpha * value
        return image

    def tangent(self, state: State) -> Tensor:
        """Directions at their places, as far as they are seen, ``[B, H, q, C, N]``."""
        alpha_bank, value_bank = self._bank()
        _, basis = split(value_bank)
        painted = self.canvas.paint(self.canvas.pick(basis, state.kind.clamp_min(0), state.place), state.place)
        alpha = torch.stack([alpha for _, alpha in self._layers((alpha_bank, value_bank), state)], 1)
        return painted * (_seen_through(alpha) * alpha).unsqueeze(2)

    def sweep(self, x: Tensor, state: State, noise: Tensor, draw: Draw) -> State:
        """Draw every part once, from the lowest to the highest."""
        banks, precision = self._bank(), noise**-2
        alpha, (value, basis) = banks[0], split(banks[1])
        square = alpha.square()
        nothing = torch.zeros_like(alpha * value)
        gain = torch.cat([alpha * value, -alpha + nothing, -0.5 * square * value.square(), square * value,
                          -0.5 * square + nothing], 3)  # fmt: skip
        none = torch.zeros_like(basis)
        linear = torch.cat([alpha * basis, none, -square * basis * value, square * basis, none], 3)
        kernels = torch.cat([gain, linear], 2) * precision
        covered = alpha * basis
        layers = list(self._layers(banks, state))
        opaque = torch.stack([a for _, a in layers], 1)
        through = _seen_through(opaque)
        shown = opaque * through * torch.stack([v for v, _ in layers], 1)
        above = shown.sum(1, keepdim=True) - shown.cumsum(1)
        below = torch.zeros_like(x)
        states = []
        for h in range(state.kind.shape[1]):
            seen, rest = through[:, h], x - above[:, h] - through[:, h] * below
            image = torch.cat([rest * seen, rest * seen * below, seen**2, seen**2 * below, (seen * below) ** 2], 1)
            score = self.canvas.correlate(self._seen(image), kernels)
            whiten, log_det = whitening(self.canvas, self._seen(seen**2), covered, precision)
            drawn = draw(Terms(score[:, :, 0], score[:, :, 1:], whiten, log_det))
            ((value_h, alpha_h),) = self._layers(banks, drawn)
            below = (1 - alpha_h) * below + alpha_h * value_h
            states.append(drawn)
        return joined(states)

    def _bank(self) -> tuple[Tensor, Tensor]:
        """Banks of opacity and of values, for kernels with all channels."""
        alpha = self.opacity.sigmoid().unsqueeze(1).expand(-1, -1, self.channels, *self.canvas.kernel_shape)
        return self.canvas.bank(alpha), self.canvas.bank(self._values())

    def _layers(self, banks: tuple[Tensor, Tensor], state: State) -> Iterator[tuple[Tensor, Tensor]]:
        """Value and opacity of each part as images ``[B, C, N]``, the lowest first."""
        kind, place = state.kind.clamp_min(0), state.place
        value = self._mixed(self.canvas.pick(banks[1], kind, place), state.b)
        alpha = self.canvas.pick(banks[0], kind, place) * (state.kind >= 0)[:, :, None, None, None]
        values, alphas = self.canvas.paint(value, place).squeeze(2), self.canvas.paint(alpha, place).squeeze(2)
        return zip(values.unbind(1), alphas.unbind(1), strict=True)


def _seen_through(alpha: Tensor) -> Tensor:
    """How much of each part, ``[B, H, C, N]``, is seen through those above it."""
    clear = (1 - alpha).flip(1).cumprod(1).flip(1)
    return torch.cat([clear[:, 1:], torch.ones_like(clear[:, :1])], 1)
