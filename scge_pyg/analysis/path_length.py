r"""How far a path leads in data space: discrete length, perceptual length, and the Jacobian's norm along it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.analysis.derivatives import Function, check_chunk_size, evaluate, refuse_training
from scge_pyg.analysis.jacobian import frobenius_norm
from scge_pyg.analysis.paths import as_paths, check_ends, interpolate_spherical

__all__ = ["PerceptualPathLength", "jacobian_along", "l2_path_length", "perceptual_path_length"]

_INTERPOLATIONS = ("straight", "spherical")


def l2_path_length(decoder: Function, path: Tensor, chunk_size: int = 1024) -> Tensor:
    r"""Discrete length of a path in data space.

    .. math::
        \sum_{i=1}^{T-1} \|r(z_{i+1}) - r(z_i)\|

    It grows towards the length of the curve :math:`r(z(t))` as points are added.

    Cost: T calls of the decoder for each path; memory for ``chunk_size`` samples and all outputs.

    Args:
        decoder: Maps codes ``[B, E]`` to ``[B, ...]``; a module must be in eval mode.
        path: Points ``[T, E]`` or ``[B, T, E]``.
        chunk_size: Codes decoded at once. Default: 1024.

    Returns:
        A scalar or ``[B]``.

    Raises:
        ValueError: If the path isn't finite, or has fewer than two points.

    Example:
        >>> import torch
        >>> l2_path_length(lambda z: 2 * z, torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])).item()
        20.0
    """
    check_chunk_size("l2_path_length", chunk_size)
    points = as_paths("l2_path_length", path)
    step = max(1, chunk_size // points.shape[1])
    found = []
    for part in points.split(step):
        values = evaluate("l2_path_length", decoder, part.flatten(0, 1), chunk_size).unflatten(0, part.shape[:2])
        found.append(values.diff(dim=1).norm(dim=2).sum(1))
    return torch.cat(found).view(path.shape[:-2])


def jacobian_along(decoder: Function, path: Tensor, chunk_size: int = 1024, progress: bool = False) -> Tensor:
    r"""Frobenius norm of the decoder's Jacobian at each point of a path, :math:`\|J(z_i)\|_F`.

    Cost: that of :func:`~scge_pyg.analysis.jacobian.frobenius_norm` at T points for each path.

    Args:
        decoder: Maps codes ``[B, E]`` to ``[B, ...]``, each by itself; a module must be in eval mode.
        path: Points ``[T, E]`` or ``[B, T, E]``.
        chunk_size: Products with Jacobians at once. Default: 1024.
        progress: Show a bar.

    Returns:
        ``[T]`` or ``[B, T]``.

    Raises:
        ValueError: If the path isn't finite, has fewer than two points, or the decoder is refused by
            :func:`~scge_pyg.analysis.jacobian.jacobian`.

    Example:
        >>> import torch
        >>> jacobian_along(lambda z: z.square(), torch.tensor([[0.0], [1.0], [2.0]])).tolist()
        [0.0, 2.0, 4.0]
    """
    points = as_paths("jacobian_along", path)
    norms = frobenius_norm(decoder, points.flatten(0, 1), chunk_size=chunk_size, progress=progress)
    return norms.view(path.shape[:-1])


class PerceptualPathLength(NamedTuple):
    """Mean over pairs and draws, its standard error (NaN for a single pair), and the mean of each pair ``[B]``."""

    mean: Tensor
    standard_error: Tensor
    per_pair: Tensor


@torch.no_grad()
def perceptual_path_length(
    decoder: Function,
    z1: Tensor,
    z2: Tensor,
    feature_fn: Function | None = None,
    epsilon: float = 1e-4,
    draws: int = 1,
    generator: torch.Generator | None = None,
    interpolation: str = "straight",
    chunk_size: int = 1024,
) -> PerceptualPathLength:
    r"""Perceptual path length of StyleGAN: how much the picture changes for a small step along a path.

    .. math::
        \mathbb{E}_{z_1, z_2,\, t \sim U(0, 1)} \left[
        \frac{1}{\epsilon^2} \big\| \varphi(r(z(t))) - \varphi(r(z(t + \epsilon))) \big\|^2 \right]

    with :math:`\varphi` the identity (pixel L2) or the user's features. As :math:`\epsilon \to 0` it is the mean of
    :math:`\|J_{\varphi \circ r}\, \dot z\|^2`, which Lemma 1 bounds by the Frobenius norm. Small steps cancel digits:
    with :math:`\epsilon = 10^{-4}` in float32 expect errors of a percent; use float64 or a larger step there.

    Source: Karras, Laine and Aila 2019, "A style-based generator architecture for GANs", section 4.1.

    Cost: ``2 * draws`` calls of the decoder and of ``feature_fn`` for each pair.

    Args:
        decoder: Maps codes ``[B, E]`` to ``[B, ...]``; a module must be in eval mode.
        z1: First codes ``[B, E]`` (or one code ``[E]``).
        z2: Last codes, of the same shape.
        feature_fn: Maps the decoder's outputs to features ``[B, ...]``. Default: None, the outputs themselves.
        epsilon: Step in t. Default: 1e-4.
        draws: Times t drawn for each pair. Default: 1.
        generator: Source of the times. Default: torch's global one.
        interpolation: ``"straight"`` or ``"spherical"``. Default: ``"straight"``.
        chunk_size: Codes decoded at once. Default: 1024.

    Raises:
        ValueError: If codes aren't finite and alike, or an argument is out of its range.

    Example:
        >>> import torch
        >>> z1, z2 = torch.zeros(5, 2, dtype=torch.float64), torch.ones(5, 2, dtype=torch.float64)
        >>> found = perceptual_path_length(lambda z: 3 * z, z1, z2, generator=torch.Generator().manual_seed(0))
        >>> round(found.mean.item(), 6)
        18.0
    """
    where = "perceptual_path_length"
    check_ends(where, z1, z2)
    if not 0 < epsilon < 1:
        raise ValueError(f"{where}: epsilon must lie between 0 and 1, got {epsilon!r}")
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise ValueError(f"{where}: draws must be a positive integer, got {draws!r}")
    if interpolation not in _INTERPOLATIONS:
        raise ValueError(f"{where}: interpolation must be one of {_INTERPOLATIONS}, got {interpolation!r}")
    check_chunk_size(where, chunk_size)
    refuse_training(where, decoder)
    if feature_fn is not None:
        refuse_training(where, feature_fn)
    first, last = (z.detach().reshape(-1, z.shape[-1]) for z in (z1, z2))
    device = first.device if generator is None else generator.device
    t = torch.rand(len(first), draws, generator=generator, dtype=first.dtype, device=device).to(first.device)
    t = torch.cat([t, t + epsilon], 1)
    if interpolation == "spherical":
        points = interpolate_spherical(where, first, last, t)
    else:
        points = torch.lerp(first.unsqueeze(1), last.unsqueeze(1), t.unsqueeze(2))

    def features(z: Tensor) -> Tensor:
        return decoder(z) if feature_fn is None else feature_fn(decoder(z))

    found = []
    for part in points.split(max(1, chunk_size // (2 * draws))):
        values = evaluate(where, features, part.flatten(0, 1), chunk_size).unflatten(0, part.shape[:2])
        found.append((values[:, draws:] - values[:, :draws]).square().sum(2).mean(1) / epsilon**2)
    per_pair = torch.cat(found)
    error = per_pair.std() / len(per_pair) ** 0.5 if len(per_pair) > 1 else per_pair.new_tensor(torch.nan)
    return PerceptualPathLength(per_pair.mean(), error, per_pair)
