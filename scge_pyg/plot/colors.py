"""Colours that tell where a node truly is, so that a right map shows as a smooth blend of colours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["true_position_colors"]

# brightness differs between the upper and the lower corners, so that the picture also reads in print
_CORNERS = np.array([[[0.25, 0.10, 0.65], [0.95, 0.15, 0.35]], [[0.00, 0.65, 0.75], [1.00, 0.85, 0.15]]])
_UNKNOWN = (0.75, 0.75, 0.75, 1.0)


def true_position_colors(cells: Tensor) -> NDArray[np.float64]:
    """One colour per node from its true place: neighbours look alike, far nodes don't.

    In one dimension the colours run along matplotlib's viridis, in two they blend four corner colours, in three
    the axes are red, green and blue.

    Args:
        cells: True places ``[N]`` or ``[N, d]``, integer or float; rows with NaN or integer -1 are drawn gray.

    Returns:
        RGBA values ``[N, 4]`` in [0, 1].

    Example:
        >>> import torch
        >>> true_position_colors(torch.tensor([[0, 0], [0, 1], [-1, -1]])).shape
        (3, 4)
    """
    places = cells.unsqueeze(1) if cells.dim() == 1 else cells
    if places.dim() != 2 or not 1 <= places.shape[1] <= 3:
        raise ValueError(
            f"true_position_colors: cells must be [N] or [N, d] with d from 1 to 3, got {list(cells.shape)}"
        )
    known = torch.isfinite(places).all(1) if places.is_floating_point() else (places != -1).any(1)
    colors = np.tile(np.array(_UNKNOWN), (places.shape[0], 1))
    if not bool(known.any()):
        return colors
    known_places = places[known].double().numpy(force=True)
    low, high = known_places.min(0), known_places.max(0)
    unit = (known_places - low) / np.where(high > low, high - low, 1.0)
    index = known.numpy(force=True)
    if unit.shape[1] == 1:
        from matplotlib import colormaps

        colors[index] = colormaps["viridis"](unit[:, 0])
    elif unit.shape[1] == 2:
        row, column = unit[:, :1], unit[:, 1:]
        top = (1 - column) * _CORNERS[0, 0] + column * _CORNERS[0, 1]
        bottom = (1 - column) * _CORNERS[1, 0] + column * _CORNERS[1, 1]
        colors[index, :3] = (1 - row) * top + row * bottom
    else:
        colors[index, :3] = 0.1 + 0.8 * unit
    return colors
