"""Reading a pile of samples of one or of several lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["by_length", "column_names", "read_pile", "standardized", "taken"]

_FEWEST = 2  # samples, and nodes of a sample


def read_pile(x: Any, where: str) -> Tensor | list[Tensor]:
    """Samples ``[S, N]``, float32 or float64, or a list of samples ``[N_s]``.

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


def column_names(x: Any) -> list[str] | None:
    """Names of the columns of a frame of samples; None where there are none, or they are no texts."""
    names = list(getattr(x, "columns", ()))
    return names if names and all(isinstance(name, str) for name in names) else None


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
    if isinstance(x, Tensor):
        if x.layout != torch.strided or x.is_meta:
            raise TypeError(
                f"ModalityMixture.{where}: x must be a dense tensor with values, got {x.layout} on {x.device}"
            )
        x = x.detach().cpu().float() if x.dtype == torch.bfloat16 else x.detach().cpu()
    array = np.asarray(x)
    if array.dtype == object:
        try:
            array = array.astype(float)
        except (TypeError, ValueError) as error:
            raise type(error)(f"ModalityMixture.{where}: x must hold real numbers ({error})") from error
    if array.dtype.kind == "c":
        raise ValueError(f"ModalityMixture.{where}: Complex data not supported, x is {array.dtype}; use its magnitude")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"ModalityMixture.{where}: x must hold real numbers, got {array.dtype}")
    wide = array.dtype.kind in "iu" or array.dtype.itemsize >= 8  # an offset would take the digits of the rest
    array = np.ascontiguousarray(array, dtype=np.float64 if wide else np.float32)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def by_length(samples: Tensor | list[Tensor]) -> dict[int, np.ndarray[Any, Any]]:
    """Which samples have which number of nodes, by rising number."""
    if isinstance(samples, Tensor):
        return {int(samples.shape[1]): np.arange(len(samples))}
    lengths = np.array([one.shape[0] for one in samples])
    return {int(n): np.flatnonzero(lengths == n) for n in np.unique(lengths)}


def taken(samples: Tensor | list[Tensor], where: np.ndarray[Any, Any]) -> Tensor:
    """Some samples of one length ``[s, N]``."""
    if isinstance(samples, Tensor):
        return samples[torch.from_numpy(where)]
    return torch.stack([samples[i] for i in where])


def standardized(x: Tensor) -> Tensor:
    """Each sample less its mean and over its deviation, NaN where it is constant."""
    offset = x.double() - x.double().mean(1, keepdim=True)
    scale = offset.square().mean(1, keepdim=True).sqrt()
    least = 16 * torch.finfo(x.dtype).eps * x.double().abs().amax(1, keepdim=True)
    return torch.where(scale > least, offset / scale.clamp_min(1e-300), torch.nan).float()
