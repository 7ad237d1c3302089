"""What a data module says where samples can be trained on, but hardly to any use."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["hint_of_scale", "warn_of_one_class"]

_FAR = 3.0  # deviations that a mean may lie off 0 before a network wastes its first epochs on it


def hint_of_scale(x: Tensor, asked: bool) -> None:
    """Warn if samples ``[S, N, C]`` lie far from 0 and are taken as they are."""
    if not asked or x.numel() < 2:
        return
    deviation, mean = torch.std_mean(x)
    if bool(mean.abs() > _FAR * deviation) and bool(deviation > 0):
        warnings.warn(
            f"NodesDataModule: the samples have mean {float(mean):.3g} and deviation {float(deviation):.2g} and are "
            f"not scaled for task='autoencoding'; standardize=True scales, standardize=False says that this is meant",
            UserWarning,
            stacklevel=2,
        )


def warn_of_one_class(y: Tensor, classes: Sequence[str]) -> None:
    """Warn if all samples to train on are of one class."""
    found = y.unique().tolist()
    if len(found) == 1:
        warnings.warn(
            f"NodesDataModule: all {len(y)} samples to train on are of the class {classes[found[0]]!r}; there is "
            f"nothing to tell apart",
            UserWarning,
            stacklevel=2,
        )
