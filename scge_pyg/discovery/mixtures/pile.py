"""Reading a pile of samples of one or of several lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["by_length", "read_pile", "standardized"]

_FEWEST = 2  # samples, and nodes of a sample


def read_pile(x: Any, where: str) -> Tensor | list[Tensor]:
    """Samples ``[S, N]`` float32, or a list of samples ``[N_s]``.

    Raises:
        TypeError: If something holds no real numbers.
        ValueError: If a sample is no row of numbers, there are too few to fit, or a value is not finite.
    """
    if isinstance(x, (list, tuple)) and len({np.size(one) for one in x}) > 1:
        samples: Tensor | list[Tensor] = [_numbers(one, where) for one in x]
        for number, one in enumerate(samples):
            if one.dim() != 1:
                raise ValueError(f"ModalityMixture.{where}: sample {number} must be [N], got {list(one.shape)}")
    else:
        samples = _numbers(x, where)
        if samples.dim() != 2:
            hint = "; Reshape your data: one sample alone is x[None]" if samples.dim() < 2 else ""
            raise ValueError(
                f"ModalityMixture.{where}: x must be samples [S, N] or a list of samples [N], got "
                f"{list(samples.shape)}{hint}"
            )
    if where == "fit":
        _check_enough(samples)
    parts = [samples] if isinstance(samples, Tensor) else samples
    if not all(bool(one.isfinite().all()) for one in parts):
        raise ValueError(
            f"ModalityMixture.{where}: x holds NaN or infinity (inf); leave those samples out or fill the gaps"
        )
    return samples


def _check_enough(samples: Tensor | list[Tensor]) -> None:
    shape = tuple(samples.shape) if isinstance(samples, Tensor) else (len(samples), min(map(len, samples)))
    for count, what in zip(shape, ("sample(s)", "feature(s)"), strict=True):
        if count < _FEWEST:
            raise ValueError(
                f"ModalityMixture.fit: Found array with {count} {what} (shape={shape}) while a minimum of {_FEWEST} is "
                f"required."
            )


def _numbers(x: Any, where: str) -> Tensor:
    if hasattr(x, "toarray"):
        raise TypeError(
            f"ModalityMixture.{where}: x is a sparse {type(x).__name__}; Sparse input is not supported, use x.toarray()"
        )
    array = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
    if array.dtype == object:
        try:
            array = array.astype(float)
        except (TypeError, ValueError) as error:
            raise type(error)(f"ModalityMixture.{where}: x must hold real numbers ({error})") from error
    if array.dtype.kind == "c":
        raise ValueError(f"ModalityMixture.{where}: Complex data not supported, x is {array.dtype}; use its magnitude")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"ModalityMixture.{where}: x must hold real numbers, got {array.dtype}")
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def by_length(samples: Tensor | list[Tensor]) -> dict[int, np.ndarray[Any, Any]]:
    """Which samples have which number of nodes, by rising number."""
    lengths = np.array([one.shape[0] for one in samples]) if isinstance(samples, list) else None
    if lengths is None:
        return {int(samples.shape[1]): np.arange(len(samples))}  # type: ignore[union-attr]
    return {int(n): np.flatnonzero(lengths == n) for n in np.unique(lengths)}


def standardized(x: Tensor) -> Tensor:
    """Each sample less its mean and over its deviation, NaN where it is constant."""
    offset = x.double() - x.double().mean(1, keepdim=True)
    scale = offset.square().mean(1, keepdim=True).sqrt()
    least = 1e-6 * x.double().abs().amax(1, keepdim=True)
    return torch.where(scale > least, offset / scale.clamp_min(1e-300), torch.nan).float()
