"""What prototypes start from: pieces of images around places where there is something to see."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scge_pyg.importing import import_extra
from scge_pyg.models.cgae.decoding.canvas import Canvas

__all__ = ["clustered", "patches", "pieces_at", "window_energy"]

_MOST = 2048  # images that are looked at
_EACH = 4  # places of an image, at least
_BLOCK = 256  # pieces at a time


def pieces_at(canvas: Canvas, x: Tensor, place: Tensor) -> Tensor:
    """What lies in the window of ``place [M]`` in images ``x [M, C, N]``, one each, as kernels ``[M, C, *kernel]``."""
    channels, taps = x.shape[1], math.prod(canvas.kernel_shape)
    delta = torch.eye(channels * taps, dtype=x.dtype, device=x.device)
    bank = canvas.bank(delta.view(-1, 1, channels, *canvas.kernel_shape))
    reach = canvas.correlate(torch.ones_like(x[:1]), bank)[0, :, 0]
    found = []
    for image, at in zip(x.split(_BLOCK), place.split(_BLOCK), strict=True):
        all_places = canvas.correlate(image, bank).squeeze(2)
        found.append(all_places[torch.arange(len(at), device=at.device), :, at] / reach[:, at].mT.clamp_min(1e-6))
    return torch.cat(found).view(-1, channels, *canvas.kernel_shape)


def window_energy(canvas: Canvas, x: Tensor) -> Tensor:
    """Squared norm ``[B, P]`` of what lies in the window of each place."""
    one = torch.ones(1, 1, 1, *canvas.kernel_shape, dtype=x.dtype, device=x.device)
    return canvas.correlate(x.square().sum(1, keepdim=True), canvas.bank(one)).flatten(1).clamp_min(0)


def patches(canvas: Canvas, x: Tensor, each: int, generator: torch.Generator) -> Tensor:
    """``each`` pieces ``[B * each, C, *kernel]`` of every image ``[B, C, N]``, at places drawn by the square of their
    :func:`window_energy`, so that they lie on what is seen and not beside it."""
    energy = window_energy(canvas, x).square()
    place = torch.multinomial(energy + 1e-12 * energy.amax() + 1e-30, each, generator=generator)
    return pieces_at(canvas, x.repeat_interleave(each, 0), place.flatten())


def clustered(canvas: Canvas, x: Tensor, count: int, linear: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Prototypes ``[K, C, *kernel]`` and their directions ``[K, q, C, *kernel]``: k-means of pieces of the images
    (scikit-learn, started by k-means++), and the principal components of each cluster, a standard deviation long.
    """
    kmeans = import_extra("sklearn.cluster", "demo", "CGAE.fit").KMeans
    chosen = torch.randperm(len(x), generator=generator, device=x.device)[: max(_MOST, count)]
    each = min(max(_EACH, -(-10 * count // len(chosen))), canvas.num_places)
    if len(chosen) * each < count:
        raise ValueError(
            f"CGAE.fit: num_prototypes must be at most the number of pieces that x has, got {count} for {len(chosen)} "
            f"images with {canvas.num_places} places each; pass more images or make fewer prototypes"
        )
    pieces = patches(canvas, x[chosen], each, generator).flatten(1)
    seed = int(torch.randint(2**31 - 1, (), generator=generator, device=x.device))
    means = kmeans(count, n_init=1, max_iter=30, random_state=seed).fit(pieces.double().cpu().numpy())
    weight = torch.as_tensor(means.cluster_centers_, dtype=x.dtype, device=x.device)
    label = torch.as_tensor(means.labels_, device=x.device).long()
    basis = pieces.new_zeros(count, linear, pieces.shape[1])
    for cluster in range(count if linear else 0):
        members = pieces[label == cluster] - weight[cluster]
        found = min(linear, *members.shape)
        _, deviation, directions = torch.linalg.svd(members, full_matrices=False)
        basis[cluster, :found] = directions[:found] * deviation[:found, None] / len(members) ** 0.5
    shape = (x.shape[1], *canvas.kernel_shape)
    return weight.view(count, *shape), basis.view(count, linear, *shape)
