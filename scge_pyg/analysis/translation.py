r"""The translation test: does a sample that moves evenly have a code that moves straight and evenly?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.analysis.derivatives import Function, check_finite, evaluate

__all__ = ["PathShape", "TranslationPath", "path_shape", "shift_images", "translation_path"]


class PathShape(NamedTuple):
    """How a sequence of points runs.

    Args:
        straightness: Distance of the ends over the length, from 0 (closed) to 1 (straight); NaN if nothing moves.
        evenness: Coefficient of variation of the step lengths, 0 where all are equal; NaN if nothing moves.
        length: Sum of the step lengths.
        steps: Step lengths ``[T - 1]``.
    """

    straightness: Tensor
    evenness: Tensor
    length: Tensor
    steps: Tensor


class TranslationPath(NamedTuple):
    """Shapes of the paths that codes, reconstructions and the shifted samples themselves take."""

    latent: PathShape
    reconstruction: PathShape
    data: PathShape


def path_shape(points: Tensor) -> PathShape:
    r"""Straightness and evenness of a sequence of points.

    .. math::
        \frac{\|p_T - p_1\|}{\sum_i \|p_{i+1} - p_i\|}, \qquad
        \frac{\operatorname{std}_i \|p_{i+1} - p_i\|}{\operatorname{mean}_i \|p_{i+1} - p_i\|}

    with the standard deviation over all T - 1 steps.

    Args:
        points: ``[T, ...]`` with at least three points; two always lie straight and even.

    Raises:
        ValueError: If points aren't finite, or fewer than three.

    Example:
        >>> import torch
        >>> shape = path_shape(torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]]))
        >>> round(shape.straightness.item(), 4), round(shape.evenness.item(), 4)
        (0.7143, 0.1429)
    """
    check_finite("path_shape", "points", points)
    if points.dim() < 1 or points.shape[0] < 3:
        raise ValueError(f"path_shape: points must be [T, ...] with at least 3 points, got {list(points.shape)}")
    flat = points.detach().reshape(len(points), -1)
    steps = flat.diff(dim=0).norm(dim=1)
    length = steps.sum()
    return PathShape((flat[-1] - flat[0]).norm() / length, steps.std(correction=0) / steps.mean(), length, steps)


def translation_path(encode: Function, decode: Function, shifted: Tensor, chunk_size: int = 1024) -> TranslationPath:
    r"""Straightness and evenness of a moving sample's path in code space and, decoded, in data space.

    .. math::
        x_t \mapsto z(x_t) \mapsto r(z(x_t)), \qquad t = 1, \dots, T

    A moving sample itself takes even steps, along a path that is anything but straight: the third shape returned is
    what the second should be compared with.

    Cost: T calls of encoder and decoder; memory for all codes and reconstructions.

    Args:
        encode: Maps samples ``[B, ...]`` to codes ``[B, E]``; a module must be in eval mode.
        decode: Maps codes to samples.
        shifted: The sample at each shift in order, ``[T, ...]`` with at least three: from :func:`shift_images`, or
            ``[T, N, C]`` of a node set.
        chunk_size: Samples at once. Default: 1024.

    Raises:
        ValueError: If there are fewer than three samples, or samples, codes or reconstructions aren't finite.

    Example:
        >>> import torch
        >>> shifted = shift_images(torch.eye(6)[None, :, :2], [(0, i) for i in range(3)])
        >>> found = translation_path(lambda x: x.flatten(1), lambda z: z, shifted)
        >>> bool(found.latent.length == found.data.length)
        True
    """
    data = path_shape(shifted)
    z = evaluate("translation_path", encode, shifted.detach(), chunk_size)
    x = evaluate("translation_path", decode, z, chunk_size)
    return TranslationPath(path_shape(z), path_shape(x), data)


def shift_images(image: Tensor, shifts: Sequence[tuple[int, int]] | Tensor) -> Tensor:
    r"""An image moved by whole pixels, with zeros where it came from.

    .. math::
        y_{t c i j} = x_{c,\, i - a_t,\, j - b_t}

    Args:
        image: ``[C, H, W]``.
        shifts: Pairs :math:`(a_t, b_t)` of rows down and columns to the right, or an integer tensor ``[T, 2]``.

    Returns:
        ``[T, C, H, W]``.

    Raises:
        ValueError: If shapes don't fit, or shifts aren't integers.

    Example:
        >>> import torch
        >>> shift_images(torch.tensor([[[1.0, 2.0, 3.0]]]), [(0, 0), (0, 1), (0, -2)]).squeeze().tolist()
        [[1.0, 2.0, 3.0], [0.0, 1.0, 2.0], [3.0, 0.0, 0.0]]
    """
    if image.dim() != 3:
        raise ValueError(f"shift_images: image must be [C, H, W], got {list(image.shape)}")
    pairs = torch.as_tensor(shifts)
    if pairs.dim() != 2 or pairs.shape[1] != 2 or pairs.is_floating_point():
        raise ValueError(f"shift_images: shifts must be integer pairs [T, 2], got {pairs.dtype} {list(pairs.shape)}")
    height, width = image.shape[1:]
    result = image.new_zeros(len(pairs), *image.shape)
    for moved, (down, right) in zip(result, pairs.tolist(), strict=True):
        rows, columns = slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right))
        if abs(down) < height and abs(right) < width:
            source = image[:, max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
            moved[:, rows, columns] = source
    return result
