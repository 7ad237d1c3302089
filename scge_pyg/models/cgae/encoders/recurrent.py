"""One part after the other: a recurrent network jumps over the residual."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scge_pyg.graph.checks import whole_number
from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.encoders.encoder import Encoder
from scge_pyg.models.cgae.encoders.trunk import Head, Trunk, grid_of
from scge_pyg.models.cgae.model import CGAE

__all__ = ["RecurrentEncoder"]


class Look(NamedTuple):
    """The image, what the parts so far leave of it and its features, the network's state, the last place, if any."""

    pixels: Tensor
    residual: Tensor
    features: Tensor
    hidden: Tensor
    last: Tensor | None


class RecurrentEncoder(Encoder):
    r"""Sees the residual :math:`r_t = o - \hat o(z_1, \dots, z_t)`, jumps by :math:`(d_i, d_j)` and names a prototype.

    .. math::
        s_t &= \operatorname{GRU}(s_{t-1}, [\text{mean of } f(r_t), f(r_t) \text{ at } p_t]), \\
        q(p_{t+1}) &\propto \exp\bigl(c(f(r_t), s_t)_{p_{t+1}} + J_{p_{t+1} - p_t}\bigr), \qquad
        q(k_{t+1}) \propto \exp c'\bigl(f(r_t), s_t\bigr)_{p_{t+1}, k_{t+1}}

    f are convolutional features, J a table with one number for each jump: a jump is scored for the whole map, because
    what is left of an image is seldom beside the last part, and J learns how local jumps are. The image is looked at
    H times, :math:`O(H F^2 P)` products for features of width F.

    Args:
        model: Its places must be a grid.
        width: F.
        hidden: Numbers of the network's state.

    Raises:
        ValueError: If the model's places are no grid, or ``width`` or ``hidden`` is less than 1.

    Example:
        >>> model = CGAE((8, 8), num_prototypes=2, num_parts=3, prototype_size=3)
        >>> code = RecurrentEncoder(model)(torch.zeros(4, 8, 8))
        >>> code.k.shape
        torch.Size([4, 3])
    """

    steps: Tensor

    def __init__(self, model: CGAE, width: int = 16, hidden: int = 64) -> None:
        super().__init__(model)
        canvas = grid_of("RecurrentEncoder", model.decoder.canvas)
        width = whole_number("RecurrentEncoder", "width", width, 1)
        hidden = whole_number("RecurrentEncoder", "hidden", hidden, 1)
        rows, self.columns = canvas.place_shape
        self.wide = 2 * self.columns - 1
        self.trunk = Trunk(canvas, model.channels or 1, width)
        self.cell = nn.GRUCell(2 * width, hidden)
        self.context = nn.Linear(hidden, width)
        self.where = Head(canvas, width, 1)
        self.what = Head(canvas, width, model.num_prototypes * (1 + model.num_linear))
        self.jumps = nn.Parameter(torch.zeros((2 * rows - 1) * self.wide))
        self.none = None if model.price is None else nn.Linear(hidden + width, 1)
        place = torch.arange(canvas.num_places)
        steps = (place // self.columns + rows - 1) * self.wide + place % self.columns + self.columns - 1
        self.register_buffer("steps", steps, persistent=False)
        self.to(model.noise.device, model.noise.dtype)

    def begin(self, pixels: Tensor) -> Look:
        """A look at the image."""
        return self._look(pixels, pixels, pixels.new_zeros(len(pixels), self.cell.hidden_size), None)

    def places(self, memory: Look) -> tuple[Tensor, Tensor | None, None]:
        """Content and jump."""
        logits = self.where(self._seen(memory)).squeeze(1)
        if memory.last is not None:
            jump = memory.last // self.columns * self.wide + memory.last % self.columns
            logits = logits + self.jumps[self.steps - jump[:, None]]
        if self.none is None:
            return logits, None, None
        return logits, self.none(torch.cat([memory.hidden, memory.features.mean((2, 3))], 1)), None

    def kinds(self, memory: Look, place: Tensor) -> tuple[Tensor, Tensor]:
        """A glimpse."""
        y = self.what.at(self._seen(memory), place)
        logits, b = y.tensor_split([self.model.num_prototypes], 1)
        return logits, b.unflatten(1, (self.model.num_prototypes, self.model.num_linear))

    def after(self, memory: Look, parts: State) -> Look:
        """A look at what is left."""
        with torch.no_grad():
            residual = self.model.posterior(memory.pixels).residual(parts)
        return self._look(memory.pixels, residual, memory.hidden, parts.place[:, -1])

    def _look(self, pixels: Tensor, residual: Tensor, hidden: Tensor, last: Tensor | None) -> Look:
        features = self.trunk(residual / self.scale)
        mean = features.mean((2, 3))
        glimpse = torch.zeros_like(mean) if last is None else self.where.glimpse(features, last)
        return Look(pixels, residual, features, self.cell(torch.cat([mean, glimpse], 1), hidden), last)

    def _seen(self, memory: Look) -> Tensor:
        return F.relu(memory.features + self.context(memory.hidden)[:, :, None, None])
