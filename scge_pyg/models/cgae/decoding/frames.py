"""Between the images of a user and the pixels and places of a canvas."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import whole_number
from scge_pyg.models.cgae.decoding.canvas import Canvas, GridCanvas
from scge_pyg.models.cgae.decoding.graph_canvas import GraphCanvas

__all__ = ["Frame", "frame_of"]


class Frame(nn.Module):
    """Images as users have them, ``[B, *shape]`` with a channel axis or without, to ``[B, C, N]`` and back.

    Args:
        canvas: The pixels and places.
        shape: Rows and columns, or (number of nodes,).
        channels: C, or None for images without that axis.
        nodes: Node of each pixel of the canvas on a graph, ``[N]``, -1 where there is none. Default: images.
    """

    nodes: Tensor | None

    def __init__(
        self, canvas: Canvas, shape: tuple[int, ...], channels: int | None, nodes: Tensor | None = None
    ) -> None:
        super().__init__()
        self.canvas, self.shape, self.channels = canvas, shape, channels
        self.register_buffer("nodes", nodes, persistent=False)

    @property
    def layout(self) -> str:
        """What a batch must look like, for errors."""
        if self.nodes is None:
            return f"[B, {'' if self.channels is None else f'{self.channels}, '}{self.shape[0]}, {self.shape[1]}]"
        return f"[B, {self.shape[0]}{'' if self.channels is None else f', {self.channels}'}]"

    def read(self, x: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Pixels ``[B, C, N]`` of a batch, which is checked; pixels that don't count are 0."""
        if not isinstance(x, Tensor | np.ndarray):
            raise TypeError(f"CGAE: x must be a tensor or array {self.layout}, got {type(x).__name__}")
        x = torch.as_tensor(x)
        channels = () if self.channels is None else (self.channels,)
        wanted = (*channels, *self.shape) if self.nodes is None else (*self.shape, *channels)
        if x.dim() != len(wanted) + 1 or tuple(x.shape[1:]) != wanted:
            raise ValueError(f"CGAE: x must be {self.layout}, got {list(x.shape)}{self._hint(x)}")
        if x.is_complex():
            raise TypeError(f"CGAE: x must be real, got {x.dtype}")
        x = x.to(device, dtype)
        if self.nodes is None:
            x = x.reshape(len(x), self.channels or 1, self.canvas.num_pixels)
        else:
            x = x.reshape(len(x), self.shape[0], self.channels or 1)[:, self.nodes.clamp_min(0)].transpose(1, 2)
            x = torch.where(self.canvas.observed, x, 0.0)
        bad = ~torch.isfinite(x)
        if bool(bad.any()):
            raise ValueError(
                f"CGAE: x must be finite, got {int(bad.sum())} NaN or infinite values in "
                f"{int(bad.any(2).any(1).sum())} of {len(x)} images; remove those images or fill the gaps first"
            )
        return x

    def write(self, images: Tensor) -> Tensor:
        """The user's layout of images ``[B, C, N]``; nodes without a place are 0."""
        if self.nodes is None:
            x = images.unflatten(2, self.shape)
            return x.squeeze(1) if self.channels is None else x
        observed = self.canvas.observed
        x = images.new_zeros(len(images), self.shape[0], images.shape[1])
        x[:, self.nodes[observed]] = images.transpose(1, 2)[:, observed]
        return x.squeeze(2) if self.channels is None else x

    def split(self, place: Tensor) -> tuple[Tensor, Tensor]:
        """Row and column of places; on a map, the node and 0."""
        if isinstance(self.canvas, GraphCanvas):
            assert self.nodes is not None
            return self.nodes[place], torch.zeros_like(place)
        columns = self.canvas.place_shape[1]
        return place // columns, place % columns

    def merge(self, i: Tensor, j: Tensor, used: Tensor) -> Tensor:
        """The inverse; places of parts in use are checked."""
        if isinstance(self.canvas, GraphCanvas):
            assert self.nodes is not None
            of_node = torch.full((self.shape[0],), -1, device=i.device)
            of_node[self.nodes] = torch.arange(len(self.nodes), device=i.device)
            inside = (i >= 0) & (i < self.shape[0]) & (j == 0)
            place = of_node[torch.where(inside, i, 0)]
            inside &= place >= 0
        else:
            rows, columns = self.canvas.place_shape
            inside, place = (i >= 0) & (i < rows) & (j >= 0) & (j < columns), i * columns + j
        wrong = used & ~inside
        if bool(wrong.any()):
            image, part = wrong.nonzero()[0].tolist()
            raise ValueError(
                f"CGAE: code.i and code.j must name one of {self.canvas.place_shape[0]} x {self.canvas.place_shape[1]} "
                f"places, got ({int(i[image, part])}, {int(j[image, part])}) for part {part} of image {image} "
                f"({int(wrong.sum())} such parts); set its k to -1 to leave it out"
            )
        return torch.where(used, place, 0)

    def _hint(self, x: Tensor) -> str:
        if self.channels is None and self.nodes is None and x.dim() == 4 and x.shape[1] == 1:
            return "; pass x.squeeze(1), or give the model channels=1"
        if self.channels is None and self.nodes is not None and x.dim() == 3 and x.shape[2] == 1:
            return "; pass x.squeeze(2), or give the model channels=1"
        return ""


def frame_of(nodes: Any, size: int, *, channels: int | None, padding: str = "same", subpixel: int = 1) -> Frame:
    """The canvas and layout of images ``(rows, columns)`` or of the samples on a SharedGraph."""
    if not isinstance(nodes, SharedGraph):
        try:
            rows, columns = nodes
        except (TypeError, ValueError) as error:
            raise TypeError(f"CGAE: nodes must be (rows, columns) or a SharedGraph, got {nodes!r}") from error
        shape = (whole_number("CGAE", "rows", rows, 1), whole_number("CGAE", "columns", columns, 1))
        return Frame(GridCanvas(shape, size, padding=padding, subpixel=subpixel), shape, channels)
    if nodes.lattice is not None and nodes.lattice.dim == 2:
        lattice = nodes.lattice
        node = torch.full((lattice.shape[0] * lattice.shape[1],), -1, dtype=torch.long)
        node[lattice.flat_index.cpu()] = lattice.placed.cpu().nonzero().squeeze(1)
        shape = (lattice.shape[0], lattice.shape[1])
        canvas = GridCanvas(shape, size, padding=padding, subpixel=subpixel, observed=node >= 0)
        return Frame(canvas, (nodes.num_nodes,), channels, node)
    if nodes.dim == 0:
        raise ValueError(
            f"CGAE: the graph must have a map on which parts can be moved, got one without a geometry (dim 0); "
            f"{nodes.fit if nodes.fit is not None else 'give one with coordinates'}"
        )
    if nodes.dim > 3:
        raise ValueError(
            f"CGAE: the graph's map must have at most 3 dimensions, got {nodes.dim}; a map in more is no place to move "
            f"parts in, discover(x, dim=2) draws one"
        )
    if padding != "same" or subpixel != 1:
        raise ValueError(
            f"CGAE: padding and subpixel need a lattice in 2 dimensions, got padding={padding!r} and "
            f"subpixel={subpixel} for {nodes}; leave both at their defaults"
        )
    live = nodes.live.cpu().nonzero().squeeze(1)
    size = whole_number("CGAE", "prototype_size", size, 1)
    return Frame(GraphCanvas(nodes.pos.cpu()[live, : nodes.dim], size), (nodes.num_nodes,), channels, live)
