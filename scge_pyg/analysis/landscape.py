r"""The loss as a function of the weights: its sharpest curvature, and slices through it in units of the filters.

Weights of a ReLU network can be doubled in one layer and halved in the next without changing the function, so neither
a curvature nor a plot along raw weights compares two networks. In units of the filters' own norms (Li et al. 2018,
"Visualizing the loss landscape of neural nets") both stay the same under such a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.analysis.derivatives import check_finite

__all__ = ["TopEigenvalue", "filter_direction", "filter_norms", "loss_slice", "top_eigenvalue"]

Loss = Callable[[], Tensor]


class TopEigenvalue(NamedTuple):
    r"""Largest eigenvalue of a Hessian.

    Args:
        value: The estimate, never above the largest eigenvalue but for rounding.
        residual: :math:`\|H v - \lambda v\|` of its unit vector: some eigenvalue is at most that far away.
        products: Products with the Hessian that were taken.
    """

    value: float
    residual: float
    products: int


def top_eigenvalue(
    loss: Loss,
    parameters: Iterable[Tensor],
    units: Sequence[Tensor] | None = None,
    products: int = 64,
    tolerance: float = 1e-3,
    generator: torch.Generator | None = None,
) -> TopEigenvalue:
    r"""Largest eigenvalue of the Hessian of a loss, by Lanczos' method on Hessian-vector products.

    .. math::
        \lambda = \max_{\|v\| = 1} v^\top D H D v, \qquad
        H v = \nabla_\theta \bigl(v^\top \nabla_\theta L\bigr), \qquad D = \mathrm{diag}(\mathrm{units})

    Each product adds one vector to an orthonormal basis; the estimate is the largest eigenvalue of H within it. The
    largest in value, not in magnitude: gradient descent with steps above :math:`2 / \lambda` leaves a minimum.

    Source: Lanczos 1950, with full reorthogonalisation. Products: Pearlmutter 1994.

    Cost: ``products`` backward passes through the gradient's graph at most, which stays in memory, and as many vectors
    of the parameters' size.

    Args:
        loss: Called without arguments, once; a scalar that depends on the parameters and draws nothing.
        parameters: Tensors to differentiate by, all of one dtype.
        units: Length of a unit along each parameter, one tensor each that broadcasts to it, for instance
            :func:`filter_norms`; 0 keeps a parameter still. Default: 1.
        products: Most products to take. Default: 64.
        tolerance: Stop when the residual is below this share of the estimate. Default: 0.001.
        generator: Source of the first vector. Default: torch's global one.

    Raises:
        ValueError: If the loss is no scalar, NaN, independent of the parameters or without a finite second derivative,
            if a parameter requires no gradient, if the units keep all of them still, or an argument is out of range.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> found = top_eigenvalue(lambda: weight[0] ** 2 + 3 * weight[1] ** 2, [weight])
        >>> round(found.value, 4)
        6.0
    """
    tensors = _checked("top_eigenvalue", parameters)
    if still := [number for number, tensor in enumerate(tensors) if not tensor.requires_grad]:
        raise ValueError(
            f"top_eigenvalue: parameters {still} of {len(tensors)} require no gradients; leave them out, or call "
            f"requires_grad_() before the loss is computed"
        )
    if isinstance(products, bool) or not isinstance(products, int) or products < 1:
        raise ValueError(f"top_eigenvalue: products must be a positive integer, got {products!r}")
    if not 0 <= tolerance < 1:
        raise ValueError(f"top_eigenvalue: tolerance must be at least 0 and less than 1, got {tolerance!r}")
    scale = _flat(_like("units", units, tensors)) if units is not None else torch.ones_like(_flat(tensors))
    check_finite("top_eigenvalue", "units", scale)
    if not bool(scale.any()):
        raise ValueError(
            "top_eigenvalue: units are 0 for every parameter, so that none may move; filter_norms gives 0 to tensors "
            "of fewer than two axes, such as biases: add a weight"
        )
    with torch.enable_grad():
        value = loss()
        _check_scalar("top_eigenvalue", value)
        if not value.requires_grad:
            raise ValueError("top_eigenvalue: the loss doesn't depend on the parameters; is it detached from them?")
        slope = _flat(torch.autograd.grad(value, tensors, create_graph=True, materialize_grads=True)) * scale
    if not slope.requires_grad:
        return TopEigenvalue(0.0, 0.0, 0)

    def product(vector: Tensor) -> Tensor:
        found = torch.autograd.grad(slope, tensors, vector, retain_graph=True, materialize_grads=True)
        image = _flat(found) * scale
        if not bool(torch.isfinite(image).all()):
            raise ValueError(
                "top_eigenvalue: a product with the Hessian is NaN or infinite; the loss has no finite second "
                "derivative here, as a root or a norm has none at 0: move the parameters, or smooth the loss"
            )
        return image

    start = torch.randn(scale.shape, generator=generator, dtype=scale.dtype).to(scale.device) * (scale != 0)
    basis: list[Tensor] = [start / start.norm()]
    image: list[Tensor] = []
    while True:
        image.append(product(basis[-1]))
        within = torch.stack(basis)
        projected = (within @ torch.stack(image).T).double()
        values, vectors = torch.linalg.eigh((projected + projected.T) / 2)
        top = vectors[:, -1].to(scale.dtype)
        left = torch.stack(image).T @ top - values[-1].to(scale.dtype) * (within.T @ top)
        if len(image) == products or float(left.norm()) <= tolerance * abs(float(values[-1])):
            break
        rest = image[-1]
        for _ in range(2):  # once more for what rounding left
            rest = rest - within.T @ (within @ rest)
        if float(rest.norm()) <= torch.finfo(scale.dtype).eps * float(image[-1].norm()):
            break
        basis.append(rest / rest.norm())
    return TopEigenvalue(float(values[-1]), float(left.norm()), len(image))


def filter_norms(parameters: Iterable[Tensor], axes: int | Sequence[int] = 0) -> list[Tensor]:
    r"""Norm of each filter, the part of a tensor that belongs to one output, in a shape that broadcasts to the tensor.

    .. math::
        \nu_{f} = \|\theta_{f}\|_2

    Tensors of fewer than two axes (biases, scales of a normalisation) get zeros: along filter-normalised directions
    they stand still (Li et al. 2018).

    Args:
        parameters: Tensors.
        axes: Axis of the outputs, one number or one per tensor: 0 in ``torch.nn``, -1 in ``SCGEConv.weight``.

    Raises:
        ValueError: If there are not as many axes as tensors.

    Example:
        >>> import torch
        >>> filter_norms([torch.tensor([[3.0, 4.0], [0.0, 2.0]])])[0].tolist()
        [[5.0], [2.0]]
    """
    tensors = [p.detach() for p in parameters]
    axes = [axes] * len(tensors) if isinstance(axes, int) else list(axes)
    if len(axes) != len(tensors):
        raise ValueError(f"filter_norms: axes must be one number or {len(tensors)} of them, got {len(axes)}")
    return [_norms(tensor, axis) for tensor, axis in zip(tensors, axes, strict=True)]


def _norms(tensor: Tensor, axis: int) -> Tensor:
    if tensor.dim() < 2:
        return torch.zeros_like(tensor)
    others = [one for one in range(tensor.dim()) if one != axis % tensor.dim()]
    return torch.linalg.vector_norm(tensor, dim=others, keepdim=True)


def filter_direction(
    parameters: Iterable[Tensor], axes: int | Sequence[int] = 0, generator: torch.Generator | None = None
) -> list[Tensor]:
    r"""A random direction in which each filter is as long as that of the parameters.

    .. math::
        d_f \leftarrow \frac{d_f}{\|d_f\|} \|\theta_f\|, \qquad d \sim \mathcal{N}(0, I)

    Args:
        parameters: Tensors.
        axes: As in :func:`filter_norms`.
        generator: Source of the draw. Default: torch's global one.

    Raises:
        ValueError: As :func:`filter_norms`.

    Example:
        >>> import torch
        >>> weight = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
        >>> filter_direction([weight])[0].norm(dim=1).round(decimals=5).tolist()
        [5.0, 2.0]
    """
    tensors = [p.detach() for p in parameters]
    drawn = [torch.randn(t.shape, generator=generator, dtype=t.dtype).to(t.device) for t in tensors]
    wanted, have = filter_norms(tensors, axes), filter_norms(drawn, axes)
    return [d * w / h.clamp_min(torch.finfo(d.dtype).tiny) for d, w, h in zip(drawn, wanted, have, strict=True)]


@torch.no_grad()
def loss_slice(loss: Loss, parameters: Iterable[Tensor], direction: Sequence[Tensor], steps: Iterable[float]) -> Tensor:
    r"""Losses along a straight line through the parameters.

    .. math::
        L(\theta + \alpha d) \quad \text{for each } \alpha \text{ of steps}

    The parameters are moved in place and put back, also if the loss raises.

    Cost: one call of the loss a step.

    Args:
        loss: Called without arguments; a scalar that depends on the parameters.
        parameters: Tensors to move.
        direction: One tensor each, for instance :func:`filter_direction`.
        steps: Values of :math:`\alpha`.

    Returns:
        ``[T]``, NaN or infinite where the loss is.

    Raises:
        ValueError: If the direction doesn't fit the parameters, there are no steps, or the loss is no scalar.

    Example:
        >>> import torch
        >>> weight = torch.tensor([[1.0, 2.0]])
        >>> loss_slice(lambda: weight.square().sum(), [weight], [torch.tensor([[1.0, 0.0]])], [-1, 0, 2]).tolist()
        [4.0, 5.0, 13.0]
    """
    tensors = list(parameters)
    along = _like("direction", direction, tensors)
    start = [t.clone() for t in tensors]
    found = []
    steps = list(steps)
    if not steps:
        raise ValueError("loss_slice: steps must hold at least one number, got none")
    try:
        for step in steps:
            for tensor, origin, way in zip(tensors, start, along, strict=True):
                tensor.copy_(origin + step * way)
            value = loss()
            _check_scalar("loss_slice", value, finite=False)
            found.append(value.detach().flatten())
    finally:
        for tensor, origin in zip(tensors, start, strict=True):
            tensor.copy_(origin)
    return torch.cat(found)


def _checked(where: str, parameters: Iterable[Tensor]) -> list[Tensor]:
    tensors = list(parameters)
    if not tensors:
        raise ValueError(f"{where}: parameters holds no tensor; an iterator is used up after one call, so pass a list")
    for tensor in tensors:
        check_finite(where, "each of parameters", tensor)
    return tensors


def _like(name: str, given: Sequence[Tensor], tensors: Sequence[Tensor]) -> list[Tensor]:
    """The given tensors in the shapes of the parameters."""
    if len(given) != len(tensors):
        raise ValueError(f"{name} must be one tensor for each of {len(tensors)} parameters, got {len(given)}")
    try:
        return [one.to(tensor).expand(tensor.shape) for one, tensor in zip(given, tensors, strict=True)]
    except RuntimeError as error:
        shapes = [list(one.shape) for one in given], [list(tensor.shape) for tensor in tensors]
        raise ValueError(f"{name} must broadcast to the parameters, got {shapes[0]} for {shapes[1]}") from error


def _check_scalar(where: str, value: object, finite: bool = True) -> None:
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"{where}: loss() must return a scalar tensor, got {got}; take its mean")
    if finite:
        check_finite(where, "loss()", value)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([t.reshape(-1) for t in tensors])
