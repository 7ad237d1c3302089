"""Numbers of any dtype as floating-point tensors, ``NaN`` where one is missing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["as_floating"]

_EXACT = 2**24  # integers up to here are exact in float32


def as_floating(values: Tensor | np.ndarray, missing_value: float | None = None) -> Tensor:
    """``values`` on the CPU: float64 stays, large integers become it, all else is float32.

    Args:
        values: Real numbers of any shape: a tensor on any device, or an array of any byte order, masked or not.
        missing_value: What marks a missing value, compared in the precision of ``values``.

    Raises:
        TypeError: If ``values`` are complex or no numbers.

    Example:
        >>> import numpy as np
        >>> as_floating(np.ma.masked_array([1, 2, 0], mask=[True, False, False]), missing_value=0)
        tensor([nan, 2., nan])
    """
    hidden = torch.from_numpy(np.ma.getmaskarray(values)) if isinstance(values, np.ma.MaskedArray) else None
    if values.dtype.is_complex if isinstance(values, Tensor) else values.dtype.kind == "c":
        raise TypeError("discover: x is complex; pass real and imaginary part as two channels")
    given = values.detach().to("cpu") if isinstance(values, Tensor) else _from_numpy(np.asarray(values))
    precision = given.dtype if given.is_floating_point() else torch.float64
    found = given.to(_target(given))
    if missing_value is not None:
        marker = torch.tensor(missing_value, dtype=torch.float64).to(precision).to(found.dtype)
        found = found.masked_fill(found == marker, torch.nan)
    return found if hidden is None else found.masked_fill(hidden, torch.nan)


def _target(given: Tensor) -> torch.dtype:
    if given.is_floating_point():
        return torch.float64 if given.dtype == torch.float64 else torch.float32
    wide = given.dtype.itemsize >= 4 and given.numel() > 0 and bool(given.double().abs().amax() > _EXACT)
    return torch.float64 if wide else torch.float32


def _from_numpy(values: np.ndarray) -> Tensor:
    if values.dtype.kind not in "fiub":
        raise TypeError(
            f"discover: x must be numeric, got dtype {values.dtype}; convert it first, for instance by x.astype(float)"
        )
    native = values.dtype.newbyteorder("=")
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        native = np.dtype(np.float64)
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.array(values, dtype=native))
