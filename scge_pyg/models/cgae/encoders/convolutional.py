"""All parts at once: the peaks of a map that a convolutional network makes of the image."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from scge_pyg.graph.checks import whole_number
from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.encoders.encoder import Encoder
from scge_pyg.models.cgae.encoders.trunk import Head, Trunk, grid_of
from scge_pyg.models.cgae.model import CGAE

__all__ = ["ConvEncoder"]


class Map(NamedTuple):
    """Features of cells, logits of prototypes at places, those of places and which of them are free."""

    features: Tensor
    logits: Tensor
    places: Tensor
    free: Tensor


class ConvEncoder(Encoder):
    r"""The H places of largest :math:`\log \sum_k e^{l_{kp}}` in a map of logits l ``[B, K, P]``, a place and those
    within ``radius`` pixels of it sharing one part (non-maximum suppression), each with its likeliest prototype.

    As a proposal, parts are drawn one after the other from the softmax of what has not been suppressed yet
    (Plackett-Luce: draws without replacement), beside a logit 0 of no part if the model has a price. An image is
    looked at once, :math:`O(F (F + K) P)` products for features of width F.

    Args:
        model: Its places must be a grid.
        width: F.
        radius: Of the suppression, in pixels along each axis; 0: only the place itself. Default: R // 3. The larger,
            the fewer parts are spent on one stroke, and the farther apart parts must be.

    Raises:
        ValueError: If the model's places are no grid, ``width`` is less than 1 or ``radius`` less than 0.

    Example:
        >>> model = CGAE((8, 8), num_prototypes=2, num_parts=3, prototype_size=3)
        >>> code = ConvEncoder(model)(torch.zeros(4, 8, 8))
        >>> code.k.shape
        torch.Size([4, 3])
    """

    def __init__(self, model: CGAE, width: int = 16, radius: int | None = None) -> None:
        super().__init__(model)
        canvas = grid_of("ConvEncoder", model.decoder.canvas)
        width = whole_number("ConvEncoder", "width", width, 1)
        self.radius = whole_number("ConvEncoder", "radius", canvas.size // 3 if radius is None else radius, 0)
        self.reach = self.radius * canvas.subpixel
        self.rows, self.columns = canvas.place_shape
        self.trunk = Trunk(canvas, model.channels or 1, width)
        self.head = Head(canvas, width, model.num_prototypes)
        self.linear = Head(canvas, width, model.num_prototypes * model.num_linear) if model.num_linear else None
        nn.init.constant_(self.head.linear.bias, -math.log(model.num_prototypes * model.num_places))  # type: ignore[arg-type]
        self.to(model.noise.device, model.noise.dtype)

    def begin(self, pixels: Tensor) -> Map:
        """The map."""
        features = self.trunk(pixels / self.scale)
        logits = self.head(features)
        places = logits.logsumexp(1)
        return Map(features, logits, places, torch.ones_like(places, dtype=torch.bool))

    def places(self, memory: Map) -> tuple[Tensor, Tensor | None, Tensor]:
        """Sums over prototypes, and which places are left."""
        none = None if self.model.price is None else torch.zeros_like(memory.places[:, :1])
        return memory.places, none, memory.free

    def kinds(self, memory: Map, place: Tensor) -> tuple[Tensor, Tensor]:
        """The map's column at a place."""
        logits = memory.logits[torch.arange(len(place), device=place.device), :, place]
        b = logits.new_zeros(len(place), 0) if self.linear is None else self.linear.at(memory.features, place)
        return logits, b.view(*logits.shape, self.model.num_linear)

    def after(self, memory: Map, parts: State) -> Map:
        """The neighbourhood of the last part is no longer free."""
        place, used = parts.place[:, -1:], parts.kind[:, -1:] >= 0
        row, column = place // self.columns, place % self.columns
        down = (torch.arange(self.rows, device=place.device) - row).abs() <= self.reach
        right = (torch.arange(self.columns, device=place.device) - column).abs() <= self.reach
        near = (down & used).unsqueeze(2) & right.unsqueeze(1)
        return memory._replace(free=memory.free & ~near.flatten(1))
