"""The optimal linear autoencoder: in closed form, and by gradient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from scge_pyg.models.autoencoders.base import AutoEncoder
from scge_pyg.models.autoencoders.mlp import MLPAutoEncoder
from scge_pyg.nn.layer.batching import as_batch

__all__ = [
    "LinearAutoEncoder",
    "PCAAutoEncoder",
    "PrincipalComponents",
    "principal_components",
    "sample_batches",
    "whitening",
]


def sample_batches(
    x: Tensor | Iterable[Any], num_nodes: int, in_channels: int, where: str, batch_size: int = 4096
) -> Iterator[Tensor]:
    """Finite batches ``[B, N, C]`` of a tensor of samples, or of what a data loader yields.

    Args:
        x: Samples ``[S, N, C]``, or an iterable of batches: tensors in any layout of a batch, tuples or lists that
            start with one, or PyG's batches with ``x``.
        num_nodes: Number of nodes N.
        in_channels: Channels C of a node.
        where: Name of the caller, for errors.
        batch_size: Samples a time, if ``x`` is one tensor.

    Raises:
        TypeError: If ``x`` is neither, or holds no floating-point numbers.
        ValueError: If a shape is another, or a value is NaN or infinite.

    Example:
        >>> [len(part) for part in sample_batches(torch.rand(5, 4, 1), 4, 1, "here", batch_size=2)]
        [2, 2, 1]
    """
    if isinstance(x, Tensor):
        parts: Iterable[Any] = as_batch(x, num_nodes, in_channels, where).split(batch_size)
    elif isinstance(x, Iterable):
        parts = x
    else:
        raise TypeError(f"{where}: x must be a tensor [S, N, C] or an iterable of batches, got {type(x).__name__}")
    for part in parts:
        batch = part[0] if isinstance(part, (tuple, list)) and part else getattr(part, "x", part)
        if not isinstance(batch, Tensor) or not batch.is_floating_point():
            kind = batch.dtype if isinstance(batch, Tensor) else type(batch).__name__
            raise TypeError(f"{where}: x must hold floating-point tensors, got {kind}; convert with x.float()")
        if not bool(batch.isfinite().all()):
            raise ValueError(
                f"{where}: x holds {int((~batch.isfinite()).sum())} NaN or infinite values in one batch; "
                f"remove those samples or fill the gaps first"
            )
        yield as_batch(batch, num_nodes, in_channels, where)


class PrincipalComponents(NamedTuple):
    """Mean ``[D]``, orthonormal components ``[D, E]`` by falling variance, and their variances ``[E]``; float64."""

    mean: Tensor
    components: Tensor
    variance: Tensor


def principal_components(
    batches: Iterable[Tensor], count: int, where: str = "principal_components"
) -> PrincipalComponents:
    r"""Leading eigenvectors of the covariance, from one pass over batches ``[B, ...]`` of D values a sample.

    Sums are kept in float64, relative to the first batch's mean, so that no large numbers cancel. The sign of a
    component makes its largest entry positive. Cost: :math:`O(S D^2 + D^3)` time and :math:`O(D^2)` memory.

    Raises:
        ValueError: If there are no samples.

    Example:
        >>> line = torch.arange(5.0)[:, None] * torch.tensor([3.0, 4.0])
        >>> principal_components([line[:2], line[2:]], 1).components.squeeze()
        tensor([0.6000, 0.8000], dtype=torch.float64)
    """
    samples, shift, total, product = 0, None, None, None
    for batch in batches:
        values = batch.detach().flatten(1).double()
        if not len(values):
            continue
        if shift is None or total is None or product is None:
            shift = values.mean(0)
            total, product = torch.zeros_like(shift), values.new_zeros(shift.numel(), shift.numel())
        values = values - shift
        samples += len(values)
        total += values.sum(0)
        product.addmm_(values.T, values)
    if shift is None or total is None or product is None:
        raise ValueError(f"{where}: x holds no samples")
    offset = total / samples
    variance, vectors = torch.linalg.eigh(product / samples - torch.outer(offset, offset))
    chosen = vectors[:, -count:].flip(1)
    largest = chosen.gather(0, chosen.abs().argmax(0, keepdim=True))
    return PrincipalComponents(shift + offset, chosen * largest.sign(), variance[-count:].flip(0).clamp_min(0))


def whitening(found: PrincipalComponents) -> tuple[Tensor, Tensor]:
    """Maps from centred samples to codes of unit variance and back, both ``[E, D]``: ``z = P x`` and ``x = z Q``.

    Directions without variance keep their scale.
    """
    floor = torch.finfo(found.variance.dtype).eps ** 0.5 * found.variance.max()
    scale = torch.where(found.variance > floor, found.variance, 1.0).sqrt()
    return (found.components / scale).T, (found.components * scale).T


class PCAAutoEncoder(AutoEncoder):
    r"""Principal component analysis: of all linear autoencoders the one with the least squared error.

    .. math::
        z = V^T (x - \mu), \qquad r(z) = \mu + V z

    with V the ``latent`` leading eigenvectors of the covariance. Its Jacobian is V everywhere, with orthonormal
    columns: latent space is flat. It has buffers and no parameters; :meth:`fit` takes the place of a training.

    Args:
        num_nodes: Number of nodes N.
        in_channels: Channels C of a node.
        latent: Size of the code.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **code:** :math:`(B, \text{latent})`
        - **output:** :math:`(B, N, C)`

    Raises:
        ValueError: If used before :meth:`fit` or before a state dict is loaded.

    Example:
        >>> x = torch.randn(50, 3, 1) @ torch.ones(1, 2) + 5
        >>> model = PCAAutoEncoder(3, 2, 3).fit(x)
        >>> torch.allclose(model(x), x, atol=1e-5)
        True
    """

    mean: Tensor
    components: Tensor
    variance: Tensor
    fitted: Tensor

    def __init__(self, num_nodes: int, in_channels: int, latent: int) -> None:
        super().__init__(num_nodes, in_channels, latent)
        values = num_nodes * in_channels
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("components", torch.zeros(values, latent))
        self.register_buffer("variance", torch.zeros(latent))
        self.register_buffer("fitted", torch.tensor(False))

    def fit(self, x: Tensor | Iterable[Any]) -> PCAAutoEncoder:
        """Mean and components of samples ``[S, N, C]``, or of a data loader in one pass that keeps no batch.

        Raises:
            TypeError: If ``x`` is no tensor and no iterable of them, or holds no floating-point numbers.
            ValueError: If shapes are others, a value is NaN or infinite, or there are no samples.
        """
        where = "PCAAutoEncoder.fit"
        batches = sample_batches(x, self.num_nodes, self.in_channels, where)
        found = principal_components(batches, self.latent, where)
        for name, value in zip(found._fields, found, strict=True):
            getattr(self, name).copy_(value)
        self.fitted.fill_(True)
        return self

    def _check_fitted(self) -> None:
        if not bool(self.fitted):
            raise ValueError("PCAAutoEncoder: it has no components yet; call fit(x) or load a state dict first")

    def _encode(self, x: Tensor) -> Tensor:
        self._check_fitted()
        return (x.flatten(1) - self.mean) @ self.components

    def _decode(self, z: Tensor) -> Tensor:
        self._check_fitted()
        return (self.mean + z @ self.components.T).unflatten(1, (self.num_nodes, self.in_channels))


class LinearAutoEncoder(MLPAutoEncoder):
    r"""The shallow autoencoder of the notes: one linear layer to the code and one back, trained by gradient.

    .. math::
        z = W x + b, \qquad r(z) = A z + c

    Its squared error has no minimum but that of :class:`PCAAutoEncoder` (Baldi and Hornik, 1989), up to an invertible
    change of the code, so a finished training ends there: a check of the recipe more than a model. On Fashion-MNIST
    with 16 latents, 10 epochs of :func:`fit_autoencoder` at ``lr=1e-2`` come within 0.1 %.

    Args:
        num_nodes: Number of nodes N.
        in_channels: Channels C of a node.
        latent: Size of the code.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **code:** :math:`(B, \text{latent})`
        - **output:** :math:`(B, N, C)`

    Example:
        >>> LinearAutoEncoder(64, 3, 8)(torch.rand(2, 64, 3)).shape
        torch.Size([2, 64, 3])
    """

    def __init__(self, num_nodes: int, in_channels: int, latent: int) -> None:
        super().__init__(num_nodes, in_channels, latent, hidden=())
