"""Codes of about as many bits: parts, principal components, patches."""

from __future__ import annotations

import numpy as np
import torch
from cgae_coding import ScalarCoder, operating_points, steps_at
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.models.autoencoders.pca import principal_components
from scge_pyg.models.cgae import CGAE, Code
from scge_pyg.models.cgae.density.code_length import CodeLength, quantize

_MODEL = {"num_prototypes": 64, "prototype_size": 11, "num_linear": 1, "padding": "valid"}
_STEP, _PATCH, _KINDS = 1.0, 7, 256


def codes_of(train: Tensor, test: Tensor) -> tuple[CGAE, list[Code], float]:
    """A model of 8 parts, the rounded codes of training and test images, and their bits."""
    model = CGAE((28, 28), num_parts=8, **_MODEL)
    model.fit(train, epochs=4)
    model.requires_grad_(False)
    codes = [quantize(model.encode(part, sweeps=4), _STEP) for part in (train, test)]
    length = CodeLength(model.decoder.canvas.place_shape, model.num_prototypes, step=_STEP).fit(codes[0])
    return model, codes, float(length.bits(codes[1]).mean())


def parts_of(model: CGAE, code: Code) -> tuple[Tensor, Tensor]:
    """Places ``[S, 8, 2]`` in units of half an image, and what lies there ``[S, 8, R * R]``, seen alone."""
    place = torch.stack([code.i, code.j], 2) / (model.decoder.canvas.place_shape[0] / 2) - 1
    weight, basis = model.decoder.weight.flatten(1), model.decoder.basis.flatten(2)
    return place, weight[code.k] + torch.einsum("shq,shqr->shr", code.b, basis[code.k])


def pca_of(train: Tensor, test: Tensor, bits: float) -> tuple[Tensor, Tensor, float]:
    """What principal components leave of images, at the slope that comes nearest to so many bits."""
    found = principal_components([train.flatten(1)], 300)
    centre, axes = found.mean.float(), found.components.float()
    codes = [((x.flatten(1) - centre) @ axes).numpy() for x in (train, test)]
    points = operating_points(codes[0], 2.0 ** np.arange(-3, 4.01, 0.25))
    coders = [ScalarCoder(codes[0], steps_at(points, 2 ** (e / 4))) for e in range(-28, 15)]
    rates = [float(coder.bits(coder.encode(codes[0])).mean()) for coder in coders]
    nearest = int(np.abs(np.array(rates) - bits).argmin())
    coder = coders[nearest]
    left = [torch.from_numpy(coder.decode(coder.encode(z))).float() @ axes.T + centre for z in codes]
    return left[0].view_as(train), left[1].view_as(test), float(coder.bits(coder.encode(codes[1])).mean())


def patches_of(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor, float]:
    """Images put together from one of 256 patches at each of 16 places: 8 bits each."""
    pieces = [F.unfold(x.unsqueeze(1), _PATCH, stride=_PATCH).transpose(1, 2) for x in (train, test)]
    flat = [piece.flatten(0, 1).numpy() for piece in pieces]
    means = MiniBatchKMeans(_KINDS, n_init=3, batch_size=4096, random_state=0).fit(flat[0])
    back = [torch.from_numpy(means.cluster_centers_[means.predict(rows)]).float().view_as(piece).transpose(1, 2)
            for rows, piece in zip(flat, pieces, strict=True)]  # fmt: skip
    made = [F.fold(piece, (28, 28), _PATCH, stride=_PATCH).squeeze(1) for piece in back]
    return made[0], made[1], 16 * float(np.log2(_KINDS))
