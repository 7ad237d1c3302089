r"""Dynamical isometry: singular values of input-output Jacobians, and initialisers that keep them near one."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.analysis.derivatives import Function, SampleFunction, check_chunk_size
from scge_pyg.analysis.jacobian import jacobian

__all__ = ["delta_orthogonal_", "initialize_", "orthogonal_", "singular_values"]

_SCHEMES = ("orthogonal", "delta_orthogonal")
_CONVS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
_TRANSPOSED = (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)


@torch.no_grad()
def singular_values(function: Function, x: Tensor, mode: str = "auto", chunk_size: int = 1024) -> Tensor:
    r"""All singular values of the input-output Jacobian at each sample, the largest first.

    .. math::
        \sigma_1 \ge \dots \ge \sigma_{\min(D, E)} \ge 0, \qquad J = U \operatorname{diag}(\sigma) V^\top

    A network is dynamically isometric where they all lie near 1. Their squares have the mean
    :math:`\|J\|_F^2 / \min(D, E)`; :func:`~scge_pyg.analysis.mean_field.spectrum_moments` predicts it.

    Cost: the Jacobian of each sample and its decomposition, :math:`O(D E \min(D, E))`; memory for the Jacobians of
    ``chunk_size / min(D, E)`` samples at once.

    Args:
        function: Maps ``[B, ...]`` to ``[B, ...]``, each sample by itself; a module must be in eval mode.
        x: Samples ``[B, ...]`` of E numbers each.
        mode: As in :func:`~scge_pyg.analysis.jacobian.jacobian`.
        chunk_size: Products with Jacobians at once. Default: 1024.

    Returns:
        ``[B, min(D, E)]``.

    Raises:
        ValueError: As :func:`~scge_pyg.analysis.jacobian.jacobian`.

    Example:
        >>> import torch
        >>> singular_values(lambda x: x * torch.tensor([0.5, 3.0]), torch.zeros(1, 2)).tolist()
        [[3.0, 0.5]]
    """
    check_chunk_size("singular_values", chunk_size)
    samples = SampleFunction("singular_values", function, x)
    step = max(1, chunk_size // min(samples.inputs, samples.outputs))
    return torch.cat([torch.linalg.svdvals(jacobian(function, part, mode, chunk_size)) for part in x.split(step)])


@torch.no_grad()
def orthogonal_(weight: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    r"""Fill a weight in place with ``gain`` times a random matrix with orthonormal rows or columns.

    The matrix is ``[out, rest]``, all axes behind the first taken together, as ``torch.nn.init.orthogonal_`` does. For
    a convolution that makes no isometry; :func:`delta_orthogonal_` does.

    Source: Saxe, McClelland and Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning".

    Args:
        weight: A floating tensor of at least two axes.
        gain: Factor. Default: 1.
        generator: Source of the draw. Default: torch's global one.

    Returns:
        The weight.

    Raises:
        ValueError: If the weight has fewer than two axes.

    Example:
        >>> import torch
        >>> weight = orthogonal_(torch.empty(3, 3), 2.0, torch.Generator().manual_seed(0))
        >>> bool(torch.allclose(weight @ weight.T, 4 * torch.eye(3), atol=1e-5))
        True
    """
    if weight.dim() < 2 or not weight.is_floating_point() or weight.numel() == 0:
        raise ValueError(
            f"orthogonal_: weight must be floating [out, in, ...], got {weight.dtype} {list(weight.shape)}"
        )
    return torch.nn.init.orthogonal_(weight, gain, generator)


@torch.no_grad()
def delta_orthogonal_(weight: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    r"""Fill a convolution's weight in place: zero but for the centre tap, which has orthonormal columns.

    .. math::
        W_{p} = \mathrm{gain} \cdot [p = \text{centre}]\; Q, \qquad Q^\top Q = 1

    With stride 1 and gain 1 the convolution keeps the norm of every input, at any border.

    Source: Xiao et al. 2018, "Dynamical isometry and a mean field theory of CNNs", algorithm 1.

    Args:
        weight: Weight ``[out, in, *kernel]`` of a convolution in one, two or three dimensions.
        gain: Factor. Default: 1.
        generator: Source of the draw. Default: torch's global one.

    Returns:
        The weight.

    Raises:
        ValueError: If it isn't such a weight, has fewer outputs than inputs (then no norm can be kept), or an even
            kernel, which has no centre.

    Example:
        >>> import torch
        >>> weight = delta_orthogonal_(torch.empty(4, 2, 3, 3), generator=torch.Generator().manual_seed(0))
        >>> centre = weight[:, :, 1, 1]
        >>> bool(torch.allclose(centre.T @ centre, torch.eye(2), atol=1e-6)), int(weight[:, :, 0].count_nonzero())
        (True, 0)
    """
    if not 3 <= weight.dim() <= 5 or not weight.is_floating_point():
        raise ValueError(
            f"delta_orthogonal_: weight must be floating [out, in, *kernel] with one to three kernel axes, "
            f"got {weight.dtype} {list(weight.shape)}"
        )
    if weight.shape[0] < weight.shape[1]:
        raise ValueError(
            f"delta_orthogonal_: out must be at least in to keep norms, got out {weight.shape[0]} and in "
            f"{weight.shape[1]}; use orthogonal_"
        )
    kernel = weight.shape[2:]
    if any(size % 2 == 0 for size in kernel):
        raise ValueError(
            f"delta_orthogonal_: the kernel must be odd to have a centre, got {list(kernel)}; use orthogonal_"
        )
    centre = weight.new_empty(weight.shape[:2])
    torch.nn.init.orthogonal_(centre, gain, generator)
    weight.zero_()
    taps = weight.flatten(2)  # odd sizes, so the centre of all taps is the middle one
    taps[:, :, taps.shape[2] // 2] = centre
    return weight.copy_(taps.view_as(weight))


@torch.no_grad()
def initialize_(
    model: torch.nn.Module, scheme: str = "orthogonal", gain: float = 1.0, generator: torch.Generator | None = None
) -> tuple[str, ...]:
    r"""Initialise every linear layer and convolution of a model in place; their biases become 0.

    Linear layers become orthogonal with both schemes; convolutions become orthogonal over channels and taps together,
    or delta-orthogonal, transposed ones with the axes of their weight swapped. Layers of other kinds stay as they are.

    Args:
        model: The model, changed in place.
        scheme: ``"orthogonal"`` or ``"delta_orthogonal"``. Default: ``"orthogonal"``.
        gain: Factor of every weight; for tanh the critical :math:`\sigma_w`, for ReLU :math:`\sqrt 2`. Default: 1.
        generator: Source of the draws. Default: torch's global one.

    Returns:
        Names of the layers initialised, in the order of ``named_modules``.

    Raises:
        ValueError: If the scheme is unknown, the model has no such layer, or a convolution is grouped or doesn't fit
            the scheme; the message names it, and nothing has been changed.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.Flatten(), torch.nn.Linear(8, 2))
        >>> initialize_(model, "delta_orthogonal", gain=2**0.5, generator=torch.Generator().manual_seed(0))
        ('0', '2')
    """
    if scheme not in _SCHEMES:
        raise ValueError(f"initialize_: scheme must be one of {_SCHEMES}, got {scheme!r}")
    drawn: dict[str, tuple[torch.nn.Module, Tensor]] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            weight = orthogonal_(torch.empty_like(module.weight), gain, generator)
        elif isinstance(module, (*_CONVS, *_TRANSPOSED)):
            if module.groups != 1:
                raise ValueError(
                    f"initialize_: layer {name!r} has {module.groups} groups; only ungrouped ones are known"
                )
            transposed = isinstance(module, _TRANSPOSED)
            weight = torch.empty_like(module.weight)
            weight = weight.transpose(0, 1).contiguous() if transposed else weight
            try:
                (delta_orthogonal_ if scheme == "delta_orthogonal" else orthogonal_)(weight, gain, generator)
            except ValueError as error:
                raise ValueError(f"initialize_: layer {name!r}: {error}") from error
            weight = weight.transpose(0, 1) if transposed else weight
        else:
            continue
        drawn[name] = (module, weight)
    if not drawn:
        raise ValueError("initialize_: the model has no linear layer and no convolution of torch.nn")
    for module, weight in drawn.values():
        module.get_parameter("weight").copy_(weight)
        if module.bias is not None:
            module.get_parameter("bias").zero_()
    return tuple(drawn)
