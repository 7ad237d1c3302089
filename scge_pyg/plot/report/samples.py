"""A few samples for the page, one byte a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from scge_pyg.plot.report.arrays import packed

__all__ = ["sample_content"]

_MOST = 12
_STEPS = 254


def sample_content(samples: Tensor | ArrayLike, num_nodes: int) -> dict[str, Any]:
    """The first twelve samples ``[S, N]`` or ``[S, N, C]`` in steps of 1/254 of their range, 0 where one is missing.

    Three channels are kept as red, green and blue, of any other number the mean.

    Raises:
        TypeError: If they are no numbers.
        ValueError: If they are not over the nodes of the graph.

    Example:
        >>> content = sample_content([[0.0, 1.0, float("nan")]], 3)
        >>> content["values"]["data"], content["low"], content["high"]  # the bytes 1, 255 and 0
        ('Af8A', 0.0, 1.0)
    """
    try:
        values = samples.numpy(force=True) if isinstance(samples, Tensor) else np.asarray(samples)
        values = values.astype(float)
    except (TypeError, ValueError) as error:
        raise TypeError(f"write_report: samples must be numbers [S, N] or [S, N, C] ({error})") from error
    if values.ndim not in (2, 3) or values.shape[1] != num_nodes or not values.size:
        raise ValueError(
            f"write_report: samples must be [S, {num_nodes}] or [S, {num_nodes}, C] with at least one sample, "
            f"got {list(values.shape)}"
        )
    count = len(values)
    values = values[:_MOST].reshape(min(count, _MOST), num_nodes, -1)
    if values.shape[2] != 3:
        values = values.mean(2, keepdims=True)
    values = torch.from_numpy(values).masked_fill(~torch.from_numpy(np.isfinite(values)), torch.nan).numpy()
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 1.0)
    span = high - low if high > low else 1.0
    steps = np.where(known, 1 + np.round(_STEPS * (np.nan_to_num(values, nan=low) - low) / span), 0)
    return {
        "given": count,
        "count": len(values),
        "channels": values.shape[2],
        "low": low,
        "high": low + span,
        "values": packed(steps.astype(np.uint8)),
    }
