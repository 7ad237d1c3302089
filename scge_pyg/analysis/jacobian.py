r"""Jacobians of decoders: whole, their Frobenius norm, and Hutchinson's estimate of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from scge_pyg.analysis.derivatives import Function, SampleFunction, check_chunk_size

__all__ = ["HutchinsonEstimate", "frobenius_norm", "hutchinson", "jacobian"]

_DISTRIBUTIONS = ("rademacher", "normal")
_SIDES = ("output", "input")
_ONE_BY_ONE = 16


@torch.no_grad()
def jacobian(function: Function, z: Tensor, mode: str = "auto", chunk_size: int = 1024) -> Tensor:
    r"""Exact Jacobians of a function of samples, one for each sample.

    .. math::
        J_{bde} = \frac{\partial r_d(z_b)}{\partial z_{be}}

    Columns come from forward mode where E < D, rows from reverse mode otherwise (``torch.func``, several directions at
    once). A function with a custom ``autograd.Function`` that ``torch.func`` refuses is differentiated by plain
    backward passes: columns by a backward pass through the backward pass, or rows where that fails as well.

    Cost: :math:`B \min(D, E)` products of the price of two to four forward passes of a sample. Besides the result and
    the samples, memory holds what ``chunk_size`` samples need.

    Args:
        function: Maps ``[B, ...]`` to ``[B, ...]``, each sample by itself; a module must be in eval mode.
        z: Samples ``[B, E]``, or ``[B, ...]`` to be flattened.
        mode: ``"auto"``, ``"forward"`` or ``"reverse"``. Default: ``"auto"``.
        chunk_size: Products taken at once (samples times directions). Default: 1024.

    Returns:
        ``[B, D, E]``, without a graph.

    Raises:
        ValueError: If ``z`` isn't finite and floating ``[B, ...]``, or the function has no gradient with respect to
            it, mixes samples, or is a module with batch normalisation or dropout in training mode.

    Example:
        >>> import torch
        >>> jacobian(lambda z: torch.stack([z[:, 0] * z[:, 1], z[:, 0]], 1), torch.tensor([[2.0, 5.0]])).tolist()
        [[[5.0, 2.0], [1.0, 0.0]]]
    """
    samples = SampleFunction("jacobian", function, z)
    columns, blocks = samples.jacobian_blocks(mode, chunk_size)
    result = samples.z.new_empty(len(z), samples.outputs, samples.inputs)
    for rows, directions, values in blocks:
        if columns:
            result[rows, :, directions] = values.permute(1, 2, 0)
        else:
            result[rows, directions] = values.transpose(0, 1)
    return result


@torch.no_grad()
def frobenius_norm(
    function: Function,
    z: Tensor,
    squared: bool = False,
    mode: str = "auto",
    chunk_size: int = 1024,
    progress: bool = False,
) -> Tensor:
    r"""Frobenius norm of the Jacobian at each sample, exact, without keeping the Jacobian.

    .. math::
        \|J_b\|_F = \Big(\sum_{de} J_{bde}^2\Big)^{1/2}

    Cost: that of :func:`jacobian`; memory for ``chunk_size`` samples and products.

    Args:
        function: Maps ``[B, ...]`` to ``[B, ...]``, each sample by itself; a module must be in eval mode.
        z: Samples ``[B, E]``, or ``[B, ...]`` to be flattened.
        squared: Return :math:`\|J\|_F^2`. Default: False, the norm itself.
        mode: ``"auto"``, ``"forward"`` or ``"reverse"``. Default: ``"auto"``.
        chunk_size: Products taken at once. Default: 1024.
        progress: Show a bar.

    Returns:
        ``[B]``.

    Raises:
        ValueError: As :func:`jacobian`.

    Example:
        >>> import torch
        >>> frobenius_norm(lambda z: z @ torch.tensor([[3.0, 0.0], [0.0, 4.0]]), torch.zeros(1, 2)).tolist()
        [5.0]
    """
    samples = SampleFunction("frobenius_norm", function, z)
    columns, blocks = samples.jacobian_blocks(mode, chunk_size)
    total = samples.z.new_zeros(len(z))
    products = len(z) * (samples.inputs if columns else samples.outputs)
    with tqdm(total=products, desc="frobenius_norm", unit="product", disable=not progress) as bar:
        for rows, _, values in blocks:
            total[rows] += values.square().sum((0, 2))
            bar.update(values.shape[0] * values.shape[1])
    return total if squared else total.sqrt()


class HutchinsonEstimate(NamedTuple):
    """Estimates of the squared Frobenius norm, one for each sample.

    Args:
        value: Mean over the probes ``[B]``.
        variance: Unbiased estimate of the variance of a single probe ``[B]``.
        standard_error: Standard error of ``value``, the root of ``variance / probes`` ``[B]``.
    """

    value: Tensor
    variance: Tensor
    standard_error: Tensor


def _draw(size: tuple[int, int], distribution: str, generator: torch.Generator | None, like: Tensor) -> Tensor:
    device = like.device if generator is None else generator.device
    if distribution == "normal":
        return torch.randn(size, generator=generator, dtype=like.dtype, device=device).to(like.device)
    return torch.randint(0, 2, size, generator=generator, device=device).to(like.device, like.dtype) * 2 - 1


@torch.no_grad()
def hutchinson(
    function: Function,
    z: Tensor,
    probes: int = 16,
    generator: torch.Generator | None = None,
    distribution: str = "rademacher",
    side: str = "output",
    chunk_size: int = 1024,
) -> HutchinsonEstimate:
    r"""Hutchinson's unbiased estimate of the squared Frobenius norm, and how far to trust it.

    .. math::
        \|J\|_F^2 = \mathbb{E}\,\|J^\top u\|^2 = \mathbb{E}\,\|J v\|^2

    for probes with independent entries of mean 0 and variance 1: :math:`u` on the output side, a backward pass each, or
    :math:`v` on the input side. With :math:`A = J J^\top` or :math:`A = J^\top J` the variance of one probe is
    :math:`2 (\|A\|_F^2 - \sum_i A_{ii}^2)` for signs (Rademacher) and :math:`2 \|A\|_F^2` for normal probes. With E < D
    the input side mostly varies less, and E products give the exact norm; so this pays where both sizes are large.

    Source: Hutchinson 1990, "A stochastic estimator of the trace of the influence matrix".

    Cost: ``probes`` products a sample; memory for ``chunk_size`` of them.

    Args:
        function: Maps ``[B, ...]`` to ``[B, ...]``, each sample by itself; a module must be in eval mode.
        z: Samples ``[B, E]``, or ``[B, ...]`` to be flattened.
        probes: Random probes for each sample, at least 2. Default: 16.
        generator: Source of the probes; the result doesn't depend on ``chunk_size``. Default: torch's global one.
        distribution: ``"rademacher"`` or ``"normal"``. Default: ``"rademacher"``.
        side: ``"output"`` or ``"input"``. Default: ``"output"``.
        chunk_size: Products taken at once. Default: 1024.

    Raises:
        ValueError: As :func:`jacobian`; for fewer than two probes, an unknown distribution or side, or a function
            without forward mode and second derivatives on the input side.

    Example:
        >>> import torch
        >>> weight = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
        >>> found = hutchinson(lambda z: z @ weight, torch.zeros(1, 2), 8, torch.Generator().manual_seed(0))
        >>> found.value.tolist(), found.standard_error.tolist()
        ([25.0], [0.0])
    """
    if isinstance(probes, bool) or not isinstance(probes, int) or probes < 2:
        raise ValueError(f"hutchinson: probes must be an integer of at least 2, to have a variance, got {probes!r}")
    if distribution not in _DISTRIBUTIONS:
        raise ValueError(f"hutchinson: distribution must be one of {_DISTRIBUTIONS}, got {distribution!r}")
    if side not in _SIDES:
        raise ValueError(f"hutchinson: side must be one of {_SIDES}, got {side!r}")
    check_chunk_size("hutchinson", chunk_size)
    samples = SampleFunction("hutchinson", function, z)
    way = samples.backwards() if side == "output" else samples.forwards()
    if way is None:
        raise ValueError(
            "hutchinson: the function supports neither forward mode nor second derivatives; use side='output'"
        )
    width, shape = samples.outputs, samples.z.shape[1:]
    if side == "input":
        width = samples.inputs
    at_once = min(probes, chunk_size) if way[1] else 1
    # probes that are taken one by one need little memory each, so more samples share a pass
    step = max(1, chunk_size * (1 if way[1] else _ONE_BY_ONE) // probes)
    found = samples.z.new_empty(probes, len(z))
    for first in range(0, len(z), step):
        rows = slice(first, min(first + step, len(z)))
        # sample by sample, so that the stream doesn't depend on the chunks
        drawn = [_draw((probes, width), distribution, generator, samples.z) for _ in range(first, rows.stop)]
        directions = torch.stack(drawn, 1)
        if side == "input":
            directions = directions.unflatten(2, shape)
        blocks = samples.products(directions, way, rows, at_once)
        found[:, rows] = torch.cat([block.square().sum(2) for block in blocks])
    variance = found.var(0)
    return HutchinsonEstimate(found.mean(0), variance, (variance / probes).sqrt())
