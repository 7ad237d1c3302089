"""The notes' relative-distance objective: fit how samples differ, not where they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor

from scge_pyg.models.autoencoders.base import AutoEncoder
from scge_pyg.models.autoencoders.pca import sample_batches

__all__ = ["OffsetAutoEncoder", "calibrate_offset", "relative_distance_loss"]


def relative_distance_loss(
    x: Tensor,
    reconstruction: Tensor,
    *,
    pairs: Literal["all", "random"] = "all",
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Mean over pairs of samples of the squared error of their difference.

    .. math::
        \operatorname{mean}_{a \ne b} \lVert (x_a - x_b) - (r_a - r_b) \rVert^2
        = \frac{2}{B - 1} \sum_a \lVert e_a - \bar e \rVert^2, \qquad e = x - r

    The right side is what ``pairs="all"`` computes, in :math:`O(B D)`: twice the unbiased variance of the residuals.
    It replaces a sum over :math:`B^2` pairs, as all ordered pairs together give
    :math:`2 B \sum_a \lVert e_a - \bar e \rVert^2`. ``"random"`` draws :math:`\lfloor B / 2 \rfloor` disjoint pairs,
    an unbiased estimate of it. The gradient for one pair, of the notes' :math:`L = -\lVert \cdot \rVert^2`, is

    .. math::
        \nabla_{z_1} L = -2 \left[ (r_1 - r_2) - (x_1 - x_2) \right]^T \nabla_{z_1} r .

    **It is blind to a constant:** ``r`` and ``r + c`` have the same loss. Score a model trained with it in absolute
    terms through :func:`calibrate_offset`. Codes of ``encoder="gradient"`` still minimise the absolute error.

    Args:
        x: Samples ``[B, ...]``, at least two.
        reconstruction: Their reconstructions, of the same shape.
        pairs: ``"all"`` or ``"random"``.
        generator: Of the random pairs, on the CPU. Default: PyTorch's.

    Returns:
        A scalar.

    Raises:
        ValueError: If the shapes differ, there are fewer than two samples, or ``pairs`` is another.

    Example:
        >>> x = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
        >>> relative_distance_loss(x, torch.zeros(2, 2)), relative_distance_loss(x, x + 7)
        (tensor(25.), tensor(0.))
    """
    if x.shape != reconstruction.shape or x.dim() < 1 or x.shape[0] < 2:
        raise ValueError(
            f"relative_distance_loss: x and reconstruction must have one shape [B, ...] with B at least 2, got "
            f"{list(x.shape)} and {list(reconstruction.shape)}; a pair takes two samples"
        )
    residual = (x - reconstruction).reshape(x.shape[0], -1)
    if pairs == "all":
        return (residual - residual.mean(0)).square().sum() * (2 / (x.shape[0] - 1))
    if pairs == "random":
        half = x.shape[0] // 2
        order = torch.randperm(x.shape[0], generator=generator).to(x.device)
        return (residual[order[:half]] - residual[order[half : 2 * half]]).square().sum(1).mean()
    raise ValueError(f"relative_distance_loss: pairs must be 'all' or 'random', got {pairs!r}")


class OffsetAutoEncoder(AutoEncoder):
    r"""Another autoencoder with a constant added to what it decodes, :math:`r(z) + c`; codes stay as they are.

    Args:
        model: The autoencoder.
        offset: The constant ``[N, C]``.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** :math:`(B, N, C)`

    Raises:
        ValueError: If ``offset`` has another shape than a sample.

    Example:
        >>> from scge_pyg.models.autoencoders import MLPAutoEncoder
        >>> model, x = MLPAutoEncoder(6, 1, 2, hidden=(8,)), torch.rand(4, 6, 1)
        >>> bool(torch.allclose(OffsetAutoEncoder(model, torch.ones(6, 1))(x), model(x) + 1))
        True
    """

    offset: Tensor

    def __init__(self, model: AutoEncoder, offset: Tensor) -> None:
        super().__init__(model.num_nodes, model.in_channels, model.latent)
        if offset.shape != (model.num_nodes, model.in_channels):
            raise ValueError(
                f"OffsetAutoEncoder: offset must be one sample [{model.num_nodes}, {model.in_channels}], "
                f"got {list(offset.shape)}"
            )
        self.model = model
        self.register_buffer("offset", offset)

    def _encode(self, x: Tensor) -> Tensor:
        return self.model.encode(x)

    def _decode(self, z: Tensor) -> Tensor:
        return self.model.decode(z) + self.offset


def calibrate_offset(model: AutoEncoder, x: Tensor | Iterable[Any], *, batch_size: int = 500) -> OffsetAutoEncoder:
    r"""The model plus the mean residual :math:`c = \operatorname{mean}(x - r(z(x)))` of training samples.

    Of all constants this one has the least squared error, which falls by exactly :math:`\lVert c \rVert^2`: what is
    left is half the relative distance loss over all pairs (times :math:`1 - 1/S`). The model itself is not changed; it
    is evaluated as :meth:`torch.nn.Module.eval` has it.

    Args:
        model: Trained with :func:`relative_distance_loss`.
        x: Samples ``[S, N, C]``, or a data loader. Take training samples, not those it will be scored on.
        batch_size: Samples a time, if ``x`` is one tensor.

    Raises:
        TypeError: If ``x`` is no tensor and no iterable of them, or holds no floating-point numbers.
        ValueError: If shapes are others, a value is NaN or infinite, or there are no samples.

    Example:
        >>> from scge_pyg.models.autoencoders import MLPAutoEncoder
        >>> x, model = torch.rand(50, 6, 1), MLPAutoEncoder(6, 1, 2, hidden=(8,))
        >>> calibrated = calibrate_offset(model, x)
        >>> bool((x - calibrated(x)).mean(0).abs().max() < 1e-6)
        True
    """
    samples, total, dtype = 0, torch.zeros(()), torch.get_default_dtype()
    training = model.training
    model.eval()
    with torch.no_grad():
        for batch in sample_batches(x, model.num_nodes, model.in_channels, "calibrate_offset", batch_size):
            total = total.to(batch.device) + (batch - model(batch)).double().sum(0)
            samples += len(batch)
            dtype = batch.dtype
    model.train(training)
    if not samples:
        raise ValueError("calibrate_offset: x holds no samples")
    calibrated = OffsetAutoEncoder(model, (total / samples).to(dtype))
    return calibrated.train(training)
