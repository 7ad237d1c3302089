"""Samples drawn as images: as they came, and put back by the geometry that was found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import permutations, product

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from scge_pyg.graph import SharedGraph, knn

__all__ = ["plot_samples", "put_back"]

_EMPTY = (0.82, 0.89, 0.97)


def put_back(graph: SharedGraph, x: Tensor, true_cells: Tensor | None = None) -> Tensor:
    """Images ``[S, C, H, W]`` of samples ``[S, N, C]``, drawn with the learned geometry alone.

    With a lattice every node fills its own cell. Without one, every pixel takes the value of the nearest node, if one
    lies within 1.5 node spacings. Pixels that belong to no node are NaN.

    Args:
        graph: A graph whose coordinates have two dimensions.
        x: Samples over its nodes.
        true_cells: Known places ``[N, 2]``. A discovered geometry is right up to mirrors and quarter turns; with the
            truth at hand the images are turned to agree with it, for the eye's sake.

    Example:
        >>> import torch
        >>> put_back(SharedGraph.from_grid((2, 3)), torch.rand(5, 6, 1)).shape
        torch.Size([5, 1, 2, 3])
    """
    if x.dim() != 3 or x.shape[1] != graph.num_nodes:
        raise ValueError(f"put_back: x must be [S, {graph.num_nodes}, C], got {list(x.shape)}")
    if graph.pos.shape[1] != 2:
        raise ValueError(f"put_back: images need two coordinates per node, this graph has {graph.pos.shape[1]}")
    values = x.to(torch.get_default_dtype())
    if graph.lattice is not None and graph.lattice.dim == 2:
        images, places = graph.lattice.to_grid(values, fill=math.nan), graph.lattice.pos
    else:
        images, places = _nearest_node(graph, values), graph.pos
    return images if true_cells is None else _turn(images, places, true_cells)


def _nearest_node(graph: SharedGraph, x: Tensor) -> Tensor:
    pos, spacing = graph.pos[graph.live], graph.spacing
    low = pos.amin(0)
    height, width = (((pos.amax(0) - low) / spacing).round().long() + 1).tolist()
    axes = torch.arange(height, device=pos.device), torch.arange(width, device=pos.device)
    pixel = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, 1)
    distance, nearest = knn(low + spacing * pixel, pos, 1)
    images = x[:, graph.live][:, nearest.squeeze(1)]
    images = images.masked_fill((distance > 1.5 * spacing).unsqueeze(0), torch.nan)
    return images.transpose(1, 2).unflatten(2, (height, width))


def _turn(images: Tensor, places: Tensor, true_cells: Tensor) -> Tensor:
    """Of the eight mirrors and quarter turns, the one in which ``places`` correlate best with the truth."""
    known = torch.isfinite(places).all(1)
    learned = places[known] - places[known].mean(0)
    true = true_cells[known].to(learned) - true_cells[known].to(learned).mean(0)
    agreement = true.T @ learned
    choices = product(permutations((0, 1)), product((1, -1), repeat=2))
    order, signs = max(
        choices, key=lambda c: sum(s * float(agreement[axis, a]) for axis, (a, s) in enumerate(zip(*c, strict=True)))
    )
    turned = images.permute(0, 1, 2 + order[0], 2 + order[1])
    return turned.flip([2 + axis for axis, sign in enumerate(signs) if sign < 0])


def plot_samples(rows: Mapping[str, Tensor], *, count: int = 8, title: str | None = None) -> Figure:
    """Rows of images, one row per entry: ``{"shuffled": images, "put back": images}``.

    Args:
        rows: Label of each row and its images ``[S, C, H, W]`` or ``[S, H, W]``; one or three channels are drawn, of
            any other number the mean. Values of a row are stretched to the range of that row; NaN is pale blue.
        count: Images per row, at most.
        title: Title of the figure.

    Returns:
        The figure.

    Example:
        >>> import torch
        >>> figure = plot_samples({"shuffled": torch.rand(3, 8, 8), "put back": torch.rand(3, 1, 8, 8)})
        >>> len(figure.axes)
        6
    """
    if not rows or count < 1:
        raise ValueError("plot_samples: at least one row of images and count >= 1 are needed")
    columns = min(count, max(images.shape[0] for images in rows.values()))
    ratios = [images.shape[-2] / images.shape[-1] for images in rows.values()]
    height = 1.3 * sum(ratios) + (0.5 if title else 0.1)
    figure = Figure(figsize=(1.3 * columns + 1.1, height), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False, height_ratios=ratios)
    for line, (label, images) in zip(axes, rows.items(), strict=True):
        pictures = to_pictures(images[:columns])
        for ax, picture in zip(line, pictures, strict=False):
            ax.imshow(picture, interpolation="nearest")
        for ax in line:
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_frame_on(False)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=8)
    if title:
        figure.suptitle(title)
    return figure


def to_pictures(images: Tensor) -> NDArray[np.float64]:
    """RGB pictures ``[S, H, W, 3]`` of images ``[S, C, H, W]`` or ``[S, H, W]``; NaN becomes pale blue."""
    if images.dim() not in (3, 4):
        raise ValueError(f"plot_samples: images must be [S, C, H, W] or [S, H, W], got {list(images.shape)}")
    values = (images.unsqueeze(1) if images.dim() == 3 else images).double().numpy(force=True)
    if values.shape[1] != 3:
        values = values.mean(1, keepdims=True).repeat(3, axis=1)
    empty = np.isnan(values).any(1)
    low, high = (0.0, 1.0) if empty.all() else (np.nanmin(values), np.nanmax(values))
    pictures = ((values - low) / (high - low if high > low else 1.0)).transpose(0, 2, 3, 1)
    pictures[empty] = _EMPTY
    return pictures
