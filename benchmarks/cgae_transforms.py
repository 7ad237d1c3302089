"""Transform coding: PCA and the package's autoencoders, their codes decorrelated, quantised and entropy-coded alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from cgae_coding import ScalarCoder, gaussian_rate_distortion, operating_points, steps_at
from cgae_curves import Candidate, Split
from draws import Array
from torch import Tensor
from torch.func import jacfwd, vmap

from scge_pyg.models.autoencoders import (
    AutoEncoder,
    ConvAutoEncoder,
    LinearAutoEncoder,
    MLPAutoEncoder,
    fit_autoencoder,
)
from scge_pyg.models.autoencoders.pca import principal_components

__all__ = [
    "autoencoder_candidates",
    "conv",
    "decoder_metric",
    "gaussian_bound",
    "linear",
    "mlp",
    "pca",
    "transform_candidates",
]

_STEPS = 2.0 ** np.arange(-3, 4.01, 0.25)
_SLOPES = tuple(2 ** (e / 2) for e in range(-14, 7))
_COMPONENTS = 300
_AUTOENCODERS: dict[str, tuple[Callable[[int], AutoEncoder], float]] = {
    "linear": (lambda latent: LinearAutoEncoder(784, 1, latent), 1e-2),
    "mlp": (lambda latent: MLPAutoEncoder(784, 1, latent), 1.5e-3),
    "conv": (lambda latent: ConvAutoEncoder((28, 28), 1, latent), 3e-3),
}


def transform_candidates(
    codes: tuple[Array, Array, Array],
    images: tuple[Array, Array, Array],
    decode: Callable[[Array], Array],
    settings: dict[str, Any],
) -> Iterator[Candidate]:
    """Uniform quantisers of the columns of codes ``[S, n]`` at several slopes.

    Args:
        codes: Of training, validation and test images; a squared error in them is about one in pixels.
        images: Pixels ``[S, N]``.
        decode: Codes to pixels.
        settings: For the records.
    """
    points = operating_points(codes[0], _STEPS)
    for slope in _SLOPES:
        coder = ScalarCoder(codes[0], steps_at(points, slope))
        pairs = []
        for z, x in zip(codes[1:], images[1:], strict=True):
            cells = coder.encode(z)
            error = np.square(x - decode(coder.decode(cells))).sum(1, dtype=np.float64).mean()
            pairs.append((float(coder.bits(cells).mean()), float(error)))
        yield Candidate({**settings, "slope": slope}, *pairs)


def pca(data: Split, quick: bool) -> Iterator[Candidate]:
    """Principal components, how finely each is kept decided by reverse water-filling on training images."""
    found = principal_components([torch.from_numpy(data.train)], 100 if quick else _COMPONENTS)
    mean, axes = found.mean.numpy(), found.components.numpy()
    yield from transform_candidates(
        tuple((x - mean) @ axes for x in data), tuple(data), lambda z: mean + z @ axes.T, {}
    )  # fmt: skip


def gaussian_bound(data: Split, quick: bool) -> Iterator[Candidate]:
    """For reference: what no code of Gaussian images with the training images' covariance can beat."""
    variance = principal_components([torch.from_numpy(data.train)], data.train.shape[1]).variance.numpy()
    level = 2.0 ** np.arange(-10, 4.01, 0.25)
    for one, bits, error in zip(level.tolist(), *gaussian_rate_distortion(variance, level), strict=True):
        yield Candidate({"level": one}, (float(bits), float(error)), (float(bits), float(error)))


@torch.no_grad()
def decoder_metric(model: AutoEncoder, z: Tensor) -> Tensor:
    r"""Mean of :math:`J^\top J` over codes ``z [S, n]``, J the decoder's Jacobian: errors of a code seen in pixels."""
    jacobian = vmap(jacfwd(lambda one: model.decode(one[None]).flatten()), chunk_size=25)(z)
    return torch.einsum("spi,spj->ij", jacobian, jacobian).double() / len(z)


@torch.no_grad()
def _batched(function: Callable[[Tensor], Tensor], x: Array) -> Array:
    return torch.cat([function(part) for part in torch.from_numpy(x).split(500)]).numpy()


def autoencoder_candidates(model: AutoEncoder, data: Split, settings: dict[str, Any]) -> Iterator[Candidate]:
    """Codes turned to the principal axes of the decoder's mean metric, where one step costs the same in all columns."""
    codes = [_batched(lambda x: model.encode(x[:, :, None]), x).astype(float) for x in data]
    value, vector = np.linalg.eigh(decoder_metric(model, torch.from_numpy(codes[0][:500]).float()).numpy())
    value = np.maximum(value, 1e-9 * value.max())
    flat = vector * np.sqrt(value)
    flat = flat @ np.linalg.eigh(np.cov((codes[0] @ flat).T))[1]
    back = np.linalg.inv(flat)

    def decode(z: Array) -> Array:
        return _batched(lambda part: model.decode(part).squeeze(2), (z @ back).astype(np.float32))

    yield from transform_candidates(tuple(z @ flat for z in codes), tuple(data), decode, settings)


def _trained(name: str, data: Split, quick: bool) -> Iterator[Candidate]:
    make, rate = _AUTOENCODERS[name]
    for latent in (16,) if quick else (8, 16, 32):
        torch.manual_seed(0)
        model = make(latent)
        x = torch.from_numpy(data.train)[:, :, None]
        fit_autoencoder(model, x, epochs=4, batch_size=32, lr=rate, progress=f"{name}, {latent} latents")
        model.eval()
        yield from autoencoder_candidates(model, data, {"latent": latent})


def linear(data: Split, quick: bool) -> Iterator[Candidate]:
    """The shallow autoencoder by gradient: a check, as its best is PCA."""
    return _trained("linear", data, quick)


def mlp(data: Split, quick: bool) -> Iterator[Candidate]:
    """The dense autoencoder."""
    return _trained("mlp", data, quick)


def conv(data: Split, quick: bool) -> Iterator[Candidate]:
    """The convolutional autoencoder."""
    return _trained("conv", data, quick)
