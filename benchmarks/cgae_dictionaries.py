"""Sparse dictionaries as codes: which atoms an image uses and how much of each, how many decided image by image."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from cgae_coding import ScalarCoder
from cgae_curves import Candidate, Split
from cgae_pursuit import Atoms, Dictionary, Filters, learn, pursuit
from draws import Array
from scipy.special import gammaln
from sklearn.decomposition import MiniBatchDictionaryLearning
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

__all__ = ["convolutional", "dictionary", "part_bits", "sparse_candidates"]

_SHAPE = (28, 28)
_STEPS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
_SLOPES = tuple(2 ** (e / 2) for e in range(-12, 3))
_ROUNDS = 4  # of choosing counts and fitting the tables to them


def _pursued(atoms: Dictionary, x: Tensor, count: int) -> tuple[Array, Array]:
    """:func:`pursuit` of images ``[S, N]``, a hundred at a time."""
    parts = [pursuit(atoms, part, count) for part in x.split(100)]
    index, amplitude = (torch.cat(tensors).numpy() for tensors in zip(*parts, strict=True))
    return index, amplitude


@torch.no_grad()
def _errors(atoms: Dictionary, x: Tensor, index: Array, amplitude: Array) -> Array:
    """Squared errors ``[S, n + 1]`` with the first 0, ..., n atoms at amplitudes ``[S, n, n]``."""
    columns = []
    for part, i, a in zip(x.split(100), *(torch.from_numpy(v).split(100) for v in (index, amplitude)), strict=True):
        rebuilt = a @ atoms.atoms(i)
        columns.append(torch.cat([part[:, None], part[:, None] - rebuilt], 1).square().sum(2))
    return torch.cat(columns).double().numpy()


def part_bits(usage: Array, index: Array) -> Array:
    r"""Bits ``[S, n + 1]`` that name the first 0, ..., n of the atoms ``index [S, n]`` as a set.

    .. math::
        -\sum_h \log_2 p(a_h) - \log_2 n!

    Args:
        usage: How often training codes use each atom ``[A]``, half a use added to each; zeros: p = 1 / A.
        index: The atoms.
    """
    length = _lengths(usage)[index]
    total = np.cumsum(np.pad(length, ((0, 0), (1, 0))), 1)
    return np.asarray(total - gammaln(np.arange(index.shape[1] + 1) + 1) / np.log(2))


class _Coded(NamedTuple):
    """Images with quantised amplitudes: atoms ``[S, n]``, cells ``[S, n, n]``, squared errors ``[S, n + 1]``."""

    index: Array
    cells: Array
    error: Array


class _Tables(NamedTuple):
    """How often training codes use each atom, and the bits of each amplitude's cell and of each number of atoms."""

    usage: Array
    cell: Array
    number: Array


def sparse_candidates(
    atoms: Dictionary, train: Tensor, valid: Tensor, test: Tensor, count: int, settings: dict[str, Any]
) -> Iterator[Candidate]:
    """Codes of at most ``count`` atoms at several steps and slopes.

    Every image takes the number of atoms of least error + slope bits. That number, the atoms and the amplitudes are
    entropy-coded by their frequencies in the training images' codes.
    """
    images = (train, valid, test)
    codes = [_pursued(atoms, x, count) for x in images]
    lower = np.tril(np.ones((count, count), bool))
    for step in _STEPS:
        coder = ScalarCoder(codes[0][1][:, lower].reshape(-1, 1), step)
        coded = []
        for x, (index, amplitude) in zip(images, codes, strict=True):
            cells = coder.encode(amplitude[..., None])[..., 0]
            rebuilt = np.where(lower, coder.point[cells], 0).astype(np.float32)
            coded.append(_Coded(index, cells, _errors(atoms, x, index, rebuilt)))
        for slope in _SLOPES:
            tables = _fitted(coded[0], atoms.num_atoms, len(coder.point), slope)
            _, *pairs = (_measured(part, tables, slope) for part in coded)
            yield Candidate({**settings, "step": step, "slope": slope}, *pairs)


def _fitted(coded: _Coded, num_atoms: int, num_cells: int, slope: float) -> _Tables:
    """Tables and the training images' numbers of atoms, each from the other; at first every number is as likely."""
    samples, count = coded.index.shape
    number, seen = np.full(samples, count), np.zeros(count + 1)
    for _ in range(_ROUNDS):
        used = np.arange(count) < number[:, None]
        last = coded.cells[np.arange(samples), np.maximum(number, 1) - 1]
        tables = _Tables(
            np.bincount(coded.index[used], minlength=num_atoms),
            _lengths(np.bincount(last[used], minlength=num_cells)),
            _lengths(seen),
        )
        number = (coded.error + slope * _bits(coded, tables)).argmin(1)
        seen = np.bincount(number, minlength=count + 1)
    return tables


def _bits(coded: _Coded, tables: _Tables) -> Array:
    """Lengths ``[S, n + 1]`` of the codes with the first 0, ..., n atoms."""
    lower = np.tril(np.ones(coded.cells.shape[1:], bool))
    amplitudes = np.where(lower, tables.cell[coded.cells], 0).sum(2)
    names = part_bits(tables.usage, coded.index)
    return np.asarray(names + np.pad(amplitudes, ((0, 0), (1, 0))) + tables.number)


def _measured(coded: _Coded, tables: _Tables, slope: float) -> tuple[float, float]:
    bits = _bits(coded, tables)
    best = np.arange(len(bits)), (coded.error + slope * bits).argmin(1)
    return float(bits[best].mean()), float(coded.error[best].mean())


def _lengths(count: Array) -> Array:
    return np.asarray(-np.log2((count + 0.5) / (count + 0.5).sum()))


def _tensors(data: Split, most: int) -> tuple[Tensor, Tensor, Tensor]:
    train, valid, test = map(torch.from_numpy, data)
    return train[:most], valid, test


def dictionary(data: Split, quick: bool) -> Iterator[Candidate]:
    """scikit-learn's mini-batch dictionary learning, then pursuit-driven refinement; the mean image is taken off."""
    train, valid, test = _tensors(data, 20_000)
    mean = train.mean(0)
    train, valid, test = train - mean, valid - mean, test - mean
    for size in (64,) if quick else (256, 1024):
        model = MiniBatchDictionaryLearning(size, alpha=1.0, max_iter=2, batch_size=256, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            start = model.fit(train[: 500 if quick else 4_000].numpy()).components_
        atoms = Atoms(torch.from_numpy(start).float())
        for count in (8,) if quick else (8, 16):
            if count == 8:
                yield from sparse_candidates(atoms, train, valid, test, 8, {"atoms": size, "refined": False})
            refined = Atoms(atoms.weight.detach())
            learn(refined, train, count, epochs=3 if quick else 15)
            settings = {"atoms": size, "refined": True, "most": count}
            yield from sparse_candidates(refined, train, valid, test, count, settings)


def convolutional(data: Split, quick: bool) -> Iterator[Candidate]:
    """Convolutional sparse coding: learned filters at any pixel, by orthogonal matching pursuit.

    Taking the mean image off first helps where images are full (Fashion-MNIST) and hurts on black (MNIST). Filters
    learned by sporco's ConvBPDNDictLearn, whose penalty is the l1 norm, from the same start and 200 images left the
    pursuit with eight parts an error of 14.1, those of :func:`learn` 9.2 (16 filters of 11x11, 200 other images).
    """
    full = ((32, 11, 8, False), (64, 11, 10, False), (64, 15, 8, False), (64, 19, 8, True))
    for size, width, count, centred in ((16, 11, 8, False),) if quick else full:
        images = _tensors(data, 10_000)
        atoms = Filters(_patches(images[0], size, width), _SHAPE)
        mean = images[0].mean(0) * centred
        images = tuple(x - mean for x in images)
        learn(atoms, images[0], count, epochs=1 if quick else 4)
        settings = {"filters": size, "width": width, "most": count, "centred": centred}
        yield from sparse_candidates(atoms, *images, count, settings)


def _patches(x: Tensor, count: int, width: int, seed: int = 0) -> Tensor:
    """Squares ``[count, width, width]`` around random bright pixels of random images."""
    generator = torch.Generator().manual_seed(seed)
    images = x[torch.randint(len(x), (count,), generator=generator)]
    place = torch.multinomial(images + 1e-6, 1, generator=generator)
    squares = F.unfold(images.view(-1, 1, *_SHAPE), width, padding=width // 2)
    return squares.gather(2, place[:, None].expand(-1, width * width, -1)).view(-1, width, width)
